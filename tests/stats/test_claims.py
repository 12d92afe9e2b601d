"""Welch's test against scipy, its edges, and what it does where views are not independent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelprint.stats.calibration import rank_p_value
from modelprint.stats.claims import claimed_confidence, confidence_by_count, welch_p_value

VALUES = st.lists(st.floats(0, 1).map(lambda value: round(value, 3)), min_size=2, max_size=30)


@given(VALUES, VALUES)
def test_it_is_scipys_welch_test(suspect: list[float], independent: list[float]) -> None:
    one, other = np.array(suspect), np.array(independent)
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return  # scipy warns of lost precision there; below
    expected = stats.ttest_ind(one, other, equal_var=False, alternative="greater").pvalue
    assert welch_p_value(one, other) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_one_side_may_have_no_variance() -> None:
    one, other = np.full(20, 0.9), np.array([0.1, 0.2, 0.3])
    spread = other.std(ddof=1) / 3**0.5
    assert welch_p_value(one, other) == pytest.approx(stats.t.sf((0.9 - 0.2) / spread, 2))


@pytest.mark.parametrize(("suspect", "p"), [(0.9, 0.0), (0.5, 1.0), (0.1, 1.0)])
def test_without_any_variance_the_difference_decides(suspect: float, p: float) -> None:
    assert welch_p_value(np.full(5, suspect), np.full(7, 0.5)) == p


@pytest.mark.parametrize("bad", [np.array([0.5]), np.array([0.5, np.nan])])
def test_too_few_views_or_nan_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two suspect similarities"):
        welch_p_value(bad, np.array([0.1, 0.2]))


def test_confidence_grows_with_the_number_of_views() -> None:
    generator = np.random.default_rng(0)
    independent, suspect = generator.normal(0.2, 0.1, size=(30, 100)), generator.normal(0.25, 0.1, size=100)
    found = confidence_by_count(suspect, independent, (2, 20, 100))
    assert found[0] < found[1] < found[2]
    assert found[2] > 0.999
    assert found[1] == claimed_confidence(suspect[:20], independent[:, :20].reshape(-1))


def test_one_view_is_a_new_observation_among_the_calibration_models() -> None:
    independent = np.array([[0.1], [0.3], [0.2]])
    t = (0.5 - 0.2) / (0.1 * (4 / 3) ** 0.5)
    assert confidence_by_count(np.array([0.5]), independent, (1,))[0] == pytest.approx(stats.t.cdf(t, 2))
    assert confidence_by_count(np.array([0.5]), np.full((3, 1), 0.5), (1,))[0] == 0.0


@pytest.mark.parametrize("counts", [(0,), (6,)])
def test_counts_that_are_not_there_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="counts from 1 to 5"):
        confidence_by_count(np.zeros(5), np.zeros((3, 5)), counts)


def test_where_views_share_their_model_it_accuses_far_more_often_than_it_says() -> None:
    """Innocent models whose views share an offset: nominal 5 %, the test over views accuses many, the rank does not."""
    generator = np.random.default_rng(1)
    offsets = generator.normal(0.3, 0.1, size=(240, 1))
    views = offsets + generator.normal(0, 0.02, size=(240, 20))
    calibration, innocent = views[:40], views[40:]
    accused = np.mean([claimed_confidence(model, calibration.reshape(-1)) > 0.95 for model in innocent])
    ranked = np.mean([rank_p_value(model.mean(), calibration.mean(1)) <= 0.05 for model in innocent])
    assert accused > 0.3
    assert ranked < 0.1
