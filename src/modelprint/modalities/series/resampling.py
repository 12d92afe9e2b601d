"""Series at another rate, and of another length."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from jaxtyping import Float

FINEST = 4096  # the largest denominator of a ratio of rates


def resampled(series: Float[np.ndarray, "... length"], rate: float, wanted: float) -> Float[np.ndarray, "... length2"]:
    """Series at another rate, by a polyphase filter that keeps what both rates can carry.

    >>> resampled(np.ones((1, 80)), 8000, 4000).shape
    (1, 40)
    """
    from scipy import signal

    if rate == wanted:
        return series
    ratio = Fraction(wanted / rate).limit_denominator(FINEST)
    changed: np.ndarray = signal.resample_poly(
        series.astype(np.float64), ratio.numerator, ratio.denominator, axis=-1, padtype="line"
    )
    return changed.astype(series.dtype)


def of_length(series: Float[np.ndarray, "... length"], wanted: int) -> Float[np.ndarray, "... wanted"]:
    """Series cut at their end, or with zeros added there.

    >>> of_length(np.ones((1, 2)), 3).tolist(), of_length(np.ones((1, 2)), 1).tolist()
    ([[1.0, 1.0, 0.0]], [[1.0]])
    """
    missing = max(0, wanted - series.shape[-1])
    return np.pad(series, [(0, 0)] * (series.ndim - 1) + [(0, missing)])[..., :wanted]
