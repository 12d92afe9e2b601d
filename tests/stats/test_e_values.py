"""E-values: their mean under exchangeability, what a rank test is among them, and what stopping may not change."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelprint.stats.calibration import rank_p_value
from modelprint.stats.e_values import average, bounds_on_the_way, e_value, e_value_by_kind, tempered


def test_the_mean_over_all_places_of_the_suspect_is_one() -> None:
    """Exchangeability puts the suspect in each place alike: the mean over the n + 1 places is exactly 1."""
    values = np.random.default_rng(0).lognormal(sigma=3.0, size=30)
    means = np.mean([e_value(values[place], np.delete(values, place)) for place in range(30)])
    assert means == pytest.approx(1.0, abs=1e-12)


def test_it_is_at_most_the_number_of_models() -> None:
    assert e_value(1e300, np.zeros(19)) == 20.0
    assert e_value(0.0, np.zeros(19)) == 1.0
    assert e_value(1e308, np.full(9, 1e308)) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
def test_what_is_no_evidence_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        e_value(value, np.ones(3))
    with pytest.raises(ValueError, match="at least 0"):
        e_value(1.0, np.array([1.0, value]))


def test_the_rank_test_is_one_of_them() -> None:
    """f = 1 for the two highest of all 40: E is 20 just where the rank's p-value is at most .05."""
    draw = np.random.default_rng(1)
    for _ in range(200):
        scores = draw.normal(size=40)
        second = np.sort(scores)[-2]
        value = e_value(float(scores[0] >= second), (scores[1:] >= second).astype(float))
        assert (value >= 1 / 0.05) == (rank_p_value(scores[0], scores[1:]) <= 0.05)


def test_tempering_is_the_same_whatever_is_added_to_all_scores() -> None:
    scores = np.array([3.0, -2.0, 0.5])
    one, other = (tempered(each, rate=0.7) for each in (scores, scores + 1000))
    assert e_value(one[0], one[1:]) == pytest.approx(e_value(other[0], other[1:]))
    expected = 3 * np.exp(0.7 * 3) / np.exp(0.7 * scores).sum()
    assert e_value(one[0], one[1:]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="above 0"):
        tempered(scores, rate=0.0)


def test_the_worst_kind_counts_and_small_kinds_do_not() -> None:
    others = np.concatenate([np.full(19, 0.1), np.full(19, 1.0), np.full(5, 50.0)])
    kinds = ["scratch"] * 19 + ["sibling"] * 19 + ["copy"] * 5
    assert e_value_by_kind(20.0, others, kinds, alpha=0.05) == pytest.approx(20 * 20 / 39)
    assert e_value_by_kind(20.0, others[:18], kinds[:18], alpha=0.05) is None


def test_of_a_family_the_largest_counts() -> None:
    others = np.concatenate([np.full(19, 0.1), np.full(19, 0.2)])
    families = [f"model {place}" for place in range(19)] * 2
    assert e_value_by_kind(1.0, others, ["a"] * 38, families=families, alpha=0.05) == pytest.approx(20 / 4.8)


def test_bounds_on_the_way_end_at_the_value_of_the_whole_path() -> None:
    draw = np.random.default_rng(2)
    others = draw.lognormal(size=30)
    path = draw.lognormal(size=12)
    bounds = bounds_on_the_way(path, others)
    assert all(earlier <= later for earlier, later in itertools.pairwise(bounds))
    assert bounds[-1] == pytest.approx(e_value(path.max(), others))


def test_a_mean_of_dependent_values_is_one_and_their_product_is_not() -> None:
    """The same value twice: the mean keeps its mean of 1, the product has the mean of a square."""
    draw = np.random.default_rng(3)
    values = [e_value(row[0], row[1:]) for row in draw.lognormal(size=(4000, 20))]
    assert np.mean([average([one, one]) for one in values]) == pytest.approx(1.0, abs=0.1)
    assert np.mean(np.square(values)) > 2.0
    with pytest.raises(ValueError, match="one e-value"):
        average([])
