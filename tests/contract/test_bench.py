"""`modelprint zoo build digits && modelprint bench run digits` within three minutes, and the JSON of `bench show`.

The three minutes are slow tests, 100 s of a processor. The JSON of a tiny benchmark is tested in tests/bench, too.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_commands import run
from tests.printed import printed as as_described

ROW = {
    "scheme", "attack", "family", "source", "access", "budget", "queries", "evasion", "seed", "auc", "tpr_at_1",
    "tpr_at_10", "tpr_verdict", "fpr_verdict", "intervals", "n_derived", "n_independent",
}  # fmt: skip
SUSPECT = {"id", "role", "kind", "attack", "family", "source", "accuracy", "agreement"}
RUN = {"scheme", "access", "budget", "evasion", "seed", "scores"}
MINUTES = 3.0


def spawn(*words: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelprint", *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr


def assert_has_the_contracts_keys(shown: dict[str, Any]) -> None:
    """What `bench show --format json` prints of any benchmark."""
    assert {"rows", "suspects", "runs", "provenance"} <= set(shown)
    assert shown["rows"]
    assert shown["runs"]
    assert all(set(row) >= ROW for row in shown["rows"])
    assert all(set(suspect) >= SUSPECT for suspect in shown["suspects"])
    assert all(set(one) >= RUN for one in shown["runs"])
    assert {suspect["role"] for suspect in shown["suspects"]} == {"derived", "independent"}
    names = {suspect["id"] for suspect in shown["suspects"]}
    assert len(names) == len(shown["suspects"])
    assert all(set(one["scores"]) <= names for one in shown["runs"])


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    folder = tmp_path_factory.mktemp("bench")
    started = time.monotonic()
    spawn("zoo", "build", "digits", "--folder", "zoo", "--jobs", "2", cwd=folder)
    spawn(
        "bench", "run", "digits", "--zoo", "zoo", "--folder", "cells", "--out", "digits.json", "--jobs", "2", cwd=folder
    )
    return folder, (time.monotonic() - started) / 60


@pytest.fixture(scope="module")
def shown(digits: tuple[Path, float]) -> dict[str, Any]:
    done = run("bench", "show", "digits.json", "--format", "json", cwd=digits[0])
    results: dict[str, Any] = as_described("bench-show", done.stdout)
    return results


@pytest.mark.slow
def test_it_takes_less_than_three_minutes(digits: tuple[Path, float]) -> None:
    assert digits[1] < MINUTES


@pytest.mark.slow
def test_the_json_is_the_contract(shown: dict[str, Any]) -> None:
    assert_has_the_contracts_keys(shown)
    kinds = {suspect["kind"] for suspect in shown["suspects"] if suspect["role"] == "independent"}
    assert kinds == {"SAST", "SADT", "DAST", "DADT", "SHARED"}
    assert {row["evasion"] for row in shown["rows"]} == {"none"}
    assert {(row["scheme"], row["access"]) for row in shown["rows"] if row["attack"] == "all"} >= {
        (scheme, access) for scheme in ("adv-tra", "accuracy", "agreement") for access in ("labels", "scores")
    }
    assert {"transfer", "all", "fine-tuning", "extraction"} <= {row["attack"] for row in shown["rows"]}


@pytest.mark.slow
def test_adv_tra_beats_the_controls_on_fine_tuned_copies(shown: dict[str, Any]) -> None:
    found = {
        row["scheme"]: row
        for row in shown["rows"]
        if (row["attack"], row["source"], row["access"], row["budget"]) == ("fine-tuning", "all", "labels", 4000)
    }
    assert found["adv-tra"]["auc"] > 0.95 > found["agreement"]["auc"]
    assert found["adv-tra"]["tpr_verdict"] > found["accuracy"]["tpr_verdict"]
    assert found["adv-tra"]["fpr_verdict"] < 0.3


@pytest.mark.slow
def test_transfer_has_no_score_where_classes_differ(shown: dict[str, Any]) -> None:
    transferred = {suspect["id"] for suspect in shown["suspects"] if suspect["attack"] == "transfer to 5 classes"}
    assert transferred
    scores = {
        (one["scheme"], one["access"], one["scores"][name])
        for one in shown["runs"]
        for name in transferred
        if name in one["scores"]
    }
    unscored = {scheme for scheme, _, score in scores if score is None}
    assert unscored >= {"adv-tra", "uap", "contrast", "residual"}
    numbers = [(scheme, access, score) for scheme, access, score in scores if score is not None]
    assert {(scheme, access) for scheme, access, _ in numbers} == {("lineage", "weights")}  # whatever the classes
    assert all(score > 0.9 for _, _, score in numbers)


@pytest.mark.slow
def test_tables_stand_beside_the_published_figures(digits: tuple[Path, float]) -> None:
    text = run("bench", "show", "digits.json", cwd=digits[0]).stdout
    for title in ("Table 1", "Table 2", "Table 3", "Table 4", "not measured", "agreement", "T1%F"):
        assert title in text
    (line,) = (line for line in text.splitlines() if line.startswith("FTLL "))
    assert line.split()[1:7] == ["0.868", "0.043", "0.978", "0.956", "0.958", "0.952"]


def test_bad_input(tmp_path: Path) -> None:
    assert "neither a benchmark" in run("bench", "show", "nonsense", cwd=tmp_path, code=2).stderr
    assert "is not there" in run("bench", "show", "gone.json", cwd=tmp_path, code=1).stderr
    (tmp_path / "other.json").write_text("{}")
    assert "does not hold results" in run("bench", "show", "other.json", cwd=tmp_path, code=1).stderr
    assert "unknown benchmark" in run("bench", "run", "nonsense", cwd=tmp_path, code=2).stderr
    assert "zoo build digits" in run("bench", "run", "digits", "--zoo", "none", cwd=tmp_path, code=1).stderr
