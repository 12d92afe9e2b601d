"""docs/theory.md: its experiments ran, none refuted a statement, and the page shows what the committed results say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from research.studies.theory import EXPERIMENTS, is_refuted, networks
from research.tables.theory_tables import certificates, e_values, moved, simulations

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
RESULT = json.loads((ROOT / "benchmarks" / "results" / "theory.json").read_text(encoding="utf-8"))


def test_every_experiment_ran_and_none_refuted_its_statement() -> None:
    names = {experiment.__name__ for experiment in EXPERIMENTS}
    assert names <= set(RESULT["experiments"])
    assert RESULT["refuted"] == []
    assert not [name for name, one in RESULT["experiments"].items() if is_refuted(one)]


def test_every_experiment_and_file_that_the_page_names_is_there() -> None:
    text = PAGE[: PAGE.index("## The simulations")]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) - {"least_score", "bounds_among", "matched_p_value"}
    experiments = {name for name in named if not name.startswith("upper_")}
    assert experiments == set(RESULT["experiments"])
    for path in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(\w+\.json)`", text):
        assert (ROOT / "benchmarks" / "results" / name).exists(), name


@pytest.mark.parametrize("table", [simulations, e_values, certificates, moved])
def test_the_tables_are_those_of_the_committed_results(table: object) -> None:
    rows = [line for line in table().splitlines() if line.startswith("|")]  # type: ignore[operator]
    assert len(rows) > 3
    assert all(row in PAGE for row in rows)


@pytest.mark.slow
def test_the_simulations_come_out_again() -> None:
    """About half a minute of one core."""
    for experiment in EXPERIMENTS:
        assert experiment() == RESULT["experiments"][experiment.__name__]
    for name, one in networks().items():
        assert not is_refuted(one), name
