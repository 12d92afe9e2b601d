"""The ends of an axis of scores."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float


def score_domain(scores: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The ends of a score axis: 0 to 1 for scores that lie there, else what holds all of them.

    >>> score_domain(np.array([0.2, 1.001])), score_domain(np.array([-3.0, 1.0]))
    ((0.0, 1.0), (-3.2, 1.2))
    """
    low, high = float(scores.min(initial=0.0)), float(scores.max(initial=0.0))
    if low >= 0 and 0.2 <= high <= 1.01:
        return 0.0, 1.0
    room = 0.05 * (high - low) or 0.5
    return low - room, high + room


def close_domain(scores: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The ends of a score axis, without the part from 0 on where it holds no scores and is the larger part.

    >>> close_domain(np.array([0.82, 0.99])), close_domain(np.array([0.2, 0.99]))
    ((0.8, 1.0), (0.0, 1.0))
    """
    low, high = score_domain(scores)
    least = math.floor(20 * float(scores.min(initial=high))) / 20
    return (least, high) if (low, high) == (0.0, 1.0) and least >= 0.5 else (low, high)
