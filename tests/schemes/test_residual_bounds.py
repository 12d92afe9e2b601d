"""Bounds of partial correlations: they hold for every answer that could be missing, and are worth something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from modelprint.core.access import Access
from modelprint.core.errors import UnscorableError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.ownership.decide import decide
from modelprint.schemes.reading import table
from modelprint.schemes.residual import Residual, partial_correlations
from modelprint.schemes.residual_bounds import partial_correlation_bounds

RIDGE, FLOOR = 0.03, 0.1


def tables(seed: int, *, models: int, inputs: int, classes: int, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Of a suspect (first) and others, and of the source: a common part, and parts of their own."""
    draw = np.random.default_rng(seed)
    common = draw.normal(0, 1.5, (inputs, classes))
    source = common + draw.normal(0, 1.5, (inputs, classes))
    suspect = near * source + (1 - near) * (common + draw.normal(0, 1.5, (inputs, classes)))
    others = [common + draw.normal(0, 1.5, (inputs, classes)) for _ in range(models - 1)]
    return np.stack([table(one) for one in (suspect, *others)]), table(source)


def filled(seen: np.ndarray, hidden: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The tables with rows of the suspect, brought to a length of 1."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    whole = seen.copy()
    whole[0, hidden] = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return whole


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    near=st.sampled_from([0.0, 0.5, 0.9]),
    count=st.integers(1, 8),
    models=st.integers(4, 12),
    classes=st.integers(2, 5),
)
def test_bounds_hold_for_any_answers(seed: int, near: float, count: int, models: int, classes: int) -> None:
    seen, own = tables(seed, models=models, inputs=40, classes=classes, near=near)
    draw = np.random.default_rng(seed)
    hidden = np.zeros(40, dtype=bool)
    hidden[draw.permutation(40)[:count]] = True
    bounds = partial_correlation_bounds(seen, own, hidden, suspect=0, ridge=RIDGE, floor=FLOOR)
    rest = seen[1:, hidden].mean(axis=0)
    for rows in (seen[0, hidden], own[hidden], -own[hidden], own[hidden] - rest, rest - own[hidden],
                 *(draw.normal(size=(count, classes)) for _ in range(5))):  # fmt: skip
        scores = partial_correlations(filled(seen, hidden, rows), own, ridge=RIDGE, floor=FLOOR)
        assert (bounds.low - 1e-9 <= scores).all()
        assert (scores <= bounds.high + 1e-9).all()


@pytest.mark.parametrize("target", [0, 1])
def test_bounds_hold_for_the_answers_that_an_optimiser_finds(target: int) -> None:
    """Against the lowest score of the suspect, and the highest of another model, that rows of length 1 can reach."""
    seen, own = tables(3, models=8, inputs=40, classes=3, near=0.7)
    hidden = np.arange(40) < 3
    sign = 1 if target == 0 else -1

    def score(flat: np.ndarray) -> float:
        whole = filled(seen, hidden, flat.reshape(3, 3))
        return sign * float(partial_correlations(whole, own, ridge=RIDGE, floor=FLOOR)[target])

    reached = min(
        minimize(score, np.random.default_rng(seed).normal(size=9), method="Nelder-Mead").fun for seed in range(3)
    )
    bounds = partial_correlation_bounds(seen, own, hidden, suspect=0, ridge=RIDGE, floor=FLOOR)
    bound = bounds.low[0] if target == 0 else -bounds.high[1]
    assert bound <= reached + 1e-9
    assert bound >= reached - 0.5  # three of forty: it is not far off


def test_nothing_hidden_bounds_exactly() -> None:
    seen, own = tables(1, models=6, inputs=30, classes=4, near=0.5)
    exact = partial_correlations(seen, own, ridge=RIDGE, floor=FLOOR)
    bounds = partial_correlation_bounds(seen, own, np.zeros(30, dtype=bool), suspect=0, ridge=RIDGE, floor=FLOOR)
    np.testing.assert_allclose(bounds.low, exact, atol=1e-12)
    np.testing.assert_allclose(bounds.high, exact, atol=1e-12)


def models_of(count: int, *, seed: int = 0) -> tuple[Answers, Answers, list[Answers]]:
    """The source, a copy, and independent models; logits (100, 6)."""
    draw = np.random.default_rng(seed)
    common = draw.normal(0, 1.5, (100, 6))
    source = common + draw.normal(0, 1.5, common.shape)
    copy = source + draw.normal(0, 0.7, source.shape)
    others = [common + draw.normal(0, 1.5, source.shape) for _ in range(count)]
    return answers_of(source), answers_of(copy), [answers_of(one) for one in others]


def answers_of(logits: np.ndarray) -> Answers:
    return Answers(labels=logits.argmax(1).astype(np.int64), scores=logits.astype(np.float32))


def without(answers: Answers, missing: np.ndarray) -> Answers:
    assert answers.scores is not None
    scores = np.where(missing[:, None], np.nan, answers.scores).astype(np.float32)
    return Answers(labels=np.where(missing, UNANSWERED, answers.labels), scores=scores)


def decided(suspect: Answers, source: Answers, calibration: list[Answers], missing: np.ndarray) -> tuple[str, float]:
    count = len(source)
    state = {"group": np.zeros(count, np.int64), "references": np.zeros((0, count, 6), np.float32)}
    decision = decide(
        Residual(), state, source, without(suspect, missing), calibration, alpha=0.05, asked=np.ones(count, dtype=bool)
    )
    if missing.any() and decision.outcome == "derived":
        assert decision.calibration_least is not None
        assert (decision.calibration_least <= decision.calibration_scores).all()
        assert "not answered and count against derivation" in decision.message
    return decision.outcome, decision.p_value or 1.0


def test_a_copy_that_misses_some_answers_is_derived_and_one_that_misses_many_is_not() -> None:
    source, copy, calibration = models_of(25)
    outcomes = {}
    for count in (0, 1, 2, 60):
        missing = np.zeros(100, dtype=bool)
        missing[np.random.default_rng(1).permutation(100)[:count]] = True
        outcomes[count] = decided(copy, source, calibration, missing)[0]
    assert outcomes == {0: "derived", 1: "derived", 2: "derived", 60: "inconclusive"}
    assert decided(copy, source, calibration, np.arange(100) < 20)[0] == "inconclusive"


def test_whoever_chooses_what_is_missing_lowers_no_p_value() -> None:
    """An accuser who sees all answers leaves out those that speak most against derivation."""
    for seed in range(6):
        source, _, models = models_of(26, seed=seed)
        suspect, calibration = models[0], models[1:]
        assert suspect.scores is not None
        assert source.scores is not None
        alike = (table(suspect.scores) * table(source.scores)).sum(axis=1)
        whole = decided(suspect, source, calibration, np.zeros(100, dtype=bool))[1]
        for count in (1, 5, 15):
            missing = np.zeros(100, dtype=bool)
            missing[np.argsort(alike)[:count]] = True
            assert decided(suspect, source, calibration, missing)[1] >= whole


def test_rounded_scores_need_every_answer() -> None:
    source, copy, calibration = models_of(5)
    shares = copy.probabilities(6).round(2)
    coarse = Answers(labels=shares.argmax(1), scores=shares.astype(np.float32))
    missing = np.arange(100) < 1
    state = {"group": np.zeros(100, np.int64), "references": np.zeros((0, 100, 6), np.float32)}
    assert Residual().needs.suspect is Access.SCORES
    with pytest.raises(UnscorableError, match="the scores are rounded or cut"):
        Residual().bounds_among(state, source, [without(coarse, missing), *calibration], missing, suspect=0)
