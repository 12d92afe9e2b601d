"""How far scores lie above the median of all that are ranked, which makes those of several levels comparable."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def combined_alone(columns: Sequence[tuple[Float[np.ndarray, " n"], float]]) -> Float[np.ndarray, " n"]:
    """The combined score of each calibration model, with no suspect among them.

    Args:
        columns: the scores at each level, and a difference of them that says nothing.
    """
    if len(columns) == 1:
        return columns[0][0]
    total = np.zeros(len(columns[0][0]))
    for column, resolution in columns:
        total += above(-np.inf, column, resolution=resolution, exact=True)[1]
    return total


def above(
    score: float,
    others: Float[np.ndarray, " n"],
    *,
    resolution: float,
    exact: bool,
    least_others: Float[np.ndarray, " n"] | None = None,
) -> tuple[float, Float[np.ndarray, " n"]]:
    """How far the suspect and the others lie above the median, over the distance of the quartiles.

    Order statistics rise with every score: where the suspect's is a lower bound, they lie between those with this score
    and those with a score above all others; where the others are bounds, too, between those of the lowest and those of
    the highest.

    Args:
        others: their highest, where they are bounds; `least_others`: their lowest.
    """
    least = np.sort(np.append(others if least_others is None else least_others, score))
    most = least if exact else np.sort(np.append(others, np.inf))
    last = len(least) - 1
    low, middle, high = last // 4, last // 2, last - last // 4
    narrow, wide = (max(a[high] - b[low], resolution) for a, b in ((least, most), (most, least)))
    own = max(score - most[middle], 0.0) / wide if np.isfinite([most[middle], wide]).all() else 0.0
    return float(own), np.maximum(others - least[middle], 0.0) / narrow
