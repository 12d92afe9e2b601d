"""Intervals: how far a rate, or a statistic of two groups of models, may be from what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import special


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Both ends, low <= high."""

    low: float
    high: float

    @property
    def degenerate(self) -> bool:
        """Whether it says nothing: both ends are the same."""
        return self.low == self.high


def clopper_pearson(count: int, n: int, *, level: float = 0.95) -> Interval:
    """The exact two-sided interval of a rate of `count` in `n` (Clopper and Pearson, Biometrika 1934).

    >>> interval = clopper_pearson(8, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.444, 0.975)

    Raises:
        ValueError: not 0 <= count <= n with n >= 1, or a level outside (0, 1).
    """
    if not (n >= 1 and 0 <= count <= n):
        raise ValueError(f"expected 0 <= count <= n and n >= 1, got {count} of {n}")
    _check_level(level)
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(special.betaincinv(count, n - count + 1, tail))
    high = 1.0 if count == n else float(special.betaincinv(count + 1, n - count, 1 - tail))
    return Interval(low=low, high=high)


Statistic = Callable[[np.ndarray, np.ndarray], float]


def bootstrap(
    derived: Float[np.ndarray, " d"],
    independent: Float[np.ndarray, " i"],
    statistic: Statistic,
    *,
    generator: np.random.Generator,
    resamples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of a statistic over models drawn again, with replacement, within each group.

    Where the groups do not overlap every draw gives the same AUC: the interval is then degenerate, which says that
    drawing again cannot tell, not that the figure is certain.

    Args:
        statistic: of (derived, independent) scores, such as `auc`.

    >>> from modelprint.stats.roc import auc
    >>> bootstrap(np.array([2.0, 3.0]), np.array([0.0, 1.0]), auc, generator=np.random.default_rng(0)).degenerate
    True

    Raises:
        ValueError: no models on one side, fewer than one resample, or a level outside (0, 1).
    """
    if not (len(derived) and len(independent)):
        raise ValueError(f"expected models on both sides, got {len(derived)} derived, {len(independent)} independent")
    if resamples < 1:
        raise ValueError(f"expected one resample or more, got {resamples}")
    _check_level(level)
    values = [
        statistic(
            derived[generator.integers(len(derived), size=len(derived))],
            independent[generator.integers(len(independent), size=len(independent))],
        )
        for _ in range(resamples)
    ]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high))


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
