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
    labels = np.asarray(labels)
    if labels.ndim != 2 or not labels.shape[1]:
        raise ValueError(f"expected labels of shape (m, n), n of 1 or more, got {labels.shape}")
    rows, n = labels.shape
    ordered = np.sort(labels, axis=1)
    begins = np.ones(ordered.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(begins)
    counts = np.diff(starts, append=ordered.size)  # how often each label occurs in its row
    weighed = np.bincount(starts // n, weights=counts * np.log2(counts), minlength=rows)
    bits: np.ndarray = np.maximum(np.log2(n) - weighed / n, 0.0)
    return bits


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
    wide = answers.astype(np.int64)
    low, high = wide.min(initial=0), wide.max(initial=0)
    pairs = source.astype(np.int64) * (high - low + 1) + (wide - low)  # one number for each pair of labels
    shared = own + theirs - entropy(pairs)  # I(u; v) = H(u) + H(v) - H(u, v)
    least = np.minimum(own, theirs)
    distance: np.ndarray = 1 - np.divide(shared, least, out=np.zeros_like(shared), where=least > 0)
    return distance.clip(0.0, 1.0)


def _checked(source: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source, answers = np.asarray(source), np.asarray(answers)
    if source.ndim != 1 or answers.ndim != 2 or not len(source) or answers.shape[1] != len(source):
        raise ValueError(f"expected labels (n,) and (m, n), n of 1 or more, got {source.shape} and {answers.shape}")
    return source, answers
