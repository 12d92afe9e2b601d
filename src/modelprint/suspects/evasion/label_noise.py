"""Where the model is not sure, it now and then tells its second choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.suspect import Answers, Suspect
from modelprint.modalities.transform import generators
from modelprint.suspects.evasion.base import EVASIONS, Evasion, Reworded, shares_of


@EVASIONS.register("label-noise")
@dataclass(frozen=True, kw_only=True)
class LabelNoise(Evasion):
    """Below some confidence the two likeliest classes are swapped, by chance; the same image always alike.

    Attributes:
        below: the probability of the first class under which this may happen.
        rate: how often it does.
    """

    name: ClassVar[str] = "label-noise"

    below: float = 0.7
    rate: float = 0.5

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, which lies where it is not sure."""
        return _Noisy(suspect, self)


class _Noisy(Reworded):
    def __init__(self, suspect: Suspect, evasion: LabelNoise) -> None:
        super().__init__(suspect)
        self.evasion = evasion

    def _reword(self, images: np.ndarray, answers: Answers) -> Answers:
        assert answers.scores is not None
        unsure = np.flatnonzero(shares_of(answers).max(axis=1) < self.evasion.below)
        drawn = np.array([draw.random() for draw in generators(images[unsure], self.evasion.seed)])
        swapped = unsure[drawn < self.evasion.rate] if len(unsure) else unsure
        scores = answers.scores.copy()
        order = np.argsort(-scores[swapped], axis=1, kind="stable")
        first, second = order[:, 0], order[:, 1]
        scores[swapped, first], scores[swapped, second] = scores[swapped, second], scores[swapped, first]
        labels = answers.labels.copy()
        labels[swapped] = second
        return Answers(labels=labels, scores=scores)
