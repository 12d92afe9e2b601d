"""Holm's procedure against the closed testing that it is a short cut of, and the rate that it promises."""

from fractions import Fraction
from itertools import chain, combinations
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.stats.calibration import needed_models
from modelprint.stats.multiple import holm, needed_models_of

p_values = st.lists(st.integers(1, 40).map(lambda rank: rank / 40), min_size=1, max_size=6).map(np.array)


@given(p_values)
def test_adjusted_values_are_those_of_closed_testing_with_bonferroni(values):
    places = range(len(values))
    groups = list(chain.from_iterable(combinations(places, size) for size in range(1, len(values) + 1)))
    for place, adjusted in zip(places, holm(values), strict=True):
        worst = max(min(1.0, len(group) * min(values[list(group)])) for group in groups if place in group)
        assert adjusted == pytest.approx(worst, abs=1e-11)


@given(p_values, st.randoms(use_true_random=False))
def test_order_does_not_matter(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    assert holm(values[order]).tolist() == holm(values)[order].tolist()


def test_one_test_is_not_adjusted():
    assert holm(np.array([0.3])).tolist() == [0.3]
    assert holm(np.array([])).tolist() == []


@given(st.integers(1, 200), st.sampled_from(["0.01", "0.05", "0.1", "0.2", "0.25", "0.001"]))
def test_needed_models_are_the_fewest_that_can_reject(owners, alpha):
    need = needed_models_of(owners, float(alpha))
    assert need == ceil(owners / Fraction(alpha)) - 1
    for count, enough in ((need, True), (need - 1, False)):
        best = np.append(1 / (count + 1), np.ones(owners - 1))
        assert (holm(best)[0] <= float(alpha)) == enough
    assert needed_models_of(1, float(alpha)) == needed_models(float(alpha))


def test_any_false_accusation_is_as_rare_as_promised():
    """Ranks of innocents among 99 calibration models, of ten owners whose scores depend on each other."""
    generator = np.random.default_rng(0)
    repeats, false = 2000, 0
    for _ in range(repeats):
        common = generator.normal(size=100)
        ranks = []
        for _ in range(10):
            scores = common + generator.normal(size=100)
            ranks.append((1 + (scores[1:] >= scores[0]).sum()) / 100)
        false += bool((holm(np.array(ranks)) <= 0.1).any())
    assert false / repeats <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / repeats)


@pytest.mark.parametrize("values", [[0.0], [1.1], [np.nan], [[0.1]]])
def test_what_is_no_p_value_is_refused(values):
    with pytest.raises(ValueError, match="expected p-values"):
        holm(np.array(values))


def test_needed_models_refuses_nonsense():
    for owners, alpha in ((0, 0.05), (2, 0.0), (2, 1.0)):
        with pytest.raises(ValueError, match="expected one owner"):
            needed_models_of(owners, alpha)
