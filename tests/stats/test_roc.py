"""Against scikit-learn, on scores with many ties and with none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from modelprint.stats.roc import auc, best_f1, f1_at, roc_curve, tpr_at_fpr

tied = st.integers(0, 6).map(lambda value: value / 6)
scores = st.lists(st.one_of(tied, st.floats(-10, 10)), min_size=1, max_size=30).map(np.array)


def labelled(derived, independent):
    return np.repeat([1, 0], [len(derived), len(independent)]), np.concatenate([derived, independent])


@given(scores, scores)
def test_auc_is_scikit_learns(derived, independent):
    assert auc(derived, independent) == pytest.approx(metrics.roc_auc_score(*labelled(derived, independent)))


@given(scores, scores)
def test_auc_is_symmetric(derived, independent):
    assert auc(derived, independent) + auc(independent, derived) == pytest.approx(1)


@given(scores, scores)
def test_curve_is_scikit_learns(derived, independent):
    curve = roc_curve(derived, independent)
    fpr, tpr, thresholds = metrics.roc_curve(*labelled(derived, independent), drop_intermediate=False)
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr)
    np.testing.assert_array_equal(curve.thresholds, thresholds)
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(auc(derived, independent))


@given(scores, scores, st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))
def test_tpr_at_fpr_is_the_best_threshold_by_brute_force(derived, independent, fpr):
    thresholds = [np.inf, *derived, *independent]
    allowed = [(derived >= t).mean() for t in thresholds if (independent >= t).mean() <= fpr]
    assert tpr_at_fpr(derived, independent, fpr=fpr) == pytest.approx(max(allowed))


def test_few_independents_make_one_percent_mean_no_false_positive():
    derived, independent = np.array([0.9, 0.8, 0.3]), np.linspace(0, 0.5, 99)
    assert tpr_at_fpr(derived, independent, fpr=0.01) == tpr_at_fpr(derived, independent, fpr=0) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("n", "percent"), [(100, 1), (100, 7), (10, 10), (100, 29)])
def test_a_rate_of_exactly_fpr_is_allowed(n, percent):
    independent = np.arange(float(n))
    allowed = n * percent // 100
    derived = np.array([n - allowed - 0.5, n - allowed - 1.5])  # above the last allowed, below the next
    assert tpr_at_fpr(derived, independent, fpr=percent / 100) == 0.5


@given(scores, scores, st.one_of(tied, st.floats(-10, 10)))
def test_f1_at_a_threshold_is_scikit_learns(derived, independent, threshold):
    truth, values = labelled(derived, independent)
    expected = metrics.f1_score(truth, values > threshold, zero_division=0)
    assert f1_at(derived, independent, threshold=threshold) == pytest.approx(expected)


@given(scores, scores)
def test_best_f1_is_the_top_of_scikit_learns_precision_recall_curve(derived, independent):
    precision, recall, _ = metrics.precision_recall_curve(*labelled(derived, independent))
    expected = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    assert best_f1(derived, independent) == pytest.approx(expected)


@pytest.mark.parametrize("statistic", [auc, roc_curve, best_f1])
def test_unusable_scores_are_refused_by_name(statistic):
    good = np.array([0.1, 0.2])
    with pytest.raises(ValueError, match="one derived model or more"):
        statistic(np.array([]), good)
    with pytest.raises(ValueError, match="1 of 2 independent scores are NaN"):
        statistic(good, np.array([0.1, np.nan]))


def test_a_rate_outside_the_unit_interval_is_refused():
    with pytest.raises(ValueError, match=r"got 10\b"):
        tpr_at_fpr(np.array([1.0]), np.array([0.0]), fpr=10)
