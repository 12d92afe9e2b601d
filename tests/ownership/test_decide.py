"""The decision is the contract's rule, at every edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.suspect import ABSTAINED, UNANSWERED, Answers
from modelprint.ownership.decide import decide, only
from modelprint.schemes.base import Enrollment, Queries, Scheme, State


@dataclass(frozen=True, kw_only=True)
class Agreement(Scheme):
    """The share of answered queries on which suspect and source agree."""

    name: ClassVar[str] = "agreement"
    counts_agreements: ClassVar[bool] = True

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        raise AssertionError("not asked for")

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        heard = answers.answered
        return float((answers.labels[heard] == source.labels[heard]).mean())


QUERIES = 20
SOURCE = Answers(labels=np.zeros(QUERIES, np.int64))
ALL = np.ones(QUERIES, dtype=bool)


def agreeing(count: int) -> Answers:
    return Answers(labels=np.array([0] * count + [1] * (QUERIES - count)))


@given(st.lists(st.integers(0, 20), min_size=0, max_size=60), st.integers(0, 20), st.sampled_from([0.01, 0.05, 0.1]))
def test_derived_is_score_above_threshold_is_small_p(counts: list[int], suspect: int, alpha: float) -> None:
    decision = decide(
        Agreement(), {}, SOURCE, agreeing(suspect), [agreeing(count) for count in counts], alpha=alpha, asked=ALL
    )
    if len(counts) < round(1 / alpha) - 1:
        assert decision.outcome == "inconclusive"
        assert decision.threshold is None
        assert decision.false_accusations is None
        return
    assert decision.p_value is not None
    assert decision.threshold is not None
    assert decision.score is not None
    assert (decision.outcome == "derived") == (decision.score > decision.threshold) == (decision.p_value <= alpha)
    assert decision.false_accusations is not None
    assert decision.false_accusations.count == sum(count / 20 > decision.threshold for count in counts)
    assert decision.false_accusations.count <= alpha * (len(counts) + 1)


def test_too_few_answers_are_inconclusive() -> None:
    labels = np.zeros(QUERIES, np.int64)
    labels[9:] = -1
    decision = decide(Agreement(), {}, SOURCE, Answers(labels=labels), [agreeing(3)] * 40, alpha=0.05, asked=ALL)
    assert decision.outcome == "inconclusive"
    assert decision.score is None
    assert "9 of 20" in decision.message


def test_silence_does_not_choose_what_calibration_models_are_scored_on() -> None:
    """They agree only where the suspect was silent: their scores stand, and its silence counts against it."""
    labels = np.zeros(QUERIES, np.int64)
    labels[12:] = -1
    late = Answers(labels=np.array([1] * 12 + [0] * 8))
    decision = decide(Agreement(), {}, SOURCE, Answers(labels=labels), [late] * 19, alpha=0.05, asked=ALL)
    assert (decision.calibration_scores == 0.4).all()
    assert decision.score == 0.6
    assert "8 of 20 queries were not answered and count against derivation; " in decision.message
    assert "give --budget 12" in decision.message


def test_abstentions_count_as_silence_does_and_are_told_apart() -> None:
    """The same score and rank as of a suspect that left these queries unanswered."""
    silent, abstaining = np.zeros(QUERIES, np.int64), np.zeros(QUERIES, np.int64)
    silent[[2, 5, 7]], abstaining[[2, 5, 7]] = UNANSWERED, ABSTAINED
    decisions = [
        decide(Agreement(), {}, SOURCE, Answers(labels=labels), [agreeing(17)] * 19, alpha=0.05, asked=ALL)
        for labels in (silent, abstaining)
    ]
    assert [(one.outcome, one.score, one.p_value) for one in decisions] == [("not-shown", 0.85, 1.0)] * 2
    assert [dict(one.details) for one in decisions] == [{}, {"abstained": 3}]
    assert "3 of 20 queries were not answered and count against derivation" in decisions[1].message
    assert "(to 3 the suspect answered that it names no class)" in decisions[1].message


def test_a_suspect_that_mostly_abstains_is_inconclusive_and_says_what_mends_it() -> None:
    labels = np.array([0] * 9 + [ABSTAINED] * 11)
    decision = decide(Agreement(), {}, SOURCE, Answers(labels=labels), [agreeing(3)] * 40, alpha=0.05, asked=ALL)
    assert decision.outcome == "inconclusive"
    assert "only 9 of 20 queries were answered" in decision.message
    assert "to 11 the suspect answered that it names no class" in decision.message
    assert "lower confidence" in decision.message
    assert "ask again" not in decision.message.replace("asking again", "")


def test_answers_that_disagreed_may_not_be_left_out() -> None:
    """A suspect that agrees on half of the queries does not become a copy when only those are shown."""
    labels = np.array([0] * 10 + [-1] * 10)
    decision = decide(Agreement(), {}, SOURCE, Answers(labels=labels), [agreeing(10)] * 19, alpha=0.05, asked=ALL)
    assert decision.outcome == "not-shown"
    assert decision.p_value == 1


def test_message_says_how_many_models_are_missing() -> None:
    decision = decide(Agreement(), {}, SOURCE, agreeing(20), [agreeing(1)] * 5, alpha=0.01, asked=ALL)
    assert decision.outcome == "inconclusive"
    assert decision.p_value == pytest.approx(1 / 6)
    assert "5 calibration models" in decision.message
    assert "at least 99" in decision.message


def test_p_values_of_innocents_are_no_smaller_than_uniform() -> None:
    generator = np.random.default_rng(0)
    found = []
    for _ in range(400):
        counts = generator.binomial(20, 0.4, size=40)
        decision = decide(
            Agreement(),
            {},
            SOURCE,
            agreeing(int(counts[0])),
            [agreeing(int(c)) for c in counts[1:]],
            alpha=0.05,
            asked=ALL,
        )
        found.append(decision.p_value)
    for level in (0.05, 0.1, 0.25, 0.5):
        share = np.mean([p is not None and p <= level for p in found])
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_only_masks_labels_and_scores() -> None:
    answers = Answers(labels=np.array([1, 2]), scores=np.array([[0.1, 0.9], [0.2, 0.8]], np.float32))
    masked = only(answers, np.array([True, False]))
    assert masked.labels.tolist() == [1, -1]
    assert masked.scores is not None
    assert np.isnan(masked.scores[1]).all()


@dataclass(frozen=True, kw_only=True)
class Reader(Agreement):
    lost_with_labels: ClassVar[str | None] = "the second class is lost"


def test_the_verdict_says_what_labels_lose() -> None:
    scores = np.eye(2, dtype=np.float32)[np.zeros(QUERIES, np.int64)]
    others = [Answers(labels=np.ones(QUERIES, np.int64), scores=scores[:, ::-1].copy())] * 19
    with_scores = Answers(labels=np.zeros(QUERIES, np.int64), scores=scores)
    for scheme, answers, said in (
        (Reader(), agreeing(QUERIES), True),
        (Reader(), with_scores, False),
        (Agreement(), agreeing(QUERIES), False),
    ):
        decision = decide(scheme, {}, SOURCE, answers, others, alpha=0.05, asked=ALL)
        assert decision.outcome == "derived"
        assert ("labels only: the second class is lost" in decision.message) is said


def test_the_verdict_says_that_its_rate_holds_for_plain_answers() -> None:
    """Calibration models are asked plainly, whatever transforms a suspect is expected to use."""
    for scheme, said in ((Agreement(expect="jpeg"), True), (Agreement(), False)):
        decision = decide(scheme, {}, SOURCE, agreeing(QUERIES), [agreeing(3)] * 19, alpha=0.05, asked=ALL)
        assert ("not behind jpeg" in decision.message) is said


@dataclass(frozen=True, kw_only=True)
class Likeness(Scheme):
    """1 less the mean distance of two models' probabilities: coarser scores bring sure models closer."""

    name: ClassVar[str] = "likeness"
    reads_alike: ClassVar[bool] = True

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        raise AssertionError("not asked for")

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        return 1 - float(np.abs(source.probabilities(3) - answers.probabilities(3)).mean())


