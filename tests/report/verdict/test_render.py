"""The page as a whole: self-contained, safe, true to its records, and there for every kind of record."""

import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report import render_report, write_report
from modelprint.schemes import adv_tra_report
from tests.report.html import HOSTILE, Page


def render(records, cases, **options):
    return render_report(records.fingerprint, cases, calibration_scores=records.scores, **options)


@pytest.fixture(scope="module")
def population(records):
    return render(records, records.population())


@pytest.fixture(scope="module")
def single(records):
    return render(records, [records.copy("thief.onnx")])


@pytest.mark.parametrize("name", ["population", "single"])
def test_it_loads_nothing_and_runs_nothing(name, request):
    html = request.getfixturevalue(name)
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "a"} & set(page.tags)
    loads = [value for _, name, value in page.attributes if name in ("src", "href", "xlink:href", "srcset", "action")]
    assert loads
    assert all(value.startswith("data:image/png;base64,") for value in loads)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize("name", ["population", "single"])
def test_every_chart_and_picture_says_what_it_shows(name, request):
    page = Page(request.getfixturevalue(name))
    charts = [value for tag, attribute, value in page.attributes if tag == "svg" and attribute == "aria-label"]
    assert len(charts) == page.tags.count("svg") >= 4
    assert all(len(label) > 20 for label in charts)
    assert page.tags.count("img") == len([1 for tag, name, _ in page.attributes if (tag, name) == ("img", "alt")])


def test_hostile_names_are_shown_and_do_nothing(records):
    cases = [
        records.copy(HOSTILE, kind=HOSTILE),
        records.copy("b", "derived", HOSTILE),
        records.stranger(HOSTILE, "independent", HOSTILE),
    ]
    cases = [
        replace(case, verdict=case.verdict.model_copy(update={"suspect": HOSTILE, "message": HOSTILE}))
        for case in cases
    ]
    for html in (render(records, cases), render(records, cases[:1], title=HOSTILE)):
        page = Page(html)
        assert "script" not in page.tags
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        assert all(v.startswith("data:") for tag, name, v in page.attributes if (tag, name) == ("img", "src"))
        assert "<script" not in html
        assert "\u202e" not in html
        assert "\\u202e" in page.words
        assert "{{7*7}}" in page.words


def test_hostile_class_names_and_manifest_are_shown_and_do_nothing(records):
    fields = records.fingerprint.manifest.model_dump(mode="json", exclude={"tensors"})
    fields["input"]["class_names"] = [f"{HOSTILE} {i}" for i in range(10)]
    fields |= {"data_name": HOSTILE, "library": HOSTILE, "source": HOSTILE, "scheme": "adv-tra"}
    fields["parameters"] = {HOSTILE: HOSTILE, "l": 2}
    fields["report"] = {HOSTILE: [HOSTILE]}
    fields["calibration"][0]["name"] = HOSTILE
    given = records.fingerprint
    hostile = Fingerprint.bind(
        fields,
        queries=given.queries,
        true_labels=given.true_labels,
        source=given.source,
        state=given.state,
        calibration=given.calibration,
        plane=given.plane,
    )
    html = render_report(hostile, [records.copy()], calibration_scores=records.scores)
    assert "<script" not in html
    assert "script" not in Page(html).tags


def test_it_holds_the_numbers_of_the_record(records, single):
    words = Page(single).words
    case, manifest = records.copy("thief.onnx"), records.fingerprint.manifest
    assert "Was “thief.onnx” made from the source model?" in words
    assert f"{case.verdict.score:.4f}" in words
    assert f"threshold {case.verdict.threshold:.4f}" in words
    assert "0.0476" in words
    assert "13.9 %" in words
    for value in (records.fingerprint.identity, manifest.tensors, manifest.source, manifest.data, manifest.library):
        assert value in words
    for model, score in zip(manifest.calibration, records.scores, strict=True):
        assert model.name in words
        assert model.identity in words
        assert f"{score:.4f}" in words
    assert "92.3 % (12 of 13)" in words
    assert "7.25" in words
    assert "--set brake=0.9" in words
    assert "modelprint enroll SOURCE digits:queries --out FINGERPRINT" in words
    assert "Copies by extraction" in words


def test_a_population_gets_its_table_its_curve_and_its_tallies(records, population):
    words = Page(population).words
    assert words.count("Derived") == 8
    assert "8 of 8" in words
    assert "0 of 6" in words
    assert "Area under the curve (AUC) 1.000" in words
    assert "None of the independent models counted here took part in setting the threshold." in words
    assert "With 6 independent models, at most 1 % or 10 % accused means none accused." in words
    assert "Scores by group" in words


def test_independents_that_set_the_threshold_are_called_out(records):
    cases = [records.copy("a", "derived"), records.stranger("b", "independent")]
    identity = records.fingerprint.manifest.calibration[3].identity
    cases[1] = replace(cases[1], verdict=cases[1].verdict.model_copy(update={"suspect": identity}))
    assert "Beware: 1 independent model here also set the threshold" in Page(render(records, cases)).words


def test_mistakes_are_named(records):
    false = records.copy("innocent", "independent")
    missed = records.stranger("copy", "derived")
    words = Page(render(records, [false, missed])).words
    assert "false accusation" in words
    assert "missed" in words


def test_answers_that_differ_are_marked_by_more_than_colour(records):
    stranger = records.stranger()
    page = Page(render(records, [stranger]))
    members = adv_tra_report.members(records.state, 0)
    changed = stranger.answers.labels[members] != records.fingerprint.source.labels[members]
    assert 0 < changed.sum() == page.text.count("≠") - 1  # one in the explanation
    assert f"{changed.sum()} of 17 points are hollow" in page.words


