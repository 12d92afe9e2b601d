"""The printed verdict has the fields that the contract promises, and none beside."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelprint.core.verdict import FalseAccusations, Verdict

FIELDS = ["schema", "verdict", "scheme", "score", "alpha", "threshold", "p_value", "false_accusations", "queries"]
FIELDS += ["access", "fingerprint", "suspect"]
DETAILS = {"matched": 97, "trajectories": 100, "mean_mutation_rate": 0.04}

rates = st.floats(0, 1)
accusations = st.none() | st.builds(FalseAccusations, count=st.integers(0, 50), n=st.integers(50, 200), upper_95=rates)
verdicts = st.builds(
    Verdict,
    verdict=st.sampled_from(["derived", "not-shown", "inconclusive"]),
    scheme=st.just("uap"),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    alpha=st.floats(1e-6, 0.5),
    threshold=st.none() | rates,
    p_value=st.none() | st.floats(1e-6, 1),
    false_accusations=accusations,
    queries=st.integers(0, 10**6),
    access=st.sampled_from(["labels", "scores"]),
    fingerprint=st.just("sha256:00"),
    suspect=st.text(),
    details=st.dictionaries(st.text(), st.integers() | st.text() | st.floats(0, 1)),
    message=st.text(),
)


def example(**changes: object) -> Verdict:
    fields = {
        "verdict": "derived",
        "scheme": "adv-tra",
        "score": 0.97,
        "alpha": 0.05,
        "threshold": 0.31,
        "p_value": 0.0099,
        "false_accusations": {"count": 4, "n": 100, "upper_95": 0.089},
        "queries": 3700,
        "access": "labels",
        "fingerprint": "sha256:00",
        "suspect": "sha256:11",
    }
    return Verdict.model_validate({**fields, **changes})


@given(verdicts)
def test_the_printed_object_reads_back(verdict):
    printed = json.loads(verdict.to_json())
    assert [name for name in printed if name not in DETAILS] == [*FIELDS, "details"]
    assert Verdict.model_validate(printed) == verdict.model_copy(update={"message": ""})


def test_three_details_are_printed_beside_the_others_too():
    printed = json.loads(example(details={**DETAILS, "more": [1, None]}).to_json())
    assert list(printed) == [*FIELDS, *DETAILS, "details"]
    assert printed["schema"] == 1
    assert {name: printed[name] for name in DETAILS} == DETAILS
    assert printed["details"] == {**DETAILS, "more": [1, None]}
    assert list(json.loads(example().to_json())) == [*FIELDS, "details"]


def test_a_verdict_of_before_there_were_details_reads_as_before():
    assert example(**DETAILS) == example(details=DETAILS)
    assert example(**DETAILS, details=DETAILS) == example(details=DETAILS)


@pytest.mark.parametrize(
    "changes",
    [
        {"p_value": 0.0},
        {"p_value": 1.1},
        {"alpha": 0.0},
        {"score": float("nan")},
        {"verdict": "guilty"},
        {"queries": -1},
        {"confidence": 0.99},
        {"details": {"rate": float("nan")}},
        {"details": {"rate": object()}},
        {"details": DETAILS, "matched": 96},
        {"false_accusations": {"count": 0, "n": 0, "upper_95": 1.0}},
    ],
)
def test_records_refuse_what_cannot_be(changes):
    with pytest.raises(ValidationError):
        example(**changes)


def test_records_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        example().verdict = "not-shown"
