"""How alike the labels of models are: one model against many at once, labels alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def hamming_distance(source: Int[np.ndarray, " n"], answers: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """The share of queries on which each of m models answers otherwise than the source.

    >>> hamming_distance(np.array([1, 2]), np.array([[1, 2], [1, 0]])).tolist()
    [0.0, 0.5]

    Raises:
        ValueError: no queries, or shapes that do not fit.
    """
    source, answers = _checked(source, answers)
    distance: np.ndarray = (answers != source).mean(axis=1)
    return distance


def entropy(labels: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """The entropy of the labels in each row, as they occur, in bits: the sum of -p log2 p.

    >>> entropy(np.array([[3, 3, 3, 3], [0, 0, 7, 7]])).tolist()
    [0.0, 1.0]

    Raises:
        ValueError: not a matrix with a column.
    """
    counts, row = _counts(labels)
    rows, n = np.shape(labels)
    weighed = np.bincount(row, weights=counts * np.log2(counts), minlength=rows)
    bits: np.ndarray = np.maximum(np.log2(n) - weighed / n, 0.0)
    return bits


def rand_index(source: Int[np.ndarray, " n"], answers: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """The share of pairs of queries that each of m models, as the source, answers alike, or, as the source, unlike.

    W. M. Rand, "Objective criteria for the evaluation of clustering methods", JASA 66, 1971. 1 minus the distance of
    the correlation matrices of hard labels (Guan et al., SAC, 2022), but for a factor.

    >>> rand_index(np.array([0, 0, 1]), np.array([[5, 5, 2], [1, 1, 1]])).round(3).tolist()
    [1.0, 0.333]

    Raises:
        ValueError: fewer than two queries, or shapes that do not fit.
    """
    source, answers = _checked(source, answers)
    n = len(source)
    if n < 2:
        raise ValueError("one query makes no pair: ask two or more")
    own, theirs, both = (_alike(labels) for labels in (source[None], answers, _pairs(source, answers)))
    unlike = own + theirs - 2 * both  # pairs that are alike to one of the two only
    index: np.ndarray = 1 - unlike / (n * (n - 1))
    return index


def _alike(labels: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """How many ordered pairs of different queries bear the same label, in each row."""
    counts, row = _counts(labels)
    return np.bincount(row, weights=counts * (counts - 1.0), minlength=len(labels))


def _counts(labels: Int[np.ndarray, "m n"]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """How often each label occurs in its row, and the row."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.shape[1]:
        raise ValueError(f"expected labels of shape (m, n), n of 1 or more, got {labels.shape}")
    ordered = np.sort(labels, axis=1)
    begins = np.ones(ordered.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(begins)
    return np.diff(starts, append=ordered.size), starts // labels.shape[1]


def _pairs(source: Int[np.ndarray, " n"], answers: Int[np.ndarray, "m n"]) -> Int[np.ndarray, "m n"]:
    """One number for each pair of labels."""
    wide = answers.astype(np.int64)
    low, high = wide.min(initial=0), wide.max(initial=0)
    pairs: np.ndarray = source.astype(np.int64) * (high - low + 1) + (wide - low)
    return pairs


def information_distance(source: Int[np.ndarray, " n"], answers: Int[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
    """D(u, v) = 1 - I(u; v) / min(H(u), H(v)), in [0, 1], of the source's labels and those of each of m models.

    0 where one tells the other, 1 where they are independent as they occur, or where either is constant, which shows
    nothing (Maho, Furon and Le Merrer, FBI, 2023).

    >>> information_distance(np.array([0, 0, 1, 1]), np.array([[5, 5, 2, 2], [0, 1, 0, 1], [0, 0, 0, 0]])).tolist()
    [0.0, 1.0, 1.0]

    Raises:
        ValueError: no queries, or shapes that do not fit.
    """
    source, answers = _checked(source, answers)
    own, theirs = entropy(source[None])[0], entropy(answers)
    shared = own + theirs - entropy(_pairs(source, answers))  # I(u; v) = H(u) + H(v) - H(u, v)
    least = np.minimum(own, theirs)
    distance: np.ndarray = 1 - np.divide(shared, least, out=np.zeros_like(shared), where=least > 0)
    return distance.clip(0.0, 1.0)


def _checked(source: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source, answers = np.asarray(source), np.asarray(answers)
    if source.ndim != 1 or answers.ndim != 2 or not len(source) or answers.shape[1] != len(source):
        raise ValueError(f"expected labels (n,) and (m, n), n of 1 or more, got {source.shape} and {answers.shape}")
    return source, answers
