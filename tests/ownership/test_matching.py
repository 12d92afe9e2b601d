"""Renamed classes: the matching that an exhaustive search finds, said and paid for in the verdict."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprint import enroll, identify, verify
from modelprint.core.suspect import Answers, Suspect
from modelprint.core.verdict import Verdict
from modelprint.ownership.decide import decide
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.matching import looks_renamed, matching, rematched, renamed
from modelprint.suspects.evasion import evaded
from modelprint.suspects.local import TorchSuspect
from tests.conftest import Digits
from tests.ownership.test_decide import Agreement

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


@given(LABELS)
def test_no_matching_agrees_more_often(pairs: list[tuple[int, int]]) -> None:
    source, suspect = (np.array(side) for side in zip(*pairs, strict=True))
    told = matching(Answers(labels=source, scores=np.zeros((len(source), 4), np.float32)), Answers(labels=suspect))
    heard = suspect >= 0
    found = [(np.array(order)[suspect[heard]] == source[heard]).sum() for order in permutations(range(4))]
    assert told.matched == max(found)
    assert told.as_named == found[0]
    assert sorted(told.classes) == [0, 1, 2, 3]
    if told.matched == told.as_named:
        assert told.moved == 0


@given(LABELS, st.permutations(range(4)))
def test_the_matched_answers_do_not_depend_on_the_numbers(pairs: list[tuple[int, int]], order: list[int]) -> None:
    source, suspect = (np.array(side) for side in zip(*pairs, strict=True))
    own = Answers(labels=source, scores=np.zeros((len(source), 4), np.float32))
    moved = np.where(suspect >= 0, np.array(order)[suspect], -1)
    agreed = [(rematched(own, Answers(labels=labels)).labels == source).sum() for labels in (suspect, moved)]
    assert agreed[0] == agreed[1]


def test_scores_move_with_the_labels() -> None:
    scores = np.array([[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], np.float32)
    answers = Answers(labels=scores.argmax(1), scores=scores)
    told = matching(Answers(labels=np.array([0, 1])), answers)
    back = renamed(answers, told)
    assert back.scores is not None
    assert back.labels.tolist() == back.scores.argmax(1).tolist() == [0, 1]


SOURCE = np.arange(200) % 10
ALL = np.ones(200, dtype=bool)


def _agreeing(share: float, draw: np.random.Generator) -> Answers:
    other = draw.integers(10, size=len(SOURCE))
    return Answers(labels=np.where(draw.random(len(SOURCE)) < share, SOURCE, other))


def test_innocents_with_renamed_classes_are_accused_no_more_often_than_alpha() -> None:
    draw = np.random.default_rng(0)
    order = np.roll(np.arange(10), 1)
    own = Answers(labels=SOURCE)
    accused = matched = 0
    rounds = 400
    for _ in range(rounds):
        calibration = [_agreeing(0.5, draw) for _ in range(39)]
        innocent = order[_agreeing(0.5, draw).labels]
        told = decide(Agreement(), {}, own, Answers(labels=innocent), calibration, alpha=0.05, asked=ALL)
        accused += told.outcome == "derived"
        matched += told.matching is not None
    assert matched == rounds
    assert accused <= 0.05 * rounds + 3 * np.sqrt(0.05 * 0.95 * rounds)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_classes_with_the_sources_numbers_are_left_alone(share: float) -> None:
    draw = np.random.default_rng(1)
    calibration = [_agreeing(0.5, draw) for _ in range(19)]
    assert looks_renamed(Answers(labels=SOURCE), _agreeing(share, draw), calibration) is None


def test_a_constant_answer_is_no_other_name() -> None:
    calibration = [_agreeing(0.5, np.random.default_rng(2))]
    assert looks_renamed(Answers(labels=np.zeros(200, int)), Answers(labels=np.ones(200, int)), calibration) is None


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", negatives=digits.strangers, budget=100, seed=3)


def _permuted(digits: Digits) -> Suspect:
    return evaded(TorchSuspect(digits.source, identity="sha256:thief"), "permutation", seed=4)


def test_a_permuted_copy_is_found_and_the_verdict_says_how(digits: Digits, fingerprint: Fingerprint) -> None:
    told = verify(fingerprint, _permuted(digits), alpha=0.25)
    plain = verify(fingerprint, digits.source, alpha=0.25)
    assert (told.verdict, told.score) == ("derived", plain.score) == ("derived", 1.0)
    assert told.class_matching is not None
    assert sorted(told.class_matching) == list(range(10))
    assert "10 of 10 were matched by its answers" in told.message
    assert f"instead of {plain.threshold:.4g}" in told.message
    assert told.threshold is not None
    assert plain.threshold is not None
    assert told.threshold >= plain.threshold
    assert plain.class_matching is None
    assert "class_matching" not in plain.model_dump()
    assert Verdict.model_validate_json(told.to_json()).class_matching == told.class_matching


def test_identify_says_so_too(digits: Digits, fingerprint: Fingerprint) -> None:
    told = identify(_permuted(digits), fingerprint, alpha=0.25)
    assert told.verdict == "derived"
    assert "were matched by its answers" in told.candidates[0].message


def test_a_renamed_suspect_is_asked_everything(digits: Digits) -> None:
    from dataclasses import replace

    from modelprint.schemes.contrast import Contrast

    made = enroll(digits.source, digits.queries, scheme="akh", negatives=digits.strangers, budget=100, seed=3)
    state = {**made.state, "worth": np.array([-1.0, 1.0])}
    manifest = made.manifest.model_copy(update={"scheme": "contrast", "parameters": Contrast().parameters()})
    sequential = replace(made, manifest=manifest, state=state)
    told = verify(sequential, _permuted(digits), alpha=0.25)
    assert (told.verdict, told.queries) == ("derived", 100)
    assert verify(sequential, digits.source, alpha=0.25).queries < 100
