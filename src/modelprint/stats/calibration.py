"""From a score to a p-value: the rank of a suspect among independent models that took no part in the fingerprint."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy import stats as scipy_stats


def rank_p_value(score: float, calibration: Float[np.ndarray, " n"]) -> float:
    """How often an innocent model scores this high: (1 + #{calibration >= score}) / (n + 1), never 0.

    Valid if the calibration models are exchangeable with an accused innocent model.

    >>> rank_p_value(0.9, np.array([0.1, 0.2, 0.9]))
    0.5

    Raises:
        ValueError: a score is NaN, which compares as lower than everything and would accuse.
    """
    calibration = _checked(calibration)
    if np.isnan(score):
        raise ValueError("the score is NaN: a suspect that could not be scored has no p-value")
    return float((1 + np.count_nonzero(calibration >= score)) / (len(calibration) + 1))


def threshold(calibration: Float[np.ndarray, " n"], alpha: float) -> float | None:
    """The score to exceed: the j-th largest calibration score, j = floor(alpha (n + 1)); None when j is 0.

    A score above it is the same as a rank p-value of at most alpha: j is the largest rank whose p-value j / (n + 1),
    as a float, is at most alpha.

    >>> threshold(np.linspace(0, 1, 19), 0.05)
    1.0
    >>> threshold(np.linspace(0, 1, 18), 0.05) is None
    True

    Raises:
        ValueError: a score is NaN, or alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    ordered = np.sort(_checked(calibration))
    p_values = np.arange(1, len(ordered) + 1) / (len(ordered) + 1)
    rank = int(np.searchsorted(p_values, alpha, side="right"))
    return float(ordered[-rank]) if rank else None


def needed_models(alpha: float) -> int:
    """The fewest calibration models with which a p-value can be as small as alpha: 1/alpha - 1, rounded up.

    >>> needed_models(0.05), needed_models(0.01)
    (19, 99)

    Raises:
        ValueError: alpha is not between 0 and 1.
    """
    _check_alpha(alpha)
    count = max(0, math.floor(1 / alpha) - 2)
    while 1 / (count + 1) > alpha:
        count += 1
    return count


def upper_bound(count: int, n: int, *, level: float = 0.95) -> float:
    """The one-sided Clopper-Pearson bound: the largest rate under which so few events still happen with 1 - level.

    It holds for `count` calibration models above a threshold that these same models set, too: the rate of innocent
    models above the j-th largest of n scores is Beta(j, n - j + 1), whose quantile this is (Wilks, Ann. Math. Stat.
    1941); ties make it smaller.

    >>> round(upper_bound(0, 100), 4), round(upper_bound(0, 20), 3)
    (0.0295, 0.139)

    Raises:
        ValueError: not 0 <= count <= n with n >= 1.
    """
    if not (n >= 1 and 0 <= count <= n):
        raise ValueError(f"expected 0 <= count <= n and n >= 1, got {count} of {n}")
    if count == n:
        return 1.0
    return float(scipy_stats.beta.ppf(level, count + 1, n - count))


def _checked(calibration: np.ndarray) -> np.ndarray:
    calibration = np.asarray(calibration, dtype=np.float64)
    if np.isnan(calibration).any():
        raise ValueError(
            f"{np.isnan(calibration).sum()} of {len(calibration)} calibration scores are NaN: leave them out"
        )
    return calibration


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
