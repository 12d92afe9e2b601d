"""Scores are rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.suspect import Answers, Suspect
from modelprint.suspects.evasion.base import EVASIONS, Evasion, Reworded, shares_of


@EVASIONS.register("rounding")
@dataclass(frozen=True, kw_only=True)
class Rounding(Evasion):
    """Probabilities rounded, and divided by their sum, so that they look like probabilities. Labels stay.

    Attributes:
        digits: after the point.
    """

    name: ClassVar[str] = "rounding"

    digits: int = 1

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, with coarse scores."""
        return _Rounded(suspect, self.digits)


class _Rounded(Reworded):
    def __init__(self, suspect: Suspect, digits: int) -> None:
        super().__init__(suspect)
        self.digits = digits

    def _reword(self, images: np.ndarray, answers: Answers) -> Answers:
        shares = np.round(shares_of(answers), self.digits)
        nothing = np.flatnonzero(shares.sum(axis=1) == 0)  # of many classes each may round to 0
        shares[nothing, answers.labels[nothing]] = 1.0
        return Answers(labels=answers.labels, scores=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32))
