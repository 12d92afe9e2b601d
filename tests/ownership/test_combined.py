"""The combined score: its rank is exact, silence never helps, and what cannot be compared is not ranked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprint.core.access import Access
from modelprint.ownership.combined import combined_scores
from modelprint.ownership.decide import Decision
from modelprint.ownership.levels import Level
from modelprint.stats.calibration import ranked_by_kind

N = 19
ACCESSES = (Access.LABELS, Access.SCORES, Access.WEIGHTS)


def level(
    access: Access, scores: Sequence[float], *, exact: bool = True, least: Sequence[float] | None = None
) -> Level:
    """Of a suspect, the first, and calibration models; `least`: the lowest scores of these, where those are bounds."""
    own, *others = scores
    decision = Decision(
        outcome="not-shown",
        message="",
        score=own,
        p_value=1.0,
        threshold=None,
        false_accusations=None,
        calibration_scores=np.array(others),
    )
    return Level(
        access=access,
        scheme=str(access),
        queries=10,
        resolution=0.02,
        decision=decision,
        calibration=np.array(others, dtype=np.float64),
        exact=exact,
        least=None if least is None else np.array(least, dtype=np.float64),
    )


def levels(table: np.ndarray, *, exact: bool = True) -> list[Level]:
    """A row for each level, a column for each model."""
    return [level(access, list(row), exact=exact) for access, row in zip(ACCESSES, table, strict=False)]


def p_value(table: np.ndarray, kinds: Sequence[str] | None = None, *, exact: bool = True) -> float:
    own, others = combined_scores(levels(table, exact=exact))
    named = kinds or ["a"] * len(others)
    rank = ranked_by_kind(others, named, 0.05, score=own)
    assert rank.p_value is not None
    return rank.p_value


def population(draw: np.random.Generator, count: int, models: int) -> np.ndarray:
    """Scores (count, 3, models) of independent models: levels depend on each other, tails are heavy, labels tie."""
    shared = draw.standard_t(2, size=(count, 1, models))
    own = draw.standard_t(2, size=(count, 3, models)) * np.array([1.0, 0.05, 4.0])[:, None]
    scores = own + shared * np.array([2.0, 0.1, -1.0])[:, None]
    scores[:, 0] = np.round(scores[:, 0])
    return np.asarray(scores)


@pytest.mark.parametrize("used", [1, 2, 3])
def test_independent_models_are_accused_as_often_as_accepted(used: int) -> None:
    """4,000 draws of a suspect and 19 calibration models: the rate is 1 in 20, whatever levels have in common."""
    draw = np.random.default_rng(used)
    accused = np.mean([p_value(table[:used]) <= 0.05 for table in population(draw, 4000, N + 1)])
    assert accused <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_each_kind_keeps_its_rate_where_kinds_differ() -> None:
    """Siblings score far higher than models from scratch do; ranked by kind, either is accused 1 time in 20 at most."""
    draw = np.random.default_rng(7)
    kinds = ["INDEPENDENT"] * N + ["SHARED"] * N
    for kind in ("INDEPENDENT", "SHARED"):
        accused = []
        for table in population(draw, 1500, 2 * N + 1):
            higher = np.array([kind == "SHARED", *(one == "SHARED" for one in kinds)])
            accused.append(p_value(table + 3.0 * higher, kinds) <= 0.05)
        assert np.mean(accused) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1500)


def test_held_out_models_over_200_splits() -> None:
    """One population, 200 ways of choosing who calibrates and who is checked: the mean rate is the accepted one."""
    draw = np.random.default_rng(3)
    models = population(draw, 1, 60)[0]
    rates = []
    for _ in range(200):
        order = draw.permutation(60)
        calibrating, checked = order[:N], order[N:]
        rates.append(np.mean([p_value(models[:, [suspect, *calibrating]]) <= 0.05 for suspect in checked]))
    assert abs(np.mean(rates) - 0.05) < 0.02


def test_exchanging_suspect_and_calibration_model_exchanges_their_scores() -> None:
    table = population(np.random.default_rng(1), 1, N + 1)[0]
    own, others = combined_scores(levels(table))
    for place in range(1, N + 1):
        swapped = table.copy()
        swapped[:, [0, place]] = table[:, [place, 0]]
        mine, theirs = combined_scores(levels(swapped))
        assert mine == pytest.approx(others[place - 1])
        assert theirs[place - 1] == pytest.approx(own)
        assert np.delete(theirs, place - 1) == pytest.approx(np.delete(others, place - 1))


@settings(deadline=None, max_examples=200)
@given(
    seed=st.integers(0, 2**31),
    lost=st.lists(st.floats(0, 5), min_size=3, max_size=3),
    shift=st.floats(-2, 8),
)
def test_silence_never_lowers_a_p_value(seed: int, lost: list[float], shift: float) -> None:
    """Whatever the answers that are missing would have been: the p-value of the lower bounds is no smaller."""
    table = population(np.random.default_rng(seed), 1, N + 1)[0]
    table[:, 0] += shift
    bounds = table.copy()
    bounds[:, 0] -= lost
    assert p_value(bounds, exact=False) >= p_value(table)


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**31), lost=st.floats(0, 2), shift=st.floats(-2, 8))
def test_bounds_of_calibration_models_never_lower_a_p_value(seed: int, lost: float, shift: float) -> None:
    """Where their scores depend on missing answers, too: the true ones lie anywhere between the bounds."""
    draw = np.random.default_rng(seed)
    table = population(draw, 1, N + 1)[0]
    table[:, 0] += shift
    low, high = (table[1, 1:] + sign * draw.uniform(0, lost, N) for sign in (-1, 1))
    bounded = levels(table)
    bounded[1] = level(Access.SCORES, [table[1, 0] - lost, *high], exact=False, least=low.tolist())
    own, others = combined_scores(bounded)
    rank = ranked_by_kind(others, ["a"] * N, 0.05, score=own)
    assert rank.p_value is not None
    assert rank.p_value >= p_value(table)


def test_one_level_that_is_far_above_is_enough() -> None:
    table = np.zeros((3, N + 1))
    draw = np.random.default_rng(0)
    table[:, 1:] = draw.normal(size=(3, N))
    for place in range(3):
        suspect = table.copy()
        suspect[:, 0] = -1.0
        suspect[place, 0] = 40.0
        assert p_value(suspect) == 1 / (N + 1)


def test_weights_count_only_where_they_stand_out() -> None:
    """All but a twentieth of the models get nothing for their weights, and at least one gets something."""
    for count in (N + 1, 100):
        flat = level(Access.SCORES, [0.0] * count)
        weights = level(Access.WEIGHTS, list(np.linspace(0.0, 1.0, count)))
        own, others = combined_scores([flat, weights])
        assert own == 0.0
        assert (others > 0).sum() == max(1, round(0.05 * (count - 1)))


def test_noise_in_weights_does_not_outweigh_scores() -> None:
    """An extracted copy stands out by its scores, and by its weights it is as any other model."""
    draw = np.random.default_rng(3)
    scores, weights = draw.normal(size=(2, 101))
    scores[0], weights[0] = scores[1:].max() + 0.5, 0.0
    own, others = combined_scores([level(Access.SCORES, list(scores)), level(Access.WEIGHTS, list(weights))])
    assert (others >= own).sum() <= 1


def test_models_that_cannot_be_compared_are_not_ranked() -> None:
    draw = np.random.default_rng(0)
    table = draw.normal(size=(3, N + 1))
    table[2, [3, 5]] = np.nan
    own, others = combined_scores(levels(table))
    assert np.isfinite(own)
    assert np.flatnonzero(np.isnan(others)).tolist() == [2, 4]


def test_levels_at_which_all_are_alike_divide_by_nothing() -> None:
    table = np.zeros((2, N + 1))
    own, others = combined_scores(levels(table))
    assert own == 0
    assert (others == 0).all()
    table[0, 1] = 1.0  # one of twenty: a difference of 1 counts in units of the resolution
    assert combined_scores(levels(table))[1][0] == pytest.approx(50)
