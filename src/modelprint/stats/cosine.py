"""The cosine of two vectors, rounded so that it is 1 of a vector with itself."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

PLACES = 12


def cosine(one: Float[np.ndarray, " p"], other: Float[np.ndarray, " p"]) -> float:
    """The cosine of two vectors, in [-1, 1]; 0 where either is 0.

    >>> cosine(np.array([1.0, 0.0]), np.array([3.0, 4.0])), cosine(np.zeros(2), np.ones(2))
    (0.6, 0.0)
    """
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return 0.0 if lengths == 0 else round(float(np.clip(one @ other / lengths, -1.0, 1.0)), PLACES)


def at_most(bound: float, *, least: float) -> float:
    """A lower bound of a cosine, rounded so that no rounded cosine that it bounds is below it.

    Args:
        least: the end of the range, 0 or -1.

    >>> at_most(0.5, least=0.0)
    0.499999999999
    """
    return round(float(np.clip(bound - 10.0**-PLACES, least, 1.0)), PLACES)
