"""Queries that belong together two by two: an input, and a twin of it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import Answers


def interleaved(first: Shaped[np.ndarray, "p ..."], second: Shaped[np.ndarray, "p ..."]) -> Shaped[np.ndarray, "n ..."]:
    """Each input, followed by its twin.

    >>> interleaved(np.array([1, 2]), np.array([5, 6])).tolist()
    [1, 5, 2, 6]
    """
    together: np.ndarray = np.stack([first, second], axis=1).reshape(2 * len(first), *first.shape[1:])
    return together


def answered_pairs(group: Int[np.ndarray, " n"], source: Answers, answers: Answers) -> Int[np.ndarray, "p 2"]:
    """The numbers of the two queries of each pair that was answered whole.

    Args:
        group: which pair each query belongs to; the queries of a pair follow each other.

    Raises:
        UnscorableError: there is none.
    """
    return asked_pairs(group, source, answers, np.zeros(len(group), dtype=bool))


def asked_pairs(
    group: Int[np.ndarray, " n"], source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]
) -> Int[np.ndarray, "p 2"]:
    """The numbers of the two queries of each pair that was asked whole.

    Args:
        missing: queries that were asked and not answered.

    Raises:
        UnscorableError: there is none.
    """
    asked = (answers.answered | missing) & source.answered
    first = np.flatnonzero(group[1:] == group[:-1])
    whole: Int[np.ndarray, " p"] = first[asked[first] & asked[first + 1]]
    if not len(whole):
        raise UnscorableError(f"no pair of {len(first)} was answered whole: ask both queries of each")
    return np.stack([whole, whole + 1], axis=1)


def pair_distances(shares: Float[np.ndarray, "n c"], pairs: Int[np.ndarray, "p 2"]) -> Float[np.ndarray, " p"]:
    """D(y, y') = 1 - cos(y, y') of the answers to each pair, in [0, 1].

    >>> pair_distances(np.eye(2)[[0, 0, 1]], np.array([[0, 1], [1, 2]])).tolist()
    [0.0, 1.0]
    """
    one, other = shares[pairs[:, 0]], shares[pairs[:, 1]]
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    distances: Float[np.ndarray, " p"] = np.clip(1 - (one * other).sum(axis=1) / lengths, 0.0, 1.0)
    return distances
