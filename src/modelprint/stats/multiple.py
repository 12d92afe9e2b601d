"""Many tests at once: p-values adjusted so that any false rejection among them stays as rare as one alone."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

_DECIMALS = 12  # p-values are ranks over n + 1: 3 x 1/60 is .05, which floats miss


def holm(p_values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Adjusted p-values: rejecting those of at most alpha keeps the chance of any false rejection at most alpha.

    Step down: the j-th smallest of k is multiplied by k - j + 1, and none is smaller than the one before. Valid however
    the tests depend on each other (Holm, Scandinavian Journal of Statistics, 1979).

    >>> holm(np.array([0.04, 0.01, 0.5])).tolist()
    [0.08, 0.03, 0.5]

    Raises:
        ValueError: no vector, or values that are not in (0, 1].
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not ((p_values > 0) & (p_values <= 1)).all():
        raise ValueError(f"expected p-values in (0, 1], of shape (k,), got {p_values}")
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.maximum.accumulate(np.minimum(p_values[order] * factors, 1.0))
    return adjusted.round(_DECIMALS)


def needed_models_of(owners: int, alpha: float) -> int:
    """The fewest calibration models with which a rank p-value, times the owners, reaches alpha: ceil(k / alpha) - 1.

    >>> needed_models_of(1, 0.05), needed_models_of(3, 0.05), needed_models_of(20, 0.01)
    (19, 59, 1999)

    Raises:
        ValueError: no owner, or alpha is not between 0 and 1.
    """
    if owners < 1 or not 0 < alpha < 1:
        raise ValueError(f"expected one owner or more and alpha between 0 and 1, got {owners} and {alpha}")
    count = max(0, int(owners / alpha) - 2)
    while round(owners / (count + 1), _DECIMALS) > alpha:
        count += 1
    return count
