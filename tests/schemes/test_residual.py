"""Residual: scores beyond what independent models have in common."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.decomposition import PCA

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers, answers_from_scores
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import State
from modelprint.schemes.residual import Common, Residual, least_cosine, table
from tests.conftest import Digits
from tests.schemes.world import copies, enrolled, missing, strangers, told

MODELS, QUERIES, CLASSES = 8, 12, 5
SCHEME = Residual(components=3)


def logits(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape or (QUERIES, CLASSES)) * 4


def answered(scores: np.ndarray) -> Answers:
    return answers_from_scores(scores, who="a model")


def state(seed: int = 0) -> State:
    shared = logits(seed + 1000)
    tables = [table(shared + model) for model in logits(seed, MODELS, QUERIES, CLASSES)]
    return {"group": np.zeros(QUERIES, dtype=np.int64), "references": np.stack(tables)}


@pytest.fixture(scope="module")
def crafted(digits: Digits) -> Crafted:
    return craft(Residual(components=1), replace(enrolled(digits), budget=50), seed=3)


def test_the_common_part_is_that_of_scikit_learn_s_principal_components() -> None:
    tables, theirs = state()["references"], table(logits(5))
    common = Common.of(tables, components=3, floor=0.1)
    flat = ((tables - tables.mean(0)) / (tables.std(0) + 0.1)).reshape(MODELS, -1)
    pca = PCA(3).fit(flat)
    standard = ((theirs - tables.mean(0)) / (tables.std(0) + 0.1)).reshape(1, -1)
    expected = standard - (standard @ pca.components_.T) @ pca.components_
    assert common.residual(theirs).ravel() == pytest.approx(expected.ravel(), abs=1e-9)


def test_the_score_is_a_cosine_of_residuals() -> None:
    source, theirs, kept = answered(logits(1)), answered(logits(2)), state()
    common = Common.of(kept["references"], components=3, floor=0.1)
    one, other = (common.residual(table(logits(seed).astype(np.float32))).ravel() for seed in (1, 2))
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert SCHEME.score(kept, source, theirs) == pytest.approx(cosine)
    assert SCHEME.score(kept, source, source) == pytest.approx(1)


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


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), near=st.floats(0, 1), mask=st.lists(st.booleans(), min_size=12, max_size=12))
def test_silence_never_raises_the_score(seed: int, near: float, mask: list[bool]) -> None:
    silent, kept = np.array(mask), state(seed)
    silent[:2] = False
    source = answered(logits(seed + 1))
    theirs = answered(near * logits(seed + 1) + (1 - near) * logits(seed + 2))
    labels = np.where(silent, UNANSWERED, theirs.labels)
    assert theirs.scores is not None
    heard = Answers(labels=labels, scores=np.where(silent[:, None], np.nan, theirs.scores).astype(np.float32))
    bound = SCHEME.least_score(kept, source, heard, silent)
    assert bound <= SCHEME.score(kept, source, theirs) + 1e-9
    assert silent.any() or bound == pytest.approx(SCHEME.score(kept, source, theirs))


def test_the_bound_for_few_missing_answers_says_more_than_minus_one() -> None:
    kept, silent = state(), np.arange(QUERIES) == 3
    common = Common.of(kept["references"], components=3, floor=0.1)
    rows = table(logits(1))
    bound = least_cosine(common, common.residual(rows), np.where(silent[:, None], 0.0, rows), silent)
    assert 0.2 < bound < 1


def test_copies_score_above_models_that_were_not_seen(digits: Digits, crafted: Crafted) -> None:
    scheme = Residual(components=1)
    derived, independent = (
        [scheme.score(crafted.state, crafted.source, told(model, crafted)) for model in models]
        for models in (copies(digits), strangers(digits, 3, seed=21))
    )
    assert min(derived) > max(independent)
    assert sorted(derived)[1] > max(independent) + 0.4


def test_only_queries_that_were_asked_count(digits: Digits, crafted: Crafted) -> None:
    scheme, model = Residual(components=1), told(copies(digits)[0], crafted)
    half = np.arange(0, 50, 2)
    kept = {**crafted.state, "references": crafted.state["references"][:, half]}
    expected = scheme.score(kept, crafted.source.take(half), model.take(half))
    assert scheme.score(crafted.state, crafted.source, missing(model, half + 1)) == pytest.approx(expected)


def test_surrogates_choose_other_queries_than_chance(digits: Digits, crafted: Crafted) -> None:
    context = replace(enrolled(digits), budget=50)
    drawn = craft(Residual(components=1, chosen=False), context, seed=3)
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
