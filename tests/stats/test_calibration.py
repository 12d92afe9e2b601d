"""The threshold and the p-value are one rule; the bound is scipy's, and holds for thresholds set by the same models."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from modelprint.stats.calibration import (
    kinds_apart,
    needed_models,
    rank_p_value,
    ranked_by_kind,
    threshold,
    upper_bound,
)

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


kinded = st.lists(st.tuples(values, st.sampled_from("abc")), min_size=1, max_size=120)


@given(kinded, values, alphas, st.booleans())
@example([(0.0, "a")] * 19 + [(1.0, "b")] * 19, 0.5, 0.05, False)
def test_above_the_highest_threshold_is_the_same_as_a_worst_p_value_of_at_most_alpha(pairs, score, alpha, pool):
    scores, kinds = np.array([value for value, _ in pairs]), [kind for _, kind in pairs]
    rank = ranked_by_kind(scores, kinds, alpha, score=score, pool=pool)
    assert (rank.threshold is not None and score > rank.threshold) == (rank.p_value <= alpha)
    assert sum(one.n for one in rank.kinds) == len(scores)
    if pool:
        assert sum(rank.sizes.values()) == len(scores)
    covered = {one.kind for one in rank.kinds if one.covered}
    assert bool(covered) == (rank.threshold is not None)
    if rank.threshold is not None:
        assert rank.count <= alpha * (rank.n + 1)
        assert all(size >= needed_models(alpha) for size in rank.sizes.values())


@given(calibrations.filter(len), values, alphas)
def test_one_kind_is_ranked_as_without_kinds(calibration, score, alpha):
    rank = ranked_by_kind(calibration, ["a"] * len(calibration), alpha, score=score)
    assert (rank.p_value, rank.threshold) == (rank_p_value(score, calibration), threshold(calibration, alpha))


def test_the_rate_holds_within_a_kind_that_scores_high_where_a_rank_among_all_would_not_hold():
    generator = np.random.default_rng(0)
    accused = {"pooled": 0, "by kind": 0}
    kinds = ["trained"] * 99 + ["copies"] * 39
    for _ in range(2000):
        scores = np.concatenate([generator.normal(size=99), generator.normal(2.0, size=39)])
        innocent = generator.normal(2.0)  # one of the kind that scores high
        accused["pooled"] += rank_p_value(innocent, scores) <= 0.05
        accused["by kind"] += ranked_by_kind(scores, kinds, 0.05, score=innocent).p_value <= 0.05
    assert accused["by kind"] <= 2000 * 0.05 + 3 * np.sqrt(2000 * 0.05 * 0.95)
    assert accused["pooled"] > 2000 * 0.1


def test_a_kind_of_too_few_has_no_rate_unless_it_is_pooled():
    scores, kinds = np.arange(57.0), ["a"] * 19 + ["b"] * 18 + ["c"] * 20
    rank = ranked_by_kind(scores, kinds, 0.05, score=30.0)
    assert rank.sizes == {"a": 19, "c": 20}
    assert [(one.kind, one.n, one.covered) for one in rank.kinds] == [
        ("a", 19, True),
        ("b", 18, False),
        ("c", 20, True),
    ]
    assert [one.p_value for one in rank.kinds] == [1 / 20, 8 / 19, 1.0]
    pooled = ranked_by_kind(scores, kinds, 0.05, score=30.0, pool=True)
    assert pooled.sizes == {"c": 38, "a": 19}
    assert [one.pooled_with for one in pooled.kinds] == [None, "c", None]
    assert [one.n for one in pooled.kinds] == [19, 18, 20]
    assert all(one.covered for one in pooled.kinds)
    assert [one.p_value for one in pooled.kinds] == [1 / 20, 28 / 39, 28 / 39]


def test_places_of_kinds_are_whole_and_apart():
    apart = kinds_apart(["a", "b", "a", "c"], first="c")
    assert list(apart) == ["c", "a", "b"]
    assert sorted(np.concatenate(list(apart.values()))) == list(range(4))


def test_scores_without_kinds_are_refused():
    with pytest.raises(ValueError, match="2 scores, but 1 kinds and 2 families"):
        ranked_by_kind(np.zeros(2), ["a"], 0.05)
    with pytest.raises(ValueError, match="NaN"):
        ranked_by_kind(np.array([np.nan]), ["a"], 0.05)


def test_dependent_scores_do_not_pass_for_more_models():
    names = [str(place) for place in range(9)]
    thrice, kinds = np.tile(np.arange(9.0), 3), np.repeat(["plain", "behind a", "behind b"], 9).tolist()
    rank = ranked_by_kind(thrice, kinds, 0.05, families=names * 3, score=100.0)
    assert (rank.threshold, rank.n, rank.p_value) == (None, 9, 0.1)  # 27 scores, but nine models
    owned = [*names, *"abcdef"]
    kinds = ["own"] * 15 + ["copy"] * 14
    copied = ranked_by_kind(np.arange(29.0), kinds, 0.05, families=[*owned, *owned[:14]], score=100.0)
    assert (copied.threshold, copied.n, copied.p_value) == (None, 15, 1 / 15)
    few = ranked_by_kind(np.arange(19.0), ["own"] * 15 + ["sibling"] * 4, 0.05, score=100.0)
    assert (few.threshold, few.n, few.p_value) == (None, 15, 1 / 5)
    enough = ranked_by_kind(np.arange(19.0), ["own"] * 15 + ["sibling"] * 4, 0.05, score=100.0, pool=True)
    assert (enough.threshold, enough.n, enough.p_value) == (18.0, 19, 0.05)


@given(kinded, st.lists(st.sampled_from("uvwxyz"), min_size=120, max_size=120), values, alphas)
def test_the_rule_holds_with_families(pairs, families, score, alpha):
    scores, kinds = np.array([value for value, _ in pairs]), [kind for _, kind in pairs]
    rank = ranked_by_kind(scores, kinds, alpha, families=families[: len(pairs)], score=score)
    assert (rank.threshold is not None and score > rank.threshold) == (rank.p_value <= alpha)


def test_ten_families_of_two_cannot_accuse_at_a_twentieth():
    generator = np.random.default_rng(1)
    accused = 0
    for _ in range(2000):
        founders = generator.normal(size=10)
        scores = np.concatenate([founders, founders + 0.1 * generator.normal(size=10)])
        families = [str(place % 10) for place in range(20)]
        kinds = ["strangers"] * 10 + ["copies"] * 10
        rank = ranked_by_kind(scores, kinds, 0.05, families=families, score=float(generator.normal()))
        accused += rank.p_value <= 0.05
    assert accused == 0  # ranked among twenty scores, one in eleven or so would be accused
