"""The cosine against scipy, and rounding that never lifts a bound above what it bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance

from modelprint.stats.cosine import at_most, cosine


def test_it_is_scipy_s() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        one, other = draw.normal(size=(2, 7))
        assert cosine(one, other) == pytest.approx(1 - distance.cosine(one, other))
        assert cosine(one, one * 3) == 1.0
        assert at_most(1 - distance.cosine(one, other), least=-1.0) < cosine(one, other)


def test_a_bound_stays_in_range() -> None:
    assert at_most(0.0, least=0.0) == 0.0
    assert at_most(-1.0, least=-1.0) == -1.0
