"""The one view of results: order, look-up, and what is missing."""

from __future__ import annotations

from statistics import fmean

import pytest

from modelprint.results.records import ALL, Results
from modelprint.results.view import Setting, View
from tests.report.bench.bench_results import bench_results


@pytest.fixture(scope="module")
def results() -> Results:
    return bench_results(sources=2, seeds=2, budgets=(30, 100), side=4)


@pytest.fixture(scope="module")
def view(results: Results) -> View:
    return View(results=results)


def test_both_orders_hold_the_same_settings_and_tables_fall_by_auc(view: View) -> None:
    assert set(view.settings) == set(view.settings_by_auc)
    assert len(view.settings) == len(view.settings_by_auc)
    areas = [area.mean for one in view.settings_by_auc if (area := view.measured(one, "auc")) is not None]
    assert areas == sorted(areas, reverse=True)
    assert {one.budget for one in view.settings[: len(view.leading)]} == {100}


def test_a_figure_is_the_mean_over_seeds_with_the_widest_interval(results: Results, view: View) -> None:
    setting = view.settings_by_auc[0]
    rows = [
        row
        for row in results.rows
        if (row.scheme, row.budget, row.access, row.attack, row.source)
        == (setting.scheme, setting.budget, setting.recorded_access, ALL, ALL)
    ]
    assert len(rows) == 2
    area = view.measured(setting, "auc")
    assert area is not None
    assert area.mean == fmean(row.auc for row in rows if row.auc is not None)
    assert area.low == min(row.intervals["auc"].low for row in rows)
    assert area.high == max(row.intervals["auc"].high for row in rows)


def test_runs_at_the_largest_budget_are_those_from_labels(results: Results, view: View) -> None:
    runs = view.largest_runs("adv-tra")
    assert {(run.budget, run.access) for run in runs} == {(100, "labels")}
    assert len(runs) == len(results.sources) * 2
    assert view.largest("adv-tra") == Setting(scheme="adv-tra", access="labels", budget=100)


def test_a_scheme_that_did_not_run_has_nothing(view: View) -> None:
    assert view.largest("nothing") is None
    assert view.largest_runs("nothing") == []
    unknown = Setting(scheme="nothing", access="labels", budget=100)
    assert view.rows(unknown) == []
    assert view.measured(unknown, "auc") is None
