"""The page of a benchmark: its figures are those of the record, its parts are there or said to be missing."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from modelprint.report.bench.boxes import grouped_scores
from modelprint.report.bench.families import family_table
from modelprint.report.bench.leaderboard import NOT_MEASURED, leaderboard
from modelprint.report.bench.queries import query_lines
from modelprint.report.bench.regions import slice_labels
from modelprint.report.bench.render import render_bench, write_bench_report
from modelprint.report.bench.roc import scheme_curve
from modelprint.report.bench.suspects import judgements, suspect_section
from modelprint.report.bench.swept import swept_sections
from modelprint.results.knobs import by_label
from modelprint.results.records import JudgedModel, Results
from modelprint.results.view import Setting, View
from tests.report.bench.bench_results import bench_results
from tests.report.html import HOSTILE, Page

MOST_BYTES = 2_000_000
ADV_TRA = Setting(scheme="adv-tra", access="either", budget=1000)


@pytest.fixture(scope="module")
def results() -> Results:
    return bench_results()


@pytest.fixture(scope="module")
def view(results: Results) -> View:
    return View(results=results)


@pytest.fixture(scope="module")
def html(results: Results) -> str:
    return render_bench(results)


@pytest.fixture(scope="module")
def few() -> Results:
    """One source, one seed, one budget; nothing swept."""
    made = bench_results(sources=1, seeds=1, budgets=(1000,), side=4)
    return made.model_copy(update={"swept": (), "swept_runs": (), "sweeps": ()})


@pytest.fixture(scope="module")
def few_html(few: Results) -> str:
    return render_bench(few)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def the_row(results: Results, **wanted: object) -> list[float]:
    rows = [row for row in results.rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert rows
    return [row.tpr_at_1 for row in rows if row.tpr_at_1 is not None]


def test_it_loads_nothing_and_runs_nothing(page: Page, html: str) -> None:
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "a"} & set(page.tags)
    loads = [value for _, name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    assert loads
    assert all(value.startswith("data:image/png;base64,") for value in loads)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(|<[^>]*\bid=", html)
    assert "default-src 'none'" in html
    assert len(html.encode()) < MOST_BYTES


def test_every_picture_is_described(page: Page, html: str) -> None:
    pictures = html.count("<svg")
    assert pictures > 20
    assert len(re.findall(r"<svg[^>]*role=\"img\"[^>]*aria-label=\"[^\"]{20,}\"", html)) == pictures
    maps = [value for tag, name, value in page.attributes if tag == "div" and name == "aria-label"]
    assert len(maps) == html.count('class="map"') > 10


def test_the_same_results_give_the_same_page(few: Results, few_html: str, tmp_path: Path) -> None:
    write_bench_report(few, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == few_html


def test_every_section_is_there(page: Page) -> None:
    for title in (
        "Leaderboard", "Smaller budgets", "Which attacks are found", "ROC curves", "Scores of copies",
        "Epochs of fine-tuning", "Pruning rate", "Adversarial training budget", "AUC against classes spanned",
        "AUC against total length", "AUC against brake factor", "Decision regions", "How many queries it takes",
        "Wrong verdicts", "All suspects", "modelprint bench run made-up", "modelprint report made-up",
    ):  # fmt: skip
        assert title in page.words


def test_the_leaderboard_shows_the_rows_figures(results: Results, view: View) -> None:
    board = leaderboard(view)
    budgets = {row.budget for row in board.first}
    assert budgets == {"1,000"}
    assert {row.name for row in board.first} == {"adv-tra", "sac", "accuracy", "agreement"}
    assert {row.name for row in board.first if row.control} == {"accuracy", "agreement"}
    assert len(board.first) + len(board.others) == len(view.settings)
    first = board.first[[row.name for row in board.first].index("adv-tra")]
    shown = the_row(results, scheme="adv-tra", attack="all", source="all", access="labels", budget=1000)
    assert len(shown) == 2
    assert first.cells[1].value == f"{fmean(shown):.3f}"
    assert first.cells[1].seeds == f"{min(shown):.2f}\u2013{max(shown):.2f}"
    assert first.n == "18 / 38"
    assert first.queries == "972"
    assert first.craft == "2.5"


def test_labels_and_scores_are_one_row_only_where_they_give_the_same(view: View) -> None:
    accesses = {(setting.scheme, setting.access) for setting in view.leading}
    assert accesses == {
        ("adv-tra", "either"),
        ("sac", "labels"),
        ("sac", "scores"),
        ("agreement", "either"),
        ("accuracy", "either"),
    }


def test_readings_are_about_the_scheme_that_finds_most_copies(view: View, page: Page) -> None:
    found = {one: view.measured(one, "tpr_at_1") for one in view.leading if not one.control}
    most = max(told.mean for told in found.values() if told is not None)
    assert view.best is not None
    assert [told.mean for one, told in found.items() if one == view.best and told is not None] == [most]
    name = view.best.name
    assert leaderboard(view).reading.startswith(f"{name} finds")
    assert f"At 1 % FPR {name} finds nine in ten" in page.words
    assert f"Under {name}, the median copy" in page.words
    assert page.words.count(f"{name} scores") == 3


def test_few_independents_are_mentioned(view: View) -> None:
    assert (
        "38 independent models, TPR at 1\u202f% FPR is the share found at no false positive" in leaderboard(view).note
    )
    many = View(results=bench_results(sources=1, seeds=1, budgets=(100,), independents=100))
    assert "at no false positive" not in leaderboard(many).note


def test_the_readings_name_the_best_scheme_and_control(results: Results, view: View) -> None:
    def share(scheme: str, access: str) -> float:
        rows = the_row(results, scheme=scheme, attack="all", source="all", access=access, budget=1000)
        return fmean(rows)

    shares = {
        "adv-tra": share("adv-tra", "labels"),
        "sac, labels": share("sac", "labels"),
        "sac, scores": share("sac", "scores"),
    }
    reading = leaderboard(view).reading
    name, told = reading.split(" finds ", 1)
    assert shares[name] == max(shares.values())
    assert "of 18 copies at 1\u202f% FPR, judged beside 38 independent models" in told
    assert told.startswith(f"{100 * shares[name]:.1f}".removesuffix(".0"))
    assert f"the best control, agreement, finds {100 * share('agreement', 'labels'):.1f}" in reading


def test_families_against_schemes(results: Results, view: View) -> None:
    table = family_table(view)
    assert [row.name for row in table.rows][-2:] == ["worthless", "transfer"]
    column = list(table.columns).index("adv-tra")
    for row in table.rows:
        shares = the_row(results, scheme="adv-tra", attack=row.name, source="all", access="labels", budget=1000)
        assert row.cells[column].value == (f"{fmean(shares):.3f}" if shares else NOT_MEASURED)
        assert row.cells[column].heat == (round(100 * fmean(shares)) if shares else None)
    assert {row.name: row.n for row in table.rows}["fine-tuning"] == "6"
    sac = list(table.columns).index("sac, labels")
    assert table.rows[-1].cells[sac].value == NOT_MEASURED


def test_roc_is_the_mean_over_sources_of_each_ones_curve(results: Results, view: View) -> None:
    fpr, tpr = scheme_curve(view, ADV_TRA) or (np.array([]), np.array([]))
    kinds = {model.id: model.counts_as for model in results.suspects}
    for rate in (0.0, 0.1, 0.5):
        expected = []
        for run in view.runs(ADV_TRA):
            told = [(kinds[name] == "all", score) for name, score in run.scores.items()
                    if score is not None and kinds[name] in ("all", "independent")]  # fmt: skip
            truth, scores = zip(*told, strict=True)
            false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
            expected.append(true[false <= rate + 1e-12].max())
        assert tpr[fpr <= rate + 1e-12].max() == pytest.approx(np.mean(expected))


def test_the_curve_at_one_percent_is_the_rows_figure(results: Results, view: View) -> None:
    fpr, tpr = scheme_curve(view, ADV_TRA) or (np.array([]), np.array([]))
    shares = the_row(results, scheme="adv-tra", attack="all", source="all", access="labels", budget=1000)
    assert tpr[fpr <= 0.01].max() == pytest.approx(fmean(shares), abs=1e-5)  # rows are rounded


def test_boxes_hold_each_model_once_per_source(results: Results, view: View) -> None:
    groups = grouped_scores(view, ADV_TRA)
    assert next(iter(groups))[0] == "derived"
    sizes = {group: len(scores) for (_, group), scores in groups.items()}
    assert sizes["pruning"] == 6
    assert sizes["SAST"] == 20
    assert sizes["others\u2019 copies"] == 18
    assert sizes["worthless"] == 2
    assert sum(sizes.values()) == len({(run.source, name) for run in view.runs(ADV_TRA) for name in run.scores})
    details = [
        run.details["test-source-1-rtal"]["matched"] / 25 for run in view.runs(ADV_TRA) if run.source.endswith("1")
    ]
    rtal = groups["derived", "fine-tuning"]
    assert np.isclose(rtal, fmean(details)).any()


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("FTAL", ("epochs", "FTAL", 10.0)),
        ("RTLL, 1 epoch", ("epochs", "RTLL", 1.0)),
        ("RTAL, 30 epochs", ("epochs", "RTAL", 30.0)),
        ("prune 20 %", ("pruned", "not fine-tuned", 20.0)),
        ("prune 80 %, fine-tuned", ("pruned", "then fine-tuned", 80.0)),
        ("adversarial 0.003", ("budget", "adversarial training", 0.003)),
    ],
)
def test_labels_of_attacks_are_read(label: str, told: tuple[str, str, float]) -> None:
    found = by_label(label)
    assert found is not None
    assert (found.knob, found.line, found.value) == told


@pytest.mark.parametrize(
    "label", [None, "", "fine-pruned", "extracted, then pruned", "FTAL, 3 epochs, again", "prune %"]
)
def test_other_labels_have_no_knob(label: str | None) -> None:
    assert by_label(label) is None


def test_swept_charts_say_every_point(results: Results, view: View) -> None:
    epochs, pruned, budget = swept_sections(view)
    assert [section.title for section in (epochs, pruned, budget)] == [
        "Epochs of fine-tuning", "Pruning rate", "Adversarial training budget"
    ]  # fmt: skip
    assert "FTLL: 1 → 0.900, 3 → 0.900, 10 → 0.900, 30 → 0.900" in epochs.accuracy.svg
    assert "not fine-tuned: 10 → 0.850, 20 → 0.900, 40 → 0.880, 50 → 0.650, 90 → 0.450" in pruned.accuracy.svg
    assert "adversarial training: 0.003 →" in budget.accuracy.svg
    chart = next(figure for figure in epochs.schemes if figure.title == "adv-tra")
    runs = [run for run in results.swept_runs if (run.scheme, run.access, run.budget) == ("adv-tra", "labels", 1000)]
    mean = fmean(run.details["sweep-source-1-rtal-30-epochs"]["matched"] / 25 for run in runs)
    assert f"30 → {mean:.3f}" in chart.svg
    assert {figure.title for figure in epochs.schemes} == {"adv-tra", "sac, labels", "sac, scores", "agreement"}


def test_queries_against_what_is_found(results: Results, view: View) -> None:
    lines = {line.name: line for line in query_lines(view, "pruning")}
    points = {point.x: point.y for point in lines["adv-tra"].points}
    for budget in (100, 1000):
        shares = the_row(results, scheme="adv-tra", attack="pruning", source="all", access="labels", budget=budget)
        assert points[budget] == pytest.approx(fmean(shares))
    assert query_lines(view, "no such family") == []


def test_wrong_verdicts_are_listed_by_name(results: Results, view: View, page: Page) -> None:
    judged = judgements(view, ADV_TRA)
    missed, accused = set(), set()
    for model in results.suspects:
        for run in view.runs(ADV_TRA):
            score = run.scores.get(model.id)
            assert run.threshold is not None
            if score is not None and model.counts_as == "all" and score <= run.threshold:
                missed.add(model.id)
            if score is not None and model.counts_as == "independent" and score > run.threshold:
                accused.add(model.id)
    assert missed
    assert accused
    errors = next(one for one in suspect_section(view).errors if one.name == "adv-tra")
    assert {name.split(" ")[0] for name in errors.missed} == missed
    assert {name.split(" ")[0] for name in errors.called_derived} == accused
    assert (errors.missed_of, errors.called_of) == (18, 38)
    assert f"Copies missed, {len(missed)} of 18:" in page.words
    assert judged["test-sast-00"].verdicts == 4
    worthless = "test-source-1-adversarial-0.1"
    assert worthless not in missed
    assert worthless in page.words


def test_every_suspect_has_its_mean_score(results: Results, view: View) -> None:
    tables = suspect_section(view).tables
    columns = [name for table in tables for name in table.columns]
    assert columns == [setting.name for setting in view.leading]
    assert all({row.id for row in table.rows} == {model.id for model in results.suspects} for table in tables)
    place = columns.index("adv-tra")
    row = next(row for row in tables[place // 5].rows if row.id == "test-source-2-ftal")
    scores = [run.scores[row.id] for run in view.runs(ADV_TRA) if run.source == "source-2"]
    assert row.cells[place % 5].score == f"{fmean(score for score in scores if score is not None):.3f}"
    assert [one.role for one in tables[0].rows] == sorted(one.role for one in tables[0].rows)


def test_points_that_coincide_in_eight_bits_are_told(page: Page) -> None:
    assert "Rounded, all neighbouring points would stay distinct at every setting." in page.words
    assert "would coincide, at 3 of 4 settings; most at total length 288 (m = 9), 28.8 % of them." in page.words


def test_regions_start_with_the_source(results: Results, page: Page) -> None:
    labels = results.regions[0].labels
    assert page.words.index("Source source-1") < page.words.index("like the source")
    assert page.words.count("like the source") == len(labels) - 1
    first = slice_labels(labels["source-1"], 9)
    assert first is not None
    assert first.shape == (9, 9)
    assert slice_labels("012", 2) is None


def test_one_source_and_few_parts(few_html: str, page: Page) -> None:
    words = Page(few_html).words
    assert "Not measured: there is one budget only." in words
    assert "Not measured: no variants of a scheme were run." in words
    assert "Smaller budgets" not in words
    assert "after “seeds” the range" not in words
    assert "after “seeds” the range" in page.words


def test_nothing_measured_at_all(results: Results) -> None:
    nothing = {"rows": (), "runs": (), "suspects": (), "swept": (), "swept_runs": (), "sweeps": (), "regions": ()}
    empty = results.model_copy(update={**nothing, "sources": {}, "provenance": {}})
    words = Page(render_bench(empty)).words
    assert "no scheme\u2019s figures were measured" in words
    assert words.lower().count("not measured") >= 5


def test_null_scores_and_broken_slices(results: Results) -> None:
    runs = tuple(
        run.model_copy(
            update={"scores": dict.fromkeys(run.scores), "threshold": None, "calibration": {}, "details": {}}
        )
        for run in results.runs
    )
    empty = dict.fromkeys(("auc", "tpr_at_1", "tpr_at_10", "tpr_verdict", "fpr_verdict"))
    rows = tuple(row.model_copy(update={**empty, "intervals": {}}) for row in results.rows)
    regions = tuple(one.model_copy(update={"side": 7}) for one in results.regions)
    broken = results.model_copy(update={"runs": runs, "swept_runs": (), "rows": rows, "regions": regions})
    words = Page(render_bench(broken)).words
    assert "Verdicts not measured: no calibration models." in words
    assert "like the source" not in words


def test_a_model_that_the_record_does_not_name(few: Results) -> None:
    lost = few.suspects[0]
    words = Page(render_bench(few.model_copy(update={"suspects": few.suspects[1:]}))).words
    tables = words[words.index("All suspects") :]
    assert f" {few.suspects[1].id} " in tables
    assert f" {lost.id} " not in tables


def test_names_can_do_nothing(few: Results) -> None:
    text = few.model_dump_json(by_alias=True).replace("test-source-1-rtal", "HOSTILE").replace("made-up", "NAME")
    hostile = Results.model_validate_json(text)
    rename = {"HOSTILE": HOSTILE}
    suspects = tuple(
        JudgedModel(**{**model.model_dump(), "id": rename.get(model.id, model.id),
                       "attack": HOSTILE if model.id == "HOSTILE" else model.attack}) for model in hostile.suspects
    )  # fmt: skip
    runs = tuple(
        run.model_copy(update={"scores": {rename.get(name, name): score for name, score in run.scores.items()}})
        for run in hostile.runs
    )
    regions = tuple(
        one.model_copy(update={"labels": {rename.get(name, name): slices for name, slices in one.labels.items()}})
        for one in hostile.regions
    )
    told = hostile.model_copy(
        update={"suspects": suspects, "runs": runs, "regions": regions, "name": HOSTILE,
                "provenance": {"command": HOSTILE, HOSTILE: HOSTILE}}
    )  # fmt: skip
    html = render_bench(told)
    page = Page(html)
    assert "script" not in page.tags
    assert "<script" not in html.lower()
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "\u202e" not in html
    assert "alert(1)" in page.words
