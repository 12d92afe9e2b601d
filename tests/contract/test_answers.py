"""The JSON of `bench answers`, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.test_answers import synthetic, written
from tests.contract.test_bench import ROW, RUN, SUSPECT
from tests.contract.test_commands import run
from tests.printed import printed as as_described

WORDS = ("bench", "answers", "table.npz", "--families", "families.json")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    written(folder, *synthetic())
    return folder


def test_answers_prints_rows_with_provenance(place: Path) -> None:
    done = run(*WORDS, "--scheme", "akh,fbi,contrast", "--budget", "100", "--seed", "3", "--format", "json", cwd=place)
    found = as_described("bench-answers", done.stdout)
    assert {"rows", "suspects", "runs", "provenance"} <= set(found)
    for what, keys in (("rows", ROW), ("suspects", SUSPECT), ("runs", RUN)):
        assert all(keys <= set(entry) for entry in found[what])
    sources = {f"f{number}" for number in range(9)}
    assert {(row["scheme"], row["source"]) for row in found["rows"]} == {
        (scheme, source) for scheme in ("akh", "fbi", "contrast") for source in (*sources, "all")
    }
    assert {(row["access"], row["budget"], row["seed"], row["attack"]) for row in found["rows"]} == {
        ("labels", 100, 3, "all")
    }
    told = found["provenance"]
    assert {"date", "versions", "revision", "answers", "families", "splits"} <= set(told)
    for source, parts in told["splits"].items():
        families = [name for part in ("selection", "calibration", "independent") for name in parts[part]]
        assert len(families) == len(set(families)) == 10
        assert source not in families


def test_what_answers_prints_is_a_file_of_results(place: Path) -> None:
    done = run(*WORDS, "--scheme", "akh", "--format", "json", cwd=place)
    (place / "results.json").write_text(done.stdout)
    shown = run("bench", "show", "results.json", "--format", "json", cwd=place)
    assert as_described("bench-show", shown.stdout) == json.loads(done.stdout)
    assert "akh" in run("bench", "show", "results.json", cwd=place).stdout
    table = run(*WORDS, "--scheme", "akh", cwd=place).stdout
    assert "56 models, 400 images, 9 sources" in table
    assert "worst source" in table


def test_errors_say_what_is_wrong(place: Path) -> None:
    assert "unknown scheme for answer tables" in run(*WORDS, "--scheme", "akh,magic", cwd=place, code=2).stderr
    assert "table has 400 images" in run(*WORDS, "--budget", "401", cwd=place, code=1).stderr
    missing = ("bench", "answers", "none.npz", "--families", "families.json")
    assert "none.npz does not exist" in run(*missing, cwd=place, code=1).stderr
