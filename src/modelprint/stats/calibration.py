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
    """
    return float((1 + np.count_nonzero(np.asarray(calibration) >= score)) / (len(calibration) + 1))


def threshold(calibration: Float[np.ndarray, " n"], alpha: float) -> float | None:
    """The score to exceed: the j-th largest calibration score, j = floor(alpha (n + 1)); None when j is 0.

    A score above it is the same as a rank p-value of at most alpha.

    >>> threshold(np.linspace(0, 1, 19), 0.05)
    1.0
    >>> threshold(np.linspace(0, 1, 18), 0.05) is None
    True
    """
    rank = math.floor(alpha * (len(calibration) + 1) + 1e-9)
    return float(np.sort(calibration)[-rank]) if rank else None


def needed_models(alpha: float) -> int:
    """The fewest calibration models with which a p-value can be as small as alpha: 1/alpha - 1, rounded up.

    >>> needed_models(0.05), needed_models(0.01)
    (19, 99)
    """
    return math.ceil(1 / alpha - 1 - 1e-9)


def upper_bound(count: int, n: int, *, level: float = 0.95) -> float:
    """The one-sided Clopper-Pearson bound: the largest rate under which so few events still happen with 1 - level.

    >>> round(upper_bound(0, 100), 4), round(upper_bound(0, 20), 3)
    (0.0295, 0.139)
    """
    if count >= n:
        return 1.0
    return float(scipy_stats.beta.ppf(level, count + 1, n - count))
