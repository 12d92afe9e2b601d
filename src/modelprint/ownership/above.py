"""How far scores lie above where their level begins to count, which makes those of several levels comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MEDIAN = 0.5
PLAINLY = 0.95  # of all models lie below what counts at a level that shows a copy plainly, or says nothing


@dataclass(frozen=True, kw_only=True)
class Column:
    """The scores of the calibration models at one level.

    Attributes:
        resolution: a difference of scores that says nothing.
        counts_from: the share of all models that lie below what counts.
    """

    scores: Float[np.ndarray, " n"]
    resolution: float
    counts_from: float = MEDIAN


def combined_alone(columns: Sequence[Column]) -> Float[np.ndarray, " n"]:
    """The combined score of each calibration model, with no suspect among them."""
    if len(columns) == 1:
        return columns[0].scores
    total = np.zeros(len(columns[0].scores))
    for column in columns:
        total += above(
            -np.inf, column.scores, resolution=column.resolution, counts_from=column.counts_from, exact=True
        )[1]
    return total


def above(
    score: float,
    others: Float[np.ndarray, " n"],
    *,
    resolution: float,
    exact: bool,
    counts_from: float = MEDIAN,
    least_others: Float[np.ndarray, " n"] | None = None,
) -> tuple[float, Float[np.ndarray, " n"]]:
    """How far the suspect and the others lie above an order statistic, over the distance of the quartiles.

    Order statistics rise with every score: where the suspect's is a lower bound, they lie between those with this score
    and those with a score above all others; where the others are bounds, too, between those of the lowest and those of
    the highest.

    Args:
        others: their highest, where they are bounds; `least_others`: their lowest.
        counts_from: the share of all models that lie below this order statistic: .5 for the median. At least one model
            lies above it.
    """
    least = np.sort(np.append(others if least_others is None else least_others, score))
    most = least if exact else np.sort(np.append(others, np.inf))
    last = len(least) - 1
    low, high = last // 4, last - last // 4
    begin = last // 2 if counts_from == MEDIAN else last - max(1, round((1 - counts_from) * last))
    narrow, wide = (max(a[high] - b[low], resolution) for a, b in ((least, most), (most, least)))
    own = max(score - most[begin], 0.0) / wide if np.isfinite([most[begin], wide]).all() else 0.0
    return float(own), np.maximum(others - least[begin], 0.0) / narrow
