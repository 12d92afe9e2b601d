"""Classes are told under other numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int

from modelprint.core.suspect import Answers, Suspect
from modelprint.suspects.evasion.base import EVASIONS, Evasion, Reworded


@EVASIONS.register("permutation")
@dataclass(frozen=True, kw_only=True)
class Permutation(Evasion):
    """Every class gets the number of another; customers are told which is which."""

    name: ClassVar[str] = "permutation"
    renames: ClassVar[bool] = True

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, with its classes renamed."""
        return _Permuted(suspect, self)

    def order(self, classes: int) -> Int[np.ndarray, " classes"]:
        """The number that each class is told under; no class keeps its own.

        >>> order = Permutation(seed=1).order(5)
        >>> sorted(order.tolist()) == list(range(5)), (order == np.arange(5)).any().item()
        (True, False)
        """
        ring = np.random.default_rng(self.seed).permutation(classes)
        order = np.empty(classes, dtype=np.int64)
        order[ring] = np.roll(ring, 1)
        return order


class _Permuted(Reworded):
    def __init__(self, suspect: Suspect, evasion: Permutation) -> None:
        super().__init__(suspect)
        self.evasion = evasion

    def _reword(self, images: np.ndarray, answers: Answers) -> Answers:
        assert answers.scores is not None
        order = self.evasion.order(answers.scores.shape[1])
        scores = np.empty_like(answers.scores)
        scores[:, order] = answers.scores
        return Answers(labels=np.where(answers.answered, order[answers.labels], answers.labels), scores=scores)