@pytest.mark.parametrize("fixture", ["few_models", "no_models"])
def test_without_a_threshold_it_says_what_is_missing(fixture, request):
    records = request.getfixturevalue(fixture)
    case = records.copy()
    assert case.verdict.threshold is None
    words = Page(render(records, [case])).words
    assert "Inconclusive" in words
    assert "What is missing" in words
    assert "no threshold" in words
    assert "not known" in words


def test_a_population_without_a_threshold_has_its_charts(few_models):
    cases = [few_models.copy("a", "derived"), few_models.stranger("b", "independent")]
    words = Page(render(few_models, cases)).words
    assert "0 of 0" in words
    assert "1 more inconclusive" in words
    assert "Scores by group" in words


def test_missing_answers_are_shown_as_missing(records):
    full = records.copy()
    labels = np.where(np.arange(len(full.answers)) < 9, full.answers.labels, -1)
    words = Page(render(records, [records.case("partial", answers=Answers(labels=labels))])).words
    assert "no answer" in words


def test_no_answer_and_no_score_at_all(no_models):
    case = no_models.copy()
    silent = Answers(labels=np.full(len(case.answers), -1))
    verdict = case.verdict.model_copy(update={"score": None, "details": {}, "queries": 0})
    words = Page(render(no_models, [replace(case, answers=silent, verdict=verdict, accuracy=None)])).words
    assert "Inconclusive" in words
    assert "Where the answers differ" not in words
    assert "Scores beside" not in words


def test_without_a_slice_it_says_so(records):
    given = records.fingerprint
    fields = given.manifest.model_dump(mode="json", exclude={"tensors"})
    parts = {"queries": given.queries, "true_labels": given.true_labels, "source": given.source, "state": given.state}
    bare = Fingerprint.bind(fields, calibration=given.calibration, **parts)
    html = render_report(bare, [records.copy()], calibration_scores=records.scores)
    assert "holds no planar slice" in Page(html).words


def test_a_model_that_cost_too_much_to_ask_about_the_slice_is_counted(records):
    words = Page(render(records, [records.copy(), records.stranger(plane_labels=None)])).words
    assert "1 model was not asked about this cut: it takes 1,024 more queries" in words


def test_schemes_without_trajectories_leave_those_parts_out(other_scheme):
    case = other_scheme.copy()
    verdict = case.verdict.model_copy(update={"details": {}})
    words = Page(render(other_scheme, [replace(case, verdict=verdict)])).words
    assert "trajector" not in words
    assert "Scheme ipguard" in words
    assert "IPGuard: points at the classification boundary" in words
    assert "share boundaries with it" in words
    assert "kept [1, 2]" in words


def test_what_each_answer_adds_is_drawn_for_schemes_that_weigh_answers(other_scheme):
    given = other_scheme.fingerprint
    fields = given.manifest.model_dump(mode="json", exclude={"tensors"})
    fields |= {"scheme": "contrast", "parameters": {"batch": 20}}
    weighed = Fingerprint.bind(
        fields,
        queries=given.queries,
        true_labels=given.true_labels,
        source=given.source,
        state={"group": given.state["group"], "worth": np.array([-0.5, 0.25])},
        calibration=given.calibration,
    )
    case = other_scheme.copy()
    asked = np.arange(len(weighed)) < 30
    heard = Answers(labels=np.where(asked, case.answers.labels, -1))
    verdict = case.verdict.model_copy(update={"details": {}, "queries": 30})
    told = [replace(case, verdict=verdict, answers=heard, cap=60)]
    html = render_report(weighed, told, calibration_scores=other_scheme.scores)
    agreed = int((heard.labels == weighed.source.labels)[:30].sum())
    assert f"At the end: {0.25 * agreed - 0.5 * (30 - agreed):.2f} at 30" in html
    assert html.count("A query, answered ") == 12
    assert "Evidence against queries asked" in Page(html).words
    assert "Query by query" not in Page(render(other_scheme, [replace(case, verdict=verdict)])).words


def test_answers_outside_the_known_classes_have_a_name(records):
    labels = np.full(len(records.fingerprint), 12)
    assert "class 12" in Page(render(records, [records.case("other classes", answers=Answers(labels=labels))])).words


def test_the_same_records_give_the_same_page(records):
    case = records.copy("again")
    assert render(records, [case]) == render(records, [case])


def test_fifteen_models_take_seconds_and_little_space(records):
    cases = [*records.population(), records.copy()]
    start = time.perf_counter()
    html = render(records, cases)
    assert time.perf_counter() - start < 10
    assert len(html) < 1_000_000


def test_it_is_written_whole(records, tmp_path):
    path = tmp_path / "sub" / "report.html"
    write_report(path, records.fingerprint, [records.copy()], calibration_scores=records.scores)
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(ModelprintError, match="cannot write"):
        write_report(path / "x", records.fingerprint, [records.copy()], calibration_scores=records.scores)


def test_records_that_do_not_belong_together_are_refused(records):
    case = records.copy("short.onnx")
    short = replace(case, answers=case.answers.take(np.arange(5)))
    with pytest.raises(UsageError, match=r"short\.onnx has 5 answers but the fingerprint has 204"):
        render(records, [short])
    with pytest.raises(UsageError, match="got 3 calibration scores for 20"):
        render_report(records.fingerprint, [case], calibration_scores=records.scores[:3])
    with pytest.raises(UsageError, match="got 19 calibration scores for 20"):
        render_report(records.fingerprint, [case], calibration_scores=np.append(records.scores[1:], np.nan))
    with pytest.raises(UsageError, match="one checked model or more"):
        render(records, [])


def test_importing_it_loads_no_charts_and_no_torch():
    heavy = ("torch", "altair", "vl_convert", "jinja2", "sklearn")
    code = f"import sys, modelprint.report; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
