"""The schemas of what commands print: as the code makes them, and as real and extreme output needs them.

Tests of the commands read what these print by `tests.printed`, so that each real output is validated, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from modelprint.bench import find_results
from modelprint.cli.app import run
from modelprint.core.verdict import Evidence, FalseAccusations, FormCheck, KindRate, Verdict
from modelprint.ownership.ask import record_answers
from research.schemas import PLACE, PRINTED, path_of, written
from tests.printed import printed, validator
from tests.sealing.world import fingerprint, suspect


@pytest.mark.parametrize("name", PRINTED)
def test_a_committed_schema_is_what_the_records_say(name: str) -> None:
    assert path_of(name).read_text(encoding="utf-8") == written(name), "run `python -m research.schemas`"
    validator(name)


def test_no_schema_stands_without_a_record() -> None:
    assert {path.name for path in PLACE.glob("*.json")} == {path_of(name).name for name in PRINTED}


def verdict(**fields: Any) -> Verdict:
    known = {"score": 0.9, "alpha": 0.05, "threshold": 0.3, "p_value": 0.01, "queries": 200, "access": "labels"}
    names = {"verdict": "derived", "scheme": "adv-tra", "fingerprint": "sha256:00", "suspect": "sha256:01"}
    return Verdict(**{**known, **names, "false_accusations": None, **fields})


FULL = {
    "asked": 0,
    "answered": 0,
    "false_accusations": FalseAccusations(count=0, n=19, upper_95=0.15),
    "details": {"matched": 97, "trajectories": 100, "mean_mutation_rate": 0.04, "other": [1, None]},
    "class_matching": (1, 0),
    "kinds": (
        KindRate(kind="COPY", n=0, p_value=None, covered=False),
        KindRate(kind="SHARED", behind="jpeg", n=19, p_value=0.05, covered=True),
    ),
    "pooled": True,
    "remarks": ("one",),
    "form": FormCheck(answered=9, right=1, beside=0, doubted=True),
    "evidence": (
        Evidence(
            access="weights", scheme="lineage", score=None, threshold=None, p_value=None, kind=None, queries=0,
            says="not-comparable", details={"why": "no weights"},
        ),
    ),
    "relation": "unknown",
}  # fmt: skip


def test_a_verdict_may_lack_what_does_not_apply() -> None:
    plain = printed("verify", verdict().to_json())
    assert not set(FULL) - {"false_accusations", "details"} & set(plain)
    whole = printed("verify", verdict(**FULL).to_json())
    assert (whole["matched"], whole["asked"], whole["details"]["form"]["right"]) == (97, 0, 1)
    assert set(whole) == set(validator("verify").schema["properties"])


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"p_value": 0}, {"verdict": "guilty"}, {"form": None}, {"kinds": [{"kind": "COPY"}]}],
    ids=repr,
)
def test_what_no_verdict_prints_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validator("verify").validate({**json.loads(verdict().to_json()), **change})
    lacking = json.loads(verdict().to_json())
    del lacking["threshold"]
    with pytest.raises(ValidationError):
        validator("verify").validate(lacking)


def test_committed_results_are_described() -> None:
    printed("bench-show", find_results("digits").model_dump_json(by_alias=True))


def test_what_asking_takes_and_what_a_fingerprint_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, answers = tmp_path / "mine.fp", tmp_path / "answers.jsonl"
    fingerprint().save(mine)
    record_answers(fingerprint(), suspect, out=answers)
    capsys.readouterr()
    assert run(["verify", str(mine), str(answers), "--dry-run", "--format", "json"]) == 0
    cost = printed("cost", capsys.readouterr().out)
    assert (cost["queries"], cost["requests"]) == (4, 0)
    assert run(["identify", str(answers), str(mine), "--dry-run", "--format", "json"]) == 0
    assert printed("cost", capsys.readouterr().out) == cost
    assert run(["inspect", str(mine), "--format", "json"]) == 0
    held = printed("inspect", capsys.readouterr().out)
    manifest = json.loads((mine / "manifest.json").read_text())
    assert held == {"identity": fingerprint().identity, "queries": cost["queries"], **manifest}
