from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelprint.core.errors import SuspectError
from modelprint.core.suspect import ABSTAINED
from modelprint.suspects.entries import Reading
from modelprint.suspects.interpret import ClassIndex, answers_from_json

INDEX = ClassIndex(names=("cat", "dog", "T-shirt/top"))
LABELS_ONLY: list[tuple[str, Any]] = [
    ("numbers", [2, 0]),
    ("whole floats", [2.0, 0.0]),
    ("columns of one", [[2], [0]]),
    ("names", ["T-shirt/top", "cat"]),
    ("names in another case", [" t-SHIRT/top", "CAT"]),
    ("default names", ["LABEL_2", "LABEL_0"]),
    ("digits", ["2", "0"]),
    ("names in brackets", [["T-shirt/top"], ["cat"]]),
    ("records", [{"label": "T-shirt/top"}, {"label": 0}]),
    ("top 2", [[{"label": "cat", "score": 0.1}, {"label": 2, "score": 0.9}], [{"label": "cat", "score": 1}]]),
    ("one name without a score", [[{"label": "T-shirt/top", "index": 4}], [{"label": "cat"}]]),
    ("two names of one class", [[{"label": "T-shirt/top", "p": 0.4}, {"label": "2", "p": 0.1}], ["cat", 0.3]]),
    ("pairs", [[["cat", 0.1], ["T-shirt/top", 0.9]], [["cat", 0.9], ["dog", 0.1]]]),
    ("side by side", [{"displayNames": ["cat", "T-shirt/top"], "confidences": [0.1, 0.9]}, {"name": "cat"}]),
    ("scores in objects", [{"T-shirt/top": {"confidence": 0.9}, "cat": {"confidence": 0.5}}, {"cat": {"p": 1}}]),
]
WITH_SCORES: list[tuple[str, Any]] = [
    ("rows", [[0.1, 0.2, 0.7], [3.0, -1, 0]]),
    ("by name", [{"dog": 0.2, "cat": 0.1, "T-shirt/top": 0.7}, {"cat": 3.0, "dog": -1, "T-shirt/top": 0}]),
    ("records of rows", [{"scores": [0.1, 0.2, 0.7]}, {"scores": [3, -1, 0]}]),
    (
        "all classes ranked",
        [
            [{"label": "T-shirt/top", "score": 0.7}, {"label": "dog", "score": 0.2}, {"label": "cat", "score": 0.1}],
            [{"label": "cat", "score": 3}, {"label": "T-shirt/top", "score": 0}, {"label": "dog", "score": -1}],
        ],
    ),
]


@pytest.mark.parametrize("values", [case[1] for case in LABELS_ONLY], ids=[case[0] for case in LABELS_ONLY])
def test_labels_in_every_spelling(values: Any) -> None:
    answers = answers_from_json(values, 2, index=INDEX, who="api")
    assert answers.labels.tolist() == [2, 0]
    assert answers.scores is None


