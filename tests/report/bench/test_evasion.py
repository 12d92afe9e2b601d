"""The heat map of evasions: its cells are the record's figures, and nothing else of the page is touched by them."""

from __future__ import annotations

from unittest import mock

import pytest

from modelprint.bench import rows
from modelprint.report.bench.evasion import evasion_map
from modelprint.report.bench.render import render_bench
from modelprint.report.drawing.text import percent, plain_name
from modelprint.results.records import Ends, EvasionCost, Results
from modelprint.results.view import View
from tests.report.bench.bench_results import bench_results
from tests.report.html import HOSTILE, Page

EVASIONS = ("jpeg", "noise+label-noise")


@pytest.fixture(scope="module")
def plain() -> Results:
    made = bench_results(sources=2, seeds=1, budgets=(1000,), side=4)
    return made.model_copy(update={"swept": (), "swept_runs": (), "sweeps": ()})


@pytest.fixture(scope="module")
def evaded(plain: Results) -> Results:
    everybody = [model.id for model in plain.suspects]
    copies = [model.id for model in plain.suspects if model.counts_as == "all"]
    kept = {part: {name for name in everybody if name not in copies or name in copies[::part]} for part in (2, 3)}
    behind = [
        run.model_copy(
            update={
                "evasion": evasion,
                "scores": {
                    name: score if name in kept[part] or score is None else score / 9
                    for name, score in run.scores.items()
                },
            }
        )
        for run in plain.runs
        for part, evasion in enumerate(EVASIONS, start=2)
    ]
    with mock.patch.object(rows, "RESAMPLES", 40):
        more = tuple(rows.rows_of(plain.suspects, behind))
    costs = tuple(
        EvasionCost(
            evasion=evasion,
            recipe=(),
            images=500,
            accuracy=dict.fromkeys(copies, 0.9 - lost),
            lost=lost,
            interval=Ends(low=lost - 0.001, high=lost + 0.002),
        )
        for evasion, lost in (("none", 0.0), ("jpeg", 0.013), ("noise+label-noise", 0.04))
    )
    update = {"runs": (*plain.runs, *behind), "rows": (*plain.rows, *more), "evasions": costs}
    return plain.model_copy(update=update)


def test_cells_are_the_figures_of_the_record(evaded: Results) -> None:
    told = evasion_map(View(results=evaded))
    assert told is not None
    assert [row.name for row in told.rows] == ["none", *EVASIONS]
    assert [(row.cost, row.interval) for row in told.rows][1] == ("1.3", "1.2\u20131.5")
    assert told.columns[0] == "adv-tra, 1,000"
    for place, line in enumerate(told.rows):
        evasion = ("none", *EVASIONS)[place]
        (row,) = (
            row
            for row in evaded.rows
            if (row.scheme, row.access, row.attack, row.source, row.evasion)
            == ("adv-tra", "labels", "all", "all", evasion)
        )
        assert line.cells[0].value == f"{row.tpr_at_1:.3f}"
        assert line.cells[0].heat == round(100 * (row.tpr_at_1 or 0))
        assert line.cells[0].seeds.startswith("accused ")


def test_the_sentence_names_the_evasion_that_hides_most(evaded: Results) -> None:
    told = evasion_map(View(results=evaded))
    assert told is not None
    first = {row.name: float(row.cells[0].value) for row in told.rows}
    worst = min(EVASIONS, key=lambda name: first[name])
    assert first[worst] < first["none"]
    assert f"adv-tra falls from {percent(first['none'])[:2]}" in told.reading
    assert f"({worst})" in told.reading.split(";")[0]


def test_the_rest_of_the_page_is_that_of_plain_answers(plain: Results, evaded: Results) -> None:
    assert evaded.plain.model_copy(update={"evasions": ()}) == plain
    assert evasion_map(View(results=plain)) is None
    one = {key: [item for item in getattr(evaded, key) if item.scheme == "agreement"] for key in ("rows", "runs")}
    words = Page(render_bench(evaded.model_copy(update={**one, "regions": ()}))).words
    assert "Thieves who evade" in words
    assert "500 held-out images" in words
    assert "agreement, jpeg" not in words


def test_names_can_do_nothing(evaded: Results) -> None:
    costs = tuple(cost.model_copy(update={"evasion": HOSTILE}) for cost in evaded.evasions)
    told = evasion_map(View(results=evaded.model_copy(update={"evasions": costs})))
    assert told is not None
    assert told.rows[0].name == plain_name(HOSTILE)
