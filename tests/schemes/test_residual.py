"""Residual: scores beyond what independent models have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.linear_model import Ridge

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.ownership.craft import Crafted, craft
from modelprint.ownership.decide import decide
from modelprint.schemes.base import State
from modelprint.schemes.reading import Reading, table
from modelprint.schemes.residual import Residual, partial_correlations
from tests.conftest import Digits
from tests.schemes.world import copies, enrolled, missing, strangers, told

MODELS, QUERIES, CLASSES = 8, 12, 5
SCHEME = Residual()


def logits(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape or (QUERIES, CLASSES)) * 4


def answered(scores: np.ndarray) -> Answers:
    return answers_from_scores(scores, who="a model")


def state(seed: int = 0, models: int = MODELS) -> State:
    shared = logits(seed + 1000)
    scores = [shared + model for model in logits(seed, models, QUERIES, CLASSES)]
    return {"group": np.zeros(QUERIES, dtype=np.int64), "references": np.array(scores, dtype=np.float32)}


@pytest.fixture(scope="module")
def crafted(digits: Digits) -> Crafted:
    return craft(Residual(), replace(enrolled(digits), budget=50), seed=3)


def by_regression(tables: np.ndarray, own: np.ndarray, place: int, ridge: float, floor: float) -> float:
    """The same by scikit-learn: what the regressions of both on all other tables leave, and their products."""
    mean, scale = tables.mean(0), tables.std(0) + floor
    rows = ((tables - mean) / scale).reshape(len(tables), -1)
    source = ((own - mean) / scale).ravel()
    penalty = ridge * np.trace(rows @ rows.T) / len(rows)
    others = np.delete(rows, place, axis=0)

    def left(row: np.ndarray) -> np.ndarray:
        model = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(others.T, row)
        return np.asarray(row - others.T @ model.coef_)

    mine = left(rows[place])
    return float(mine @ source / np.sqrt((mine @ rows[place]) * (left(source) @ source)))


@pytest.mark.parametrize("ridge", [0.01, 0.03, 1.0])
def test_every_correlation_is_that_of_regressions_on_all_other_tables(ridge: float) -> None:
    tables, own = (
        table(logits(0, MODELS, QUERIES, CLASSES)),
        table(logits(1) + 0.5 * logits(0, MODELS, QUERIES, CLASSES)[2]),
    )
    correlations = partial_correlations(tables, own, ridge=ridge, floor=0.1)
    expected = [by_regression(tables, own, place, ridge, 0.1) for place in range(MODELS)]
    assert correlations == pytest.approx(expected, abs=1e-9)
    assert correlations.argmax() == 2


def test_exchanging_two_models_exchanges_their_scores_and_no_other() -> None:
    """What makes the rank exact: no model stands in a place of its own."""
    kept, source = state(), answered(logits(1))
    models = [answered(logits(seed)) for seed in range(20, 26)]
    scores = SCHEME.scores_among(kept, source, models)
    swapped = SCHEME.scores_among(kept, source, [models[3], *models[1:3], models[0], *models[4:]])
    assert swapped[[3, 1, 2, 0, 4, 5]] == pytest.approx(scores, abs=1e-9)


def test_the_source_itself_correlates_fully() -> None:
    source, models = answered(logits(1)), [answered(logits(seed)) for seed in range(20, 40)]
    assert SCHEME.scores_among(state(), source, [source, *models])[0] == pytest.approx(1, abs=0.03)
    few = {**state(), "references": state()["references"][:0]}
    assert SCHEME.scores_among(few, source, [source, *models])[0] > 0.9


def test_one_suspect_alone_is_compared_with_nothing() -> None:
    few = {**state(), "references": state()["references"][:1]}
    with pytest.raises(UnscorableError, match="3 or more, and got 1"):
        SCHEME.score(few, answered(logits(1)), answered(logits(2)))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_independent_models_are_accused_as_often_as_accepted(seed: int) -> None:
    """Ranks of a new model among 19, when all stand alike: uniform over 1 / 20 ... 1, in 60 draws each."""
    draw = np.random.default_rng(seed)
    source, none = answered(draw.normal(size=(QUERIES, CLASSES))), {**state(), "references": state()["references"][:0]}
    ranks = []
    for _ in range(60):
        models = [answered(draw.normal(size=(QUERIES, CLASSES))) for _ in range(20)]
        scores = SCHEME.scores_among(none, source, models, suspect=0)
        ranks.append((1 + (scores[1:] >= scores[0]).sum()) / 20)
    assert np.mean(np.array(ranks) <= 0.1) < 0.25  # 6 of 60 expected, 15 or more with a chance of .0004


@pytest.mark.parametrize("decimals", [2, 3])
def test_calibration_models_are_read_as_coarsely_as_the_suspect_answers(decimals: int) -> None:
    source = answered(logits(1))
    models = [special.softmax(logits(seed), axis=1) for seed in range(20, 39)]
    theirs = special.softmax(logits(1) + 0.8 * logits(4), axis=1)
    fine = SCHEME.scores_among(state(), source, [answered(one) for one in (theirs.round(decimals), *models)], suspect=0)
    coarse = SCHEME.scores_among(
        state(), source, [answered(one.round(decimals)) for one in (theirs, *models)], suspect=0
    )
    assert fine == pytest.approx(coarse, abs=1e-9)
    assert fine[0] > max(fine[1:])


def test_answers_cut_to_the_highest_three_are_read_so_of_all() -> None:
    shares = special.softmax(logits(2), axis=1)
    top = np.where(shares >= np.sort(shares, axis=1)[:, -3:-2], shares, 0.0)
    assert Reading.of(top.astype(np.float32)) == Reading(highest=3)
    assert Reading.of(shares.round(2).astype(np.float32)) == Reading(decimals=2)
    assert Reading.of(shares.astype(np.float32)) == Reading.of(logits(2)) == Reading()


@pytest.mark.parametrize("temperature", [0.25, 1.0, 5.0])
def test_neither_temperature_nor_softmax_changes_a_table(temperature: float) -> None:
    scores = logits(3)
    assert table(special.softmax(scores / temperature, axis=1)) == pytest.approx(table(scores), abs=1e-6)
    assert table(scores / temperature - 7) == pytest.approx(table(scores), abs=1e-9)


def test_scores_that_do_not_sum_to_one_are_compared_as_they_are() -> None:
    shares = special.softmax(logits(3), axis=1)
    assert table(shares * 0.3) == pytest.approx(table(shares), abs=1e-9)


@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_rounded_and_cut_scores_give_numbers(decimals: int) -> None:
    source, kept = answered(logits(1)), state()
    shares = special.softmax(logits(1) + 0.3 * logits(4), axis=1)
    whole = SCHEME.score(kept, source, answered(shares))
    rounded = answered(shares.round(decimals))
    assert np.isfinite(SCHEME.score(kept, source, rounded))
    assert SCHEME.details(kept, source, rounded)["cut"] == pytest.approx((shares.round(decimals) == 0).mean())
    top = np.where(shares >= np.sort(shares, axis=1)[:, -3:-2], shares, 0.0)
    assert -1 <= SCHEME.score(kept, source, answered(top)) <= 1
    assert whole > 0.3


@pytest.mark.parametrize("scores", [np.zeros((QUERIES, CLASSES)), np.full((QUERIES, CLASSES), 0.2), np.eye(CLASSES)[
    np.zeros(QUERIES, dtype=int)], np.full((QUERIES, CLASSES), 3e38)])  # fmt: skip
def test_answers_that_say_nothing_give_a_number(scores: np.ndarray) -> None:
    kept = state()
    assert -1 <= SCHEME.score(kept, answered(logits(1)), answered(scores)) <= 1
    same = {**kept, "references": np.repeat(kept["references"][:1], 3, axis=0)}
    assert -1 <= SCHEME.score(same, answered(logits(1)), answered(scores)) <= 1


def test_labels_alone_are_refused_in_one_sentence() -> None:
    source = answered(logits(1))
    with pytest.raises(UnscorableError, match="labels alone: ask it for scores"):
        SCHEME.score(state(), source, source.restricted(Access.LABELS))


def test_one_answer_is_too_few() -> None:
    source = answered(logits(1))
    with pytest.raises(UnscorableError, match="1 of 12 queries were answered, 2 are needed"):
        SCHEME.score(state(), source, missing(source, np.arange(1, QUERIES)))


def test_missing_answers_need_another_asking_where_they_may_make_the_difference() -> None:
    kept, source, everything = state(), answered(logits(1)), np.ones(QUERIES, dtype=bool)
    calibration = [answered(logits(seed)) for seed in range(20, 40)]
    whole = decide(SCHEME, kept, source, source, calibration, alpha=0.05, asked=everything)
    one, many = (
        decide(SCHEME, kept, source, missing(source, np.arange(count)), calibration, alpha=0.05, asked=everything)
        for count in (1, 4)
    )
    assert (whole.outcome, one.outcome, many.outcome) == ("derived", "inconclusive", "inconclusive")
    assert "1 queries were not answered, and what their scores hide may make the difference" in one.message
    assert "4 queries were not answered; of more than 25% scores tell nothing" in many.message
    assert "--access labels" in many.message


def test_copies_score_above_models_that_were_not_seen(digits: Digits, crafted: Crafted) -> None:
    derived, independent = (
        [told(model, crafted) for model in models] for models in (copies(digits), strangers(digits, 6, seed=21))
    )
    scores = Residual().scores_among(crafted.state, crafted.source, [*derived, *independent])
    assert sorted(scores[:3])[1] > max(scores[3:]) + 0.3  # the third was extracted; few models are too few for it


def test_only_queries_that_were_asked_count(digits: Digits, crafted: Crafted) -> None:
    scheme, model = Residual(), told(copies(digits)[0], crafted)
    half = np.arange(0, 50, 2)
    kept = {**crafted.state, "references": crafted.state["references"][:, half]}
    expected = scheme.score(kept, crafted.source.take(half), model.take(half))
    assert scheme.score(crafted.state, crafted.source, missing(model, half + 1)) == pytest.approx(expected)


def test_surrogates_choose_other_queries_than_chance(digits: Digits, crafted: Crafted) -> None:
    context = replace(enrolled(digits), budget=50)
    drawn = craft(Residual(chosen=False), context, seed=3)
    assert (drawn.queries.stored != crafted.queries.stored).any()
    assert crafted.queries.report["following"] > 0
    assert drawn.queries.report["following"] == 0


def test_a_budget_of_one_is_refused(digits: Digits) -> None:
    with pytest.raises(FingerprintError, match="needs 2 queries or more"):
        craft(Residual(), replace(enrolled(digits), budget=1), seed=0)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Residual(queries=1)
    with pytest.raises(ValueError, match="above 0"):
        Residual(floor=0)
