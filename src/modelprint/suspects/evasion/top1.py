"""Nothing but the label is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.suspect import Answers, Suspect
from modelprint.suspects.evasion.base import EVASIONS, Evading, Evasion


@EVASIONS.register("top-1")
@dataclass(frozen=True, kw_only=True)
class TopOne(Evasion):
    """The label alone; who asks for scores is refused."""

    name: ClassVar[str] = "top-1"

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, with labels only."""
        return _LabelsOnly(suspect)


class _LabelsOnly(Evading):
    def __init__(self, suspect: Suspect) -> None:
        super().__init__(suspect)
        self.access = Access.LABELS

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        return self.suspect.ask(images, access=Access.LABELS)
