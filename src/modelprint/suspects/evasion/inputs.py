"""The input is changed before the model sees it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.transform import Transform
from modelprint.suspects.evasion.base import Evading, Evasion


@dataclass(frozen=True, kw_only=True)
class ChangedInputs(Evasion):
    """Any transform of the modality: of images flip, noise, blur, jpeg, bit-depth, resize."""

    name: ClassVar[str] = "input"

    transform: Transform

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, which sees the transformed inputs."""
        return _Transformed(suspect, self.transform, self.seed)

    def recipe(self) -> dict[str, Any]:
        """The transform's type and strength."""
        strength = asdict(self.transform)
        return {"name": type(self.transform).__name__, "seed": self.seed, **strength}


class _Transformed(Evading):
    def __init__(self, suspect: Suspect, transform: Transform, seed: int) -> None:
        super().__init__(suspect)
        self.transform = transform
        self.seed = seed

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        return self.suspect.ask(self.transform(self.points(inputs), seed=self.seed), access=access)
