"""Several changed versions of a query are answered as one: what a single one was made to show is averaged away.

Test-time augmentation, as an attacker's answer to fingerprints that lie close to a boundary: a boundary that is crossed
by a hair is crossed by half of the versions. It takes as many passes of the model as there are versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError, UsageError
from modelprint.core.suspect import Answers, Suspect, answers_from_scores
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.transform import Transform
from modelprint.suspects.evasion.base import EVASIONS, Evading, Evasion, shares_of


@EVASIONS.register("views")
@dataclass(frozen=True, kw_only=True)
class Views(Evasion):
    """The mean of the probabilities over changed versions of each query.

    Attributes:
        count: of versions.
        transform: what changes them, by the name it has among the modality's; one that draws, with another seed for
            each version.
    """

    name: ClassVar[str] = "views"

    count: int = 8
    transform: str = "noise"

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, which answers to the versions.

        Raises:
            UsageError: the modality has no such transform.
        """
        own = suspect.modality
        known = (own if isinstance(own, Modality) else IMAGE).transforms
        if self.transform not in known:
            raise UsageError(f"no transform {self.transform!r}: use one of {', '.join(known)}")
        return _Averaged(suspect, known[self.transform](), self)


class _Averaged(Evading):
    def __init__(self, suspect: Suspect, transform: Transform, evasion: Views) -> None:
        super().__init__(suspect)
        if suspect.access < Access.SCORES:
            raise SuspectError(f"{suspect.identity} gives {suspect.access} only: this evasion needs its scores")
        self.transform = transform
        self.evasion = evasion

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        points = self.points(inputs)
        seeds = range(self.evasion.seed * self.evasion.count, (self.evasion.seed + 1) * self.evasion.count)
        answers = [self.suspect.ask(self.transform(points, seed=seed), access=Access.SCORES) for seed in seeds]
        return answers_from_scores(np.mean([shares_of(one) for one in answers], axis=0), who=self.identity)
