"""Tables of text: every cell filled, ours where measured, published figures to the digit."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import pytest

from modelprint.bench.files import find_results
from modelprint.bench.published import SUSPECTS, published_schemes
from modelprint.bench.tables import detection, extraction, leaderboard, overall, tables_of
from modelprint.core.errors import UsageError
from modelprint.results.files import write_results
from modelprint.results.records import Results
from modelprint.results.view import NOT_MEASURED, View
from tests.contract.test_bench import assert_has_the_contracts_keys
from tests.contract.test_commands import run


def test_no_cell_is_blank(results: Results) -> None:
    for table in tables_of(results):
        assert table.rows
        assert all(len(row) == len(table.columns) and all(cell.strip() for cell in row) for row in table.rows)


def test_the_leaderboard_averages_seeds_and_merges_equal_access_levels(results: Results) -> None:
    table = leaderboard(View(results=results))
    lines = {(row[0], row[2]): row for row in table.rows}
    assert set(lines) == {(scheme, budget) for scheme in ("adv-tra", "agreement") for budget in ("30", "100")}
    assert all(row[1] == "either" for row in table.rows)
    found = [
        row.auc
        for row in results.rows
        if (row.scheme, row.access, row.budget, row.attack, row.source) == ("adv-tra", "labels", 100, "all", "all")
    ]
    assert len(found) == 2
    assert lines["adv-tra", "100"][4].startswith(f"{fmean(auc for auc in found if auc is not None):.3f} (")


def test_table_1_has_both_figures(results: Results) -> None:
    lines = {row[0]: row for row in detection(View(results=results)).rows}
    assert lines["FTAL"][1:7] == ("0.867", "0.058", "0.942", "0.934", "0.954", "0.950")
    rates = [
        run.details[name]["matched"] / run.details[name]["trajectories"]
        for run in results.runs
        if (run.scheme, run.budget, run.access) == ("adv-tra", 100, "labels")
        for name in run.scores
        if name in ("test-source-1-ftal", "test-source-2-ftal")
    ]
    assert lines["FTAL"][12] == f"{fmean(rates):.3f}"
    assert lines["FTAL"][9] == NOT_MEASURED  # IPGuard did not run
    assert lines["prune 20 %"][7:13] == (NOT_MEASURED,) * 6
    assert len(SUSPECTS) == 14
    reported = [figures for figures in published_schemes().values() if figures.detection]
    assert all(set(figures.detection) == {line.name for line in SUSPECTS} for figures in reported)


def test_tables_2_and_3_say_what_is_not_measured(results: Results) -> None:
    lines = {row[0]: row for row in overall(View(results=results)).rows}
    assert list(lines) == [figures.name for figures in published_schemes().values()]
    assert lines["ADV-TRA"][1:7] == (
        "1.00 / 1.00 / 1.00", NOT_MEASURED, "1.00 / 1.00 / 1.00", NOT_MEASURED, "0.88 / 0.90 / 0.96", NOT_MEASURED,
    )  # fmt: skip
    assert lines["ADV-TRA"][7] != NOT_MEASURED
    assert lines["UAP"][7] == NOT_MEASURED
    hl = [row for row in extraction(View(results=results)).rows if row[:2] == ("Knockoff", "ADV-TRA")]
    assert hl[0][2:6] == ("0.93", NOT_MEASURED, "0.86", NOT_MEASURED)


def test_published_tables_are_shown_beside_a_scheme_that_has_published_figures(results: Results) -> None:
    alone = results.model_copy(
        update={
            "rows": tuple(row for row in results.rows if row.scheme == "agreement"),
            "runs": tuple(one for one in results.runs if one.scheme == "agreement"),
        }
    )
    titles = [[table.title for table in tables_of(one)] for one in (results, alone)]
    assert [sum(title.startswith("Table ") for title in some) for some in titles] == [4, 0]
    assert titles[1] == [title for title in titles[0] if not title.startswith("Table ")]


def test_the_json_of_bench_show_is_the_contract(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "a.json")
    shown = json.loads(run("bench", "show", "a.json", "--format", "json", cwd=tmp_path).stdout)
    assert_has_the_contracts_keys(shown)
    kinds = {suspect["kind"] for suspect in shown["suspects"] if suspect["role"] == "independent"}
    assert kinds >= {"SAST", "SHARED"}
    transferred = {suspect["id"] for suspect in shown["suspects"] if suspect["attack"] == "transfer"}
    assert transferred
    assert {one["scores"].get(name) for one in shown["runs"] for name in transferred} == {None}
    text = run("bench", "show", "a.json", cwd=tmp_path).stdout
    for title in ("Table 1", "Table 2", "Table 3", "Table 4", "not measured", "agreement", "T1%F"):
        assert title in text
    (line,) = (line for line in text.splitlines() if line.startswith("FTAL "))
    assert line.split()[1:7] == ["0.867", "0.058", "0.942", "0.934", "0.954", "0.950"]


def test_results_survive_a_file(results: Results, tmp_path: Path) -> None:
    write_results(results, tmp_path / "a.json")
    assert find_results(str(tmp_path / "a.json")) == results
    lines = (tmp_path / "a.json").read_text().splitlines()
    assert len(results.runs) + len(results.suspects) < len(lines) < len(results.rows) + len(results.runs)
    assert sum('"access":"either"' in line for line in lines) > len(results.rows) / 4  # half of them, of label schemes
    with pytest.raises(UsageError, match="neither a benchmark"):
        find_results("nothing")
