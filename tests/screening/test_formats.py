"""Results in other tools' formats, checked by these tools' own libraries."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sarif_pydantic import Sarif

from modelprint.screening.formats import written
from modelprint.screening.formats.sarif import sarif
from modelprint.screening.records import Pair, Savings, Screen, SuspectRow
from modelprint.screening.registry import Entry

ENTRIES = [Entry(name="mine", identity="sha256:" + "a" * 64, owner="Alice", added="2026-01-01T00:00:00+00:00")]


def screen(folder: str = "/models") -> Screen:
    names = {name: f"{folder}/{name} x.onnx" for name in ("copy", "other", "odd\nname", "bad")}
    rows = (
        SuspectRow(suspect=names["copy"], sha256="sha256:" + "b" * 64, verdict="derived", owner="mine", message="yes"),
        SuspectRow(suspect=names["other"], sha256="sha256:" + "c" * 64, verdict="not-shown", message="no"),
        SuspectRow(suspect=names["odd\nname"], sha256="sha256:" + "d" * 64, verdict="inconclusive", message="too few"),
        SuspectRow(suspect=names["bad"], error="is no model", message="is no model"),
    )
    pairs = (
        Pair(
            suspect=names["copy"], fingerprint="mine", verdict="derived", score=1.0, p_value=0.01, p_corrected=0.01,
            access="weights", relation="from-weights",
        ),
        Pair(suspect=names["other"], fingerprint="mine", verdict="not-shown", p_value=0.5, p_corrected=0.5),
        Pair(suspect=names["odd\nname"], fingerprint="mine", verdict="inconclusive"),
    )  # fmt: skip
    return Screen(
        pairs=pairs, suspects=rows, method="holm", expected_false_positives=0.15, alpha=0.05, savings=Savings(pairs=3),
        notes=("few models",),
    )  # fmt: skip


def test_sarif_is_what_its_library_reads() -> None:
    log = sarif(screen(), ENTRIES)
    parsed = Sarif.model_validate(log)
    (one,) = parsed.runs
    assert [(result.rule_id, result.level.value) for result in one.results or ()] == [
        ("modelprint/derived", "error"),
        ("modelprint/inconclusive", "warning"),
        ("modelprint/unreadable", "warning"),
    ]
    first = log["runs"][0]["results"][0]
    assert first["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "file:///models/copy%20x.onnx"
    assert first["properties"]["p_corrected"] == 0.01
    assert first["properties"]["fingerprint"] == ENTRIES[0].identity
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in log["runs"][0]["results"])


@pytest.mark.skipif("MODELPRINT_SARIF_SCHEMA" not in os.environ, reason="MODELPRINT_SARIF_SCHEMA names no schema")
def test_sarif_fits_the_published_schema() -> None:
    """`sarif-2.1.0.json` lies in the npm package @microsoft/sarif-multitool-linux (`npm pack`); no wheel holds it.

    Last run on 2026-11-29 with that of version 5.7.0: no error. The package's own program (`Sarif.Multitool validate`)
    found no error, and asks for `informationUri` and for lines of the model files, which have none.
    """
    import jsonschema

    schema = json.loads(Path(os.environ["MODELPRINT_SARIF_SCHEMA"]).read_text("utf-8-sig"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(sarif(screen(), ENTRIES))] == []
    assert not validator.is_valid({"version": "2.1.0"})  # it does look


def test_sarif_fingerprints_do_not_depend_on_the_place() -> None:
    def fingerprints(folder: str) -> list[dict[str, str]]:
        return [result["partialFingerprints"] for result in sarif(screen(folder), ENTRIES)["runs"][0]["results"]]

    here, there = fingerprints("/models"), fingerprints("elsewhere")
    assert here[:2] == there[:2]  # of what has a hash
    assert len({one["modelprint/v1"] for one in here}) == 3


def test_cyclonedx_is_valid_by_its_library() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = written(screen(), "cyclonedx", entries=ENTRIES)
    newest = max(SchemaVersion, key=lambda version: version.value)
    assert JsonStrictValidator(newest).validate_str(text) is None
    bill = json.loads(text)
    assert bill["specVersion"] == newest.to_version()
    models = {one["name"]: one for one in bill["components"]}
    copy = models["/models/copy x.onnx"]
    assert copy["pedigree"]["ancestors"][0]["name"] == "mine"
    assert copy["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    other = models["/models/other x.onnx"]
    assert "pedigree" not in other
    said = {one["name"]: one["value"] for one in other["properties"]}
    assert said["modelprint:ancestry"] == "unknown"


def test_tables_hold_one_line_for_each_suspect() -> None:
    text = written(screen(), "table", entries=ENTRIES)
    lines = text.split("\n")
    assert lines[0].split() == ["suspect", "verdict", "owner", "p", "corrected", "read", "queries", "relation"]
    assert len([line for line in lines if "x.onnx" in line and ":" not in line.split("x.onnx")[1][:1]]) == 4
    assert any("at most 0.15 are expected" in line for line in lines)


def test_json_round_trips() -> None:
    text = written(screen(), "json", entries=ENTRIES)
    assert Screen.model_validate_json(text) == screen()


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from modelprint.core.errors import UsageError

    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(UsageError, match=r"modelprint\[sbom\]"):
        written(screen(), "cyclonedx", entries=ENTRIES)
