"""FIT-Print: the message is spelled by the source, by its copies, and by nobody else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.nn.refs import held
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.fit_print import FitPrint
from modelprint.schemes.message import message_bits, spells
from tests.conftest import Digits
from tests.schemes.world import copies, score, strangers, told

SCHEME = FitPrint(queries=40, epsilon=0.25, message="Ada, 2026-11-29")


@pytest.fixture(scope="module")
def made(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=1)


def test_the_source_spells_the_message_in_its_order(made: Crafted) -> None:
    bits = made.queries.columns["bit"][::2]
    assert score(SCHEME, made, made.source) == 1.0
    assert made.queries.report["spelled"] > 0.8
    numbers = made.queries.columns["number"][::2]
    assert (np.diff(numbers) > 0).all()
    assert (message_bits(SCHEME.message, made.queries.report["tried"])[numbers] == bits).all()


def test_copies_spell_it_and_independent_models_do_not(digits: Digits, made: Crafted) -> None:
    derived = [score(SCHEME, made, told(model, made)) for model in copies(digits)[:2]]  # fine-tuned, pruned
    independent = [score(SCHEME, made, told(model, made)) for model in strangers(digits, 3, seed=21)]
    assert min(derived) == 1.0
    assert np.mean(independent) < 0.5  # worse than a coin: every bit is against what the inputs show


def test_the_bits_tell_whose_the_fingerprint_is(made: Crafted) -> None:
    def signed(message: str) -> bool:
        figures = replace(SCHEME, message=message).details(made.state, made.source, made.source)
        return bool(figures["signed"])

    assert signed(SCHEME.message)
    assert not signed("Eve, 2026-11-29")
    assert not signed("")
    assert not spells(SCHEME.message, np.array([0]), np.array([-1]))


def test_another_message_makes_other_bits(enrollment: Enrollment) -> None:
    bits = [
        craft(replace(SCHEME, queries=20, message=text), enrollment, seed=1).queries.columns["bit"].tolist()
        for text in ("mine", "yours")
    ]
    assert bits[0] != bits[1]


def test_the_owner_s_words_are_hashed_once_for_each_256_bits() -> None:
    assert (message_bits("mine", 300)[:256] == message_bits("mine", 256)).all()
    assert 100 < message_bits("mine", 256).sum() < 156


def test_without_surrogates_the_source_alone_takes_part(enrollment: Enrollment) -> None:
    alone = craft(replace(SCHEME, queries=20), replace(enrollment, surrogates=held(())), seed=1)
    assert score(SCHEME, alone, alone.source) == 1.0


def test_labels_spell_bits_by_changes_of_class() -> None:
    state = {"group": np.array([0, 0, 1, 1]), "bit": np.array([1, 1, 0, 0]), "number": np.array([0, 0, 1, 1])}
    source = Answers(labels=np.array([0, 1, 0, 0]), scores=np.eye(2, dtype=np.float32)[[0, 1, 0, 0]])
    assert FitPrint().score(state, source, Answers(labels=np.array([1, 0, 1, 1]))) == 1.0
    assert FitPrint().score(state, source, Answers(labels=np.array([1, 0, 1, 0]))) == 0.5
    missing = np.array([True, False, False, False])
    assert FitPrint().least_score(state, source, Answers(labels=np.array([-1, 0, 1, 1])), missing) == 0.5


def test_changes_that_are_too_small_spell_nothing(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="set epsilon or steps higher"):
        craft(replace(SCHEME, queries=8, epsilon=1 / 255, steps=1), enrollment, seed=1)
