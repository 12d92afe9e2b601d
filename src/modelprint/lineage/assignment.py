"""One-to-one matches of channels from a table of likenesses."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

EXACT_UP_TO = 1024  # channels; above, mutual best matches are settled first


def best_match(likeness: Float[np.ndarray, "ours theirs"]) -> Int[np.ndarray, " ours"]:
    """For each of ours the one of theirs that it is matched with, -1 for none; the sum of likenesses is largest.

    Tables of more than 1,024 rows: pairs that are each other's best are settled first, and only the rest is assigned;
    if that still is too large, it is matched in the order given. Copies have mutual best matches nearly throughout, so
    that this changes nothing for them, and for others no more is lost than a likeness that chance made.

    >>> best_match(np.array([[0.1, 0.9], [0.8, 0.7], [0.2, 0.3]])).tolist()
    [1, 0, -1]
    """
    from scipy.optimize import linear_sum_assignment

    match = np.full(likeness.shape[0], -1, dtype=np.int64)
    if max(likeness.shape) <= EXACT_UP_TO:
        rows, columns = linear_sum_assignment(likeness, maximize=True)
        match[rows] = columns
        return match
    forth, back = likeness.argmax(1), _argmax_columns(likeness)
    mutual = back[forth] == np.arange(len(match))
    match[mutual] = forth[mutual]
    ours = np.flatnonzero(~mutual)
    theirs = np.setdiff1d(np.arange(likeness.shape[1]), match[mutual])
    if max(len(ours), len(theirs)) <= EXACT_UP_TO:
        rows, columns = linear_sum_assignment(likeness[np.ix_(ours, theirs)], maximize=True)
        match[ours[rows]] = theirs[columns]
    else:
        count = min(len(ours), len(theirs))
        match[ours[:count]] = theirs[:count]
    return match


def _argmax_columns(likeness: Float[np.ndarray, "ours theirs"]) -> Int[np.ndarray, " theirs"]:
    """The first of ours that each of theirs is likest to: argmax(0), row by row as the table lies in memory."""
    highest, best = likeness[0].copy(), np.zeros(likeness.shape[1], dtype=np.int64)
    for place, row in enumerate(likeness):
        higher = row > highest
        highest[higher] = row[higher]
        best[higher] = place
    return best
