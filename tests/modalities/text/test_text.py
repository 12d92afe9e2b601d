"""Texts as a modality: storage, mixing, typing errors, changes on the way, and what is refused."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import torch

from modelprint.core.errors import DataError
from modelprint.data.labelled import LabelledSet
from modelprint.modalities import MODALITIES
from modelprint.modalities.base import Labelled, read_spec
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.characters import ALIKE
from modelprint.modalities.text.picture import svg
from modelprint.modalities.text.storage import stored_texts, texts_of
from modelprint.modalities.text.swaps import swaps_at, words_changed

TEXTS = ["The old man sleeps", "Évora är stor ja", "drei Bücher und mehr", "un petit café noir"]


def pairs(length: int = 40) -> Labelled:
    return Labelled(stored=stored_texts(TEXTS, length), labels=np.arange(4))


def test_texts_are_stored_as_bytes_and_read_again() -> None:
    stored = pairs().stored
    assert stored.dtype == np.uint8
    assert texts_of(stored) == TEXTS
    assert texts_of(TEXT.as_points(stored)) == TEXTS
    taken = TEXT.to_model(TEXT.as_points(stored), dtype=torch.float64)
    assert taken.dtype == torch.int64
    assert np.array_equal(TEXT.to_stored(taken).numpy(), stored)
    assert TEXT.codec(stored) == "utf-8"
    assert MODALITIES["text"] is TEXT


def test_the_spec_says_the_length_and_the_tokenizer() -> None:
    spec = TEXT.spec((40,), ("a", "b"))
    again = read_spec(spec.model_dump())
    assert again == spec
    assert (spec.shape, spec.tokenizer, spec.described) == ((40,), "utf-8", "at most 40 bytes of UTF-8")
    with pytest.raises(ValueError, match="tokenizer"):
        read_spec({**spec.model_dump(), "tokenizer": "bert"})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (np.uint8([0xE9, 0x20, 0x61]), "text 0 is no UTF-8"),
        (np.uint8([97, 0, 98]), "text 0 has a zero byte inside"),
        (np.float32([97.5, 0, 0]), "whole bytes from 0 to 255"),
        (np.float32([np.nan, 0, 0]), "bytes from 0 to 255"),
        (np.float32([300, 0, 0]), "whole bytes from 0 to 255"),
    ],
)
def test_what_is_no_text_is_refused(row: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        TEXT.check(row[None])


def test_a_set_of_texts_is_bytes() -> None:
    with pytest.raises(DataError, match="expected texts as uint8"):
        LabelledSet(
            name="words", stored=np.zeros((1, 4), np.float32), labels=np.zeros(1, int), class_names=("a", "b"),
            modality=TEXT,
        )  # fmt: skip
    with pytest.raises(DataError, match="more than 3"):
        stored_texts(["four"], 3)


def test_a_mixture_is_a_head_and_a_tail_of_two_classes() -> None:
    data = pairs()
    mixed = TEXT.mix(data, 200, generator=torch.Generator().manual_seed(0))
    for text, label in zip(texts_of(mixed.stored), mixed.labels, strict=True):
        parts = [
            (head, tail, cut)
            for head in range(4)
            for tail in range(4)
            for cut in range(len(text) + 1)
            if head != tail and TEXTS[head].startswith(text[:cut]) and TEXTS[tail].endswith(text[cut:])
        ]
        assert parts
        assert any(
            label == (head if len(text[:cut].encode()) > len(text[cut:].encode()) else tail)
            for head, tail, cut in parts
        )
    assert len(set(texts_of(mixed.stored))) > 20
    with pytest.raises(ValueError, match="two classes"):
        TEXT.mix(data.take(np.zeros(3, int)), 2, generator=torch.Generator())


def test_mixtures_fit_the_length_and_end_at_whole_characters() -> None:
    length = max(len(text.encode()) for text in TEXTS)
    TEXT.check(TEXT.mix(pairs(length), 200, generator=torch.Generator().manual_seed(1)).stored)


def test_a_neighbour_has_one_typing_error() -> None:
    beside = TEXT.neighbours(pairs())
    assert len(beside) == 4
    for before, after in zip(TEXTS, texts_of(beside.stored), strict=True):
        assert words_changed(before, after) == 1 / len(before.split())
    again = TEXT.neighbours(pairs())
    assert np.array_equal(beside.stored, again.stored)
    assert not len(TEXT.neighbours(Labelled(stored=stored_texts(["12 3"], 8), labels=np.zeros(1, int))))


def test_no_swap_removes_a_word_or_touches_a_space() -> None:
    for place in range(len("a b c")):
        for swap in swaps_at("a b c", place):
            assert len(swap.applied("a b c").split()) == 3
    assert not swaps_at("a b", 1)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("lower", "The Old", "the old"),
        ("whitespace", " the \t old\u200b ", "the old"),
        ("accents", "Évora är", "Evora ar"),
    ],
)
def test_changes_on_the_way(name: str, before: str, after: str) -> None:
    points = TEXT.as_points(stored_texts([before], 24))
    assert texts_of(TEXT.transforms[name]()(points)) == [after]


def test_look_alikes_are_letters_of_other_scripts_that_normalisation_does_not_undo() -> None:
    assert len(ALIKE) == 23
    for latin, other in ALIKE.items():
        assert unicodedata.name(latin).startswith("LATIN")
        assert unicodedata.name(other).startswith("CYRILLIC")
        assert unicodedata.normalize("NFKC", other) == other
    points = TEXT.as_points(stored_texts(TEXTS, 60))
    change = TEXT.transforms["homoglyphs"]()
    changed = texts_of(change(points, seed=1))
    assert changed != TEXTS
    assert [[{v: k for k, v in ALIKE.items()}.get(one, one) for one in text] for text in changed] == [
        [*t] for t in TEXTS
    ]
    assert texts_of(change(points, seed=1)) == changed  # the same input meets the same fate
    full = TEXT.as_points(stored_texts(["aaaa"], 4))
    assert texts_of(change(full)) == ["aaaa"]  # two bytes a letter would not fit


def test_typing_errors_change_the_share_of_words_that_was_asked_for() -> None:
    text = "several plain words stand here " * 30
    points = TEXT.as_points(stored_texts([text.strip()], 1000))
    (after,) = texts_of(TEXT.transforms["spelling"]()(points))
    assert 0.03 < words_changed(text.strip(), after) < 0.2


def test_the_drawing_marks_changed_words() -> None:
    plain, marked = svg("teh old man"), svg("teh old man", before="the old man")
    assert "#ffd479" not in plain
    assert marked.count("#ffd479") == 3
    assert "&lt;b&gt;" in svg("<b>")
    assert svg("word " * 100).count("<text") == 8
    assert TEXT.picture(pairs().stored[0]).startswith("data:image/svg+xml;base64,")