@pytest.mark.parametrize("values", [case[1] for case in WITH_SCORES], ids=[case[0] for case in WITH_SCORES])
def test_scores_in_every_spelling(values: Any) -> None:
    answers = answers_from_json(values, 2, index=INDEX, who="api")
    assert answers.labels.tolist() == [2, 0]
    np.testing.assert_allclose(answers.scores, [[0.1, 0.2, 0.7], [3, -1, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("cat", "expected a list with one answer per image"),
        ([1], "1 answers to 2 images"),
        (["cat", "horse"], "class 'horse', which is none of its 3 classes \\(cat, dog"),
        ([0, 3], "answered class 3, expected 0 to 2|class 3, which is none"),
        ([0, -1], "class -1"),
        ([0, True], "class True"),
        ([[0.1, 0.2], [0.3, 0.7]], "2 classes apart, expected 3"),
        ([[0.1, 0.2, 0.7], [0.3, 0.7]], "different numbers of scores"),
        ([[0.1, 0.2, float("nan")], [0.3, 0.3, 0.4]], "NaN"),
        ([[{"label": "cat", "score": float("nan")}], [{"label": "cat", "score": 1}]], "NaN"),
        ([[{"label": "cat", "score": "high"}], [{"label": "cat", "score": 1}]], "'high'"),
        ([{"displayNames": ["cat", "dog"], "confidences": [0.1]}, "cat"], "differ in length"),
        ([0.5, 0.25], "class 0.5|one number per image"),
        (["\x1b[31mred", "cat"], r"\\x1b\[31mred"),
    ],
)
def test_nonsense_is_named(values: Any, message: str) -> None:
    with pytest.raises(SuspectError, match=message):
        answers_from_json(values, 2, index=INDEX, who="api")


@pytest.mark.parametrize("key", ["score", "Confidence", "PROBABILITY", "prob", "value", "p"])
def test_the_highest_score_wins_wherever_it_stands(key: str) -> None:
    row = [{"label": "cat", key: 0.1}, {"label": "dog", key: 0.2}, {"label": "T-shirt/top", key: 0.7, "topicality": 9}]
    for turn in range(3):
        answers = answers_from_json([row[turn:] + row[:turn]], 1, index=INDEX, who="api")
        assert answers.labels.tolist() == [2]
        np.testing.assert_allclose(answers.scores, [[0.1, 0.2, 0.7]], rtol=1e-6)


@pytest.mark.parametrize("names", ["label", "class", "Name", "tagName", "description", "class_name", "displayName"])
def test_the_name_is_found_under_known_keys(names: str) -> None:
    row = [{"id": "x1", names: "cat", "score": 0.1}, {"id": "x2", names: "dog", "score": 0.2}]
    assert answers_from_json([row], 1, index=INDEX, who="api").labels.tolist() == [1]


def test_no_entry_wins_by_its_place_alone() -> None:
    rows: Any = [[{"label": "cat", "rating": 1}, {"label": "dog", "rating": 3}]]
    with pytest.raises(SuspectError, match=r"2 classes with .rating.: .*score = .rating."):
        answers_from_json(rows, 1, index=INDEX, who="api")
    assert answers_from_json(rows, 1, index=INDEX, who="api", reading=Reading(score="rating")).labels.tolist() == [1]
    with pytest.raises(SuspectError, match="entries without 'points', but 'label', 'rating'"):
        answers_from_json(rows, 1, index=INDEX, who="api", reading=Reading(score="points"))
    both: Any = [[{"label": "cat", "score": 1, "p": 0.1}, {"label": "dog", "score": 0, "p": 0.9}]]
    with pytest.raises(SuspectError, match="2 classes with 'score', 'p'"):
        answers_from_json(both, 1, index=INDEX, who="api")
    plain: Any = [[{"label": "dog"}, {"label": "cat"}]]
    with pytest.raises(SuspectError, match=r"without scores \('label'\): .*ranked = true"):
        answers_from_json(plain, 1, index=INDEX, who="api")
    two = ClassIndex(names=("cat", "dog"))
    ranked = answers_from_json(plain, 1, index=two, who="api", reading=Reading(ranked=True))
    assert ranked.labels.tolist() == [1]
    assert ranked.scores is None


@pytest.mark.parametrize("nothing", [[], {}, None, ""])
def test_an_answer_that_names_nothing_is_an_abstention(nothing: Any) -> None:
    for other, label, width in (("dog", 1, None), ([0.1, 0.7, 0.2], 1, 3), ([{"label": "cat", "p": 1}], 0, None)):
        answers = answers_from_json([nothing, other], 2, index=INDEX, who="api")
        assert answers.labels.tolist() == [ABSTAINED, label]
        assert answers.answered.tolist() == [False, True]
        assert (None if answers.scores is None else answers.scores.shape[1]) == width
    assert answers_from_json([nothing], 1, index=INDEX, who="api").labels.tolist() == [ABSTAINED]


def test_names_of_no_class_may_be_abstentions() -> None:
    rows: Any = ["cat", "I am not sure", [{"label": "lion", "p": 0.9}, {"label": "cat", "p": 0.1}]]
    rows += [[{"label": "lion", "p": 0.1}, {"label": "cat", "p": 0.9}]]
    with pytest.raises(SuspectError, match="class 'I am not sure'"):
        answers_from_json(rows, 4, index=INDEX, who="api")
    answers = answers_from_json(rows, 4, index=INDEX, who="api", reading=Reading(others="abstained"))
    assert answers.labels.tolist() == [0, ABSTAINED, ABSTAINED, 0]


def test_aliases_go_first_and_reorder_classes() -> None:
    index = ClassIndex(names=("cat", "dog"), aliases={"0": 1, "1": 0, "hound": 1})
    assert answers_from_json([0, 1, "hound"], 3, index=index, who="api").labels.tolist() == [1, 0, 1]


def test_without_class_names_numbers_still_work() -> None:
    assert answers_from_json([7, "LABEL_3"], 2, index=ClassIndex(), who="api").labels.tolist() == [7, 3]
    with pytest.raises(SuspectError, match="names were not given"):
        answers_from_json(["cat"], 1, index=ClassIndex(), who="api")


@pytest.mark.parametrize("values", [[[10**400, 1, 1]], [{"cat": 10**400, "dog": 1}]])
def test_numbers_beyond_all_measure_are_refused(values: Any) -> None:
    with pytest.raises(SuspectError, match="api gave"):
        answers_from_json(values, 1, index=INDEX, who="api")