def sure(seed: int) -> Answers:
    """Of a model that gives about .99 to the class of the source."""
    rest = np.random.default_rng(seed).uniform(0.001, 0.02, size=(QUERIES, 2))
    scores = np.column_stack([1 - rest.sum(1), rest]).astype(np.float32)
    return Answers(labels=np.zeros(QUERIES, np.int64), scores=scores)


def test_all_models_are_read_as_coarsely_as_the_suspect() -> None:
    """An independent model whose scores are rounded to one decimal looks like any sure model, and so do the others."""
    source, independent, calibration = sure(0), sure(1), [sure(seed) for seed in range(2, 30)]
    assert independent.scores is not None
    rounded = Answers(labels=independent.labels, scores=independent.scores.round(1))
    decision = decide(Likeness(), {}, source, rounded, calibration, alpha=0.05, asked=ALL)
    assert decision.score == 1.0
    assert (decision.calibration_scores == 1.0).all()
    assert decision.outcome == "not-shown"
    plain = decide(Likeness(), {}, source, independent, calibration, alpha=0.05, asked=ALL)
    assert plain.score is not None
    assert plain.score < 1.0


def test_what_coarse_scores_hide_where_answers_are_missing_is_not_guessed() -> None:
    source, independent = sure(0), sure(1)
    assert independent.scores is not None
    scores, labels = independent.scores.round(1), independent.labels.copy()
    labels[3], scores[3] = UNANSWERED, np.nan
    decision = decide(
        Likeness(), {}, source, Answers(labels=labels, scores=scores), [sure(2)] * 28, alpha=0.05, asked=ALL
    )
    assert decision.outcome == "inconclusive"
    assert decision.message.startswith("1 queries were not answered, and the scores are rounded or cut")
