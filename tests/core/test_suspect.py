"""A suspect shows no more than is asked for, and never an answer that makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.access import Access
from modelprint.core.errors import DataError, SuspectError
from modelprint.core.suspect import UNANSWERED, Answers, Suspect, answers_from_scores

IMAGES = np.zeros((4, 1, 2, 2), np.uint8)


class Known(Suspect):
    """Answers with scores that are given to it."""

    def __init__(self, scores: np.ndarray, access: Access = Access.SCORES) -> None:
        self.identity = "known"
        self.access = access
        self.scores = scores
        self.asked: list[Access] = []

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        self.asked.append(access)
        return answers_from_scores(self.scores, who=self.identity)


@given(st.integers(0, 2**32 - 1))
def test_labels_are_the_top_scores_and_nothing_else_is_shown(seed):
    scores = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
    suspect = Known(scores)
    hidden = suspect.ask(IMAGES)
    assert hidden.scores is None
    assert hidden.labels.tolist() == scores.argmax(1).tolist()
    shown = suspect.ask(IMAGES, access=Access.SCORES)
    assert shown.scores is not None
    assert np.array_equal(shown.scores, scores)
    assert suspect.asked == [Access.LABELS, Access.SCORES]


def test_a_suspect_is_not_asked_for_more_than_it_gives():
    suspect = Known(np.eye(4, 3, dtype=np.float32), access=Access.LABELS)
    with pytest.raises(SuspectError, match="known gives labels only, scores were asked for: use --access labels"):
        suspect.ask(IMAGES, access=Access.SCORES)
    assert suspect.asked == []


@pytest.mark.parametrize("count", [0, 3, 5])
def test_too_few_or_too_many_answers_are_refused(count):
    with pytest.raises(SuspectError, match=f"gave {count} answers to 4 inputs"):
        Known(np.zeros((count, 3), np.float32)).ask(IMAGES)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_scores_are_refused(value):
    scores = np.zeros((4, 3), np.float32)
    scores[1:3, 2] = value
    with pytest.raises(SuspectError, match="NaN or infinite outputs for 2 of 4 inputs"):
        answers_from_scores(scores, who="x")


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 1), (4, 3, 2, 2)])
def test_outputs_that_are_no_score_matrix_are_refused(shape):
    with pytest.raises(SuspectError, match="expected \\(n, classes\\), two classes or more"):
        answers_from_scores(np.zeros(shape, np.float32), who="x")


@pytest.mark.parametrize(
    ("inputs", "what"),
    [
        (np.array(["a"]), "expected an array of numbers"),
        (np.zeros((), np.float32), "one row an input"),
        (np.full((1, 3), np.nan, np.float32), "got NaN or infinite values"),
        (np.full((1, 3), np.inf, np.float32), "got NaN or infinite values"),
    ],
)
def test_what_is_no_finite_number_is_refused_before_anything_is_asked(inputs, what):
    suspect = Known(np.zeros((1, 3), np.float32))
    with pytest.raises(DataError, match=what):
        suspect.ask(inputs)
    assert suspect.asked == []


def test_answers_are_taken_by_index_and_know_what_is_missing():
    answers = Answers(labels=np.array([2, UNANSWERED, 0]), scores=np.arange(9, dtype=np.float32).reshape(3, 3))
    assert answers.answered.tolist() == [True, False, True]
    part = answers.take(np.array([2, 0]))
    assert part.labels.tolist() == [0, 2]
    assert part.scores is not None
    assert part.scores[:, 0].tolist() == [6, 0]
    assert answers.restricted(Access.TOPK).scores is None
    assert answers.restricted(Access.WEIGHTS) is answers


def test_access_levels_are_ordered_and_named():
    assert Access.LABELS < Access.TOPK < Access.SCORES < Access.GRADIENTS < Access.WEIGHTS
    assert [Access.parse(str(level)) for level in Access] == list(Access)
    with pytest.raises(ValueError, match="unknown access level 'logits': use one of labels, topk"):
        Access.parse("logits")
