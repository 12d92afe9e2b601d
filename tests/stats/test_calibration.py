"""The threshold and the p-value are one rule; the bound is scipy's, and holds for thresholds set by the same models."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from modelprint.stats.calibration import needed_models, rank_p_value, threshold, upper_bound

values = st.one_of(st.integers(0, 5).map(lambda k: k / 5), st.floats(-1e6, 1e6))
calibrations = st.lists(values, max_size=120).map(np.array)
round_alphas = st.integers(1, 999).map(lambda k: k / 1000)
alphas = st.one_of(round_alphas, st.floats(1e-6, 1, exclude_max=True))


@given(calibrations, values, alphas)
@example(np.zeros(19), 0.5, 0.05)
@example(np.arange(99.0), 71.0, 0.29)
@example(np.zeros(19), 0.5, float(np.nextafter(0.05, 0)))
@example(np.zeros(3), 0.5, float(np.nextafter(1, 0)))
def test_above_the_threshold_is_the_same_as_a_p_value_of_at_most_alpha(calibration, score, alpha):
    limit = threshold(calibration, alpha)
    accused = limit is not None and score > limit
    assert accused == (rank_p_value(score, calibration) <= alpha)


@given(calibrations, st.integers(0, 119), alphas)
def test_the_rule_holds_at_scores_that_equal_a_calibration_score(calibration, index, alpha):
    if index < len(calibration):
        limit = threshold(calibration, alpha)
        score = float(calibration[index])
        assert (limit is not None and score > limit) == (rank_p_value(score, calibration) <= alpha)


@given(st.integers(0, 200), alphas)
def test_a_threshold_exists_from_the_needed_number_on(n, alpha):
    assert (threshold(np.arange(float(n)), alpha) is None) == (n < needed_models(alpha))


@given(calibrations, values)
def test_the_p_value_is_never_zero_and_never_above_one(calibration, score):
    assert 1 / (len(calibration) + 1) <= rank_p_value(score, calibration) <= 1


def test_innocent_models_are_accused_no_more_often_than_alpha():
    draw = np.random.default_rng(5)
    scores = draw.normal(size=(20_000, 40))
    accused = np.mean([rank_p_value(row[0], row[1:]) <= 0.05 for row in scores])
    assert stats.binomtest(int(accused * 20_000), 20_000, 0.05).pvalue > 0.001


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bound_is_scipys_one_sided_clopper_pearson(count_of):
    count, n = count_of
    expected = stats.binomtest(count, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert upper_bound(count, n) == pytest.approx(expected, abs=1e-9)


def test_the_bound_covers_thresholds_that_the_same_models_set():
    draw = np.random.default_rng(6)
    limits = np.array([threshold(row, 0.1) for row in draw.uniform(size=(4000, 29))])  # the 3rd largest of 29
    covered = np.mean(1 - limits <= upper_bound(2, 29))  # of uniform scores, 1 - limit lie above the limit
    assert stats.binomtest(int(covered * 4000), 4000, 0.95).pvalue > 0.001


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 5.0, float("nan")])
def test_an_alpha_that_is_no_rate_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        threshold(np.zeros(30), alpha)
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        needed_models(alpha)


def test_nan_never_accuses():
    with pytest.raises(ValueError, match="score is NaN"):
        rank_p_value(float("nan"), np.zeros(30))
    with pytest.raises(ValueError, match="1 of 2 calibration scores are NaN"):
        rank_p_value(0.5, np.array([0.1, np.nan]))
    with pytest.raises(ValueError, match="1 of 2 calibration scores are NaN"):
        threshold(np.array([0.1, np.nan]), 0.5)


@pytest.mark.parametrize(("count", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_the_bound_refuses_what_is_no_rate(count, n):
    with pytest.raises(ValueError, match=f"got {count} of {n}"):
        upper_bound(count, n)
