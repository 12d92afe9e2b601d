"""Scores as a model gives them - logits, probabilities, rounded or cut ones - in one form: a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special

from modelprint.core.suspect import Answers, are_probabilities

FLAT = 1e-6  # the norm of a row of logarithms below which all classes count as alike
UNSEEN = 1e-4  # what a probability of 0 may have been before it was rounded or cut off
FINEST = 6  # decimals beyond which probabilities count as not rounded
EXACT = 1e-7  # of a probability, as single precision holds it


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How coarsely scores are given.

    Attributes:
        decimals: to which probabilities are rounded; None where they are not, or are logits.
        highest: how many classes of each answer have a probability; None where all have.
    """

    decimals: int | None = None
    highest: int | None = None

    @classmethod
    def of(cls, scores: Float[np.ndarray, "n c"]) -> Reading:
        """How coarse these scores are, as far as they show it.

        >>> Reading.of(np.array([[0.91, 0.09, 0.0], [0.5, 0.3, 0.2]]))
        Reading(decimals=2, highest=None)
        >>> Reading.of(np.array([[0.912345678, 0.087654322, 0.0], [0.5, 0.0, 0.5]]))
        Reading(decimals=None, highest=2)
        >>> Reading.of(np.array([[4.0, -1.5, 0.25]]))
        Reading(decimals=None, highest=None)
        """
        if not are_probabilities(scores):
            return cls()
        values = scores.astype(np.float64)
        fits = [d for d in range(FINEST + 1) if (np.abs(values - values.round(d)) <= EXACT).all()]
        given = int((values > 0).sum(axis=1).max(initial=0))
        cut = 0 < given < values.shape[1] and not fits  # rounding alone leaves zeros, too
        if fits and given < values.shape[1]:
            # cut if a class was left out that would have been rounded to more than 0: every row gives exactly as many
            counts = (values > 0).sum(axis=1)
            cut = bool((counts == given).all())
        return cls(decimals=fits[0] if fits else None, highest=given if cut else None)

    def table(self, scores: Float[np.ndarray, "... c"]) -> Float[np.ndarray, "... c"]:
        """The table of scores, read this coarsely.

        >>> Reading(decimals=1).table(np.array([[2.0, 0.0, -9.0]])).round(2).tolist()
        [[0.56, 0.23, -0.79]]
        """
        if self == Reading():
            return table(scores)
        return table(self._shares(scores))

    def answers(self, given: Answers) -> Answers:
        """The answers of a model as if it gave its scores this coarsely; of the same labels, each row summing to 1.

        >>> whole = Answers(labels=np.array([0]), scores=np.array([[0.68, 0.29, 0.03]], np.float32))
        >>> Reading(decimals=1).answers(whole).scores.astype(float).round(2).tolist()
        [[0.7, 0.3, 0.0]]
        >>> Reading(highest=1).answers(whole).scores.tolist()
        [[1.0, 0.0, 0.0]]
        """
        if given.scores is None or self == Reading():
            return given
        heard, classes = given.answered, given.scores.shape[1]
        shares = np.full((len(given), classes), np.nan)
        shares[heard] = self._shares(given.scores[heard])
        sums = shares.sum(axis=1, keepdims=True)
        even = np.full_like(shares, 1 / classes)  # of a row in which every class was rounded to 0
        shares = np.divide(shares, sums, out=even, where=~(sums == 0))
        return Answers(labels=given.labels, scores=shares.astype(np.float32))

    def _shares(self, scores: Float[np.ndarray, "... c"]) -> Float[np.ndarray, "... c"]:
        """Probabilities, cut and rounded."""
        shares = (
            scores.astype(np.float64) if are_probabilities(scores) else special.softmax(scores.astype(np.float64), -1)
        )
        if self.highest is not None:
            least = np.sort(shares, axis=-1)[..., -self.highest][..., None]
            shares = np.where(shares >= least, shares, 0.0)
        return shares if self.decimals is None else shares.round(self.decimals)


def hidden_by_coarseness(missing: int) -> str:
    """Why there is no verdict where answers are missing and scores are rounded or cut."""
    return (
        f"{missing} queries were not answered, and the scores are rounded or cut, so that no bound is known of what "
        "the missing ones hide: ask again until every query is answered, or compare labels (--access labels)"
    )


def table(scores: Float[np.ndarray, "... c"]) -> Float[np.ndarray, "... c"]:
    """Logarithms of scores, each row less its mean, at length 1; rows in which all classes are alike are 0.

    A probability of 0 was rounded or cut off, and stands for .0001, or for half the smallest of its row. Scores that
    are no probabilities are taken for logits, of any temperature.

    >>> table(np.array([[2.0, 0.0]])).round(3).tolist(), table(np.array([[0.9, 0.1]])).round(3).tolist()
    ([[0.707, -0.707]], [[0.707, -0.707]])
    """
    logits = scores.astype(np.float64)
    if are_probabilities(scores):
        least = np.where(logits > 0, logits, 1.0).min(axis=-1, keepdims=True)
        logits = np.log(np.where(logits > 0, logits, np.minimum(least / 2, UNSEEN)))
    centred = logits - logits.mean(axis=-1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.where(lengths > FLAT, centred / np.maximum(lengths, FLAT), 0.0)
