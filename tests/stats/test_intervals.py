"""Against scipy's exact binomial interval and its bootstrap."""

from inspect import signature

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from modelprint.stats.intervals import bootstrap, clopper_pearson
from modelprint.stats.roc import auc, tpr_at_fpr

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_is_scipys_exact_interval(count_of, level):
    count, n = count_of
    interval = clopper_pearson(count, n, level=level)
    expected = stats.binomtest(count, n).proportion_ci(level, method="exact")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert interval.low <= count / n <= interval.high


@pytest.mark.parametrize(("count", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (0, 0, 0.95), (1, 5, 1.0), (1, 5, 95)])
def test_clopper_pearson_refuses_what_is_no_rate(count, n, level):
    with pytest.raises(ValueError, match=r"got"):
        clopper_pearson(count, n, level=level)


@pytest.mark.parametrize("statistic", [auc, lambda d, i: tpr_at_fpr(d, i, fpr=0.1)])
def test_bootstrap_agrees_with_scipys_percentile_interval(statistic):
    draw = np.random.default_rng(1)
    derived, independent = draw.normal(1, 1, 40), draw.normal(0, 1, 60)
    ours = bootstrap(derived, independent, statistic, generator=np.random.default_rng(2), resamples=3000)
    seeded = {"rng" if "rng" in signature(stats.bootstrap).parameters else "random_state": draw}  # before scipy 1.15
    theirs = stats.bootstrap(
        (derived, independent), statistic, n_resamples=3000, vectorized=False, method="percentile", **seeded
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.03)


def test_bootstrap_covers_the_closed_form_of_a_mean_difference():
    draw = np.random.default_rng(3)
    derived, independent = draw.normal(5, 2, 400), draw.normal(3, 1, 300)
    error = np.sqrt(derived.var() / 400 + independent.var() / 300)
    ours = bootstrap(derived, independent, lambda d, i: d.mean() - i.mean(), generator=draw, resamples=4000)
    centre = derived.mean() - independent.mean()
    assert (ours.low, ours.high) == pytest.approx((centre - 1.96 * error, centre + 1.96 * error), abs=0.1 * error)


def test_bootstrap_takes_its_randomness_from_the_generator_alone():
    derived, independent = np.linspace(0.3, 1, 8), np.linspace(0, 0.6, 6)
    one, two = (bootstrap(derived, independent, auc, generator=np.random.default_rng(7)) for _ in range(2))
    assert one == two
    assert not one.degenerate


def test_bootstrap_refuses_an_empty_side_and_no_resamples():
    some, generator = np.array([0.5]), np.random.default_rng(0)
    with pytest.raises(ValueError, match="1 derived, 0 independent"):
        bootstrap(some, np.array([]), auc, generator=generator)
    with pytest.raises(ValueError, match="got 0"):
        bootstrap(some, some, auc, generator=generator, resamples=0)
