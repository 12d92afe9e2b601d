"""Between which scores lie, where answers are missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class ScoreBounds:
    """The lowest and the highest score that each model could have, whatever the missing answers would have been."""

    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]
