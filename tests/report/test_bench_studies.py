"""Studies beside a benchmark: found by name, refused when broken, left out when missing, drawn as they are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.report.bench_results import bench_results
from tests.report.test_render import HOSTILE, Page

from modelprint.core.errors import ModelprintError
from modelprint.report.bench_render import render_bench
from modelprint.report.bench_studies import study_sections
from modelprint.results.records import Results
from modelprint.results.studies import EarlyStudy, Studies
from modelprint.results.study_files import find_studies

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results"
SIDES = ("derived", "independent", "others")


def claim(*, above: float = 0.25) -> dict[str, Any]:
    share = {"share": 0.5, "low": 0.2, "high": 0.8}
    group = {
        "n": 10,
        "mean_score": 0.4,
        **dict.fromkeys(("verdict_derived", "claimed_above_0.95", "claimed_above_0.9999"), share),
    }
    groups = {"derived": {**group, "n": 7}, "copies of other sources": group, "independent": {**group, "n": 20}}
    readings = ("labels only", "no encoder", "no encoder, labels only", "shuffled encoder")
    shadows = ("shadows of the source's architecture", "stolen strangers among the shadows")
    point = {f"{side}_above_{level}": above for side in SIDES for level in (0.95, 0.9999)}
    return {
        "models": {"all": 40, "thinning": 3},
        "nominal": "",
        "sources": {
            "source-1": {"crafting": {}, "shadows": {}, **dict.fromkeys(("scores", *readings, *shadows), groups)}
        },
        "controls": {"zero": {"crafting": {}, "scores": groups, "no encoder": groups}},
        "confidence_by_fingerprints": [
            {"fingerprints": count, **point, **{f"{side}_median": 0.75 for side in SIDES}} for count in (1, 20, 100)
        ],
        "provenance": {"command": "python uap_claim.py"},
    }


def subspace() -> dict[str, Any]:
    def spectrum(first: int) -> dict[str, Any]:
        return {"singular_values": [0.8, 0.6], "directions_50": first, "directions_90": 2}

    chance = {"vectors": 2, "dimensions": 784, "model": spectrum(1), "random": spectrum(2)}
    area = {"auc": 0.72, "low": 0.55, "high": 0.87}
    return {
        "source": "source-1",
        "images": 2,
        "size": 2,
        "boundary_normals": chance,
        "universal": chance,
        "angles_to_random": [70.0, 80.0],
        "angles": {
            name: {"n": 4, "mean": 20.0, "smallest": 10.0, "mean_by_family": {}, "median_curve": [15.25, 25.0]}
            for name in ("derived", "independent")
        },
        "auc_of_minus_mean_angle": {"independent": area},
        "provenance": {},
    }


def studies(**changed: dict[str, Any]) -> Studies:
    return Studies.model_validate({"claim": claim(), "subspace": subspace(), **changed})


@pytest.fixture(scope="module")
def few() -> Results:
    return bench_results(sources=1, seeds=1, budgets=(100,), side=4)


def test_those_that_lie_there_are_found_under_the_benchmarks_name(tmp_path: Path) -> None:
    assert find_studies(tmp_path, "digits") == Studies()
    (tmp_path / "uap_claim_digits.json").write_text(json.dumps(claim()))
    found = find_studies(tmp_path, "digits")
    assert found.claim is not None
    assert found.subspace is None
    assert find_studies(tmp_path, "fashion") == Studies()


@pytest.mark.parametrize("name", ["../uap", "a/b", "", "x" * 500, "a\0b"])
def test_a_name_that_no_file_has_finds_none(tmp_path: Path, name: str) -> None:
    assert find_studies(tmp_path, name) == Studies()


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[]", json.dumps({**subspace(), "more": 1}), json.dumps({**subspace(), "angles": {}})],
)
def test_a_broken_one_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "uap_subspace_digits.json").write_text(text)
    with pytest.raises(ModelprintError, match=r"uap_subspace_digits\.json does not hold a study"):
        find_studies(tmp_path, "digits")


def test_a_figure_out_of_range_is_refused(tmp_path: Path) -> None:
    wrong = claim()
    wrong["sources"]["source-1"]["scores"]["derived"]["verdict_derived"] = {"share": 1.5, "low": 0, "high": 1}
    (tmp_path / "uap_claim_digits.json").write_text(json.dumps(wrong))
    with pytest.raises(ModelprintError, match="less than or equal to 1"):
        find_studies(tmp_path, "digits")


def test_the_committed_ones_are_read() -> None:
    found = find_studies(COMMITTED, "fashion")
    assert found.claim is not None
    assert found.subspace is not None
    assert [len(section.figures) for section in study_sections(found)] == [3, 3, 2]


def test_a_page_without_studies_has_no_section_for_them(few: Results) -> None:
    assert render_bench(few) == render_bench(few, Studies())
    assert "fingerprints of one model" not in Page(render_bench(few)).words.lower()


def test_the_page_says_what_the_studies_found(few: Results) -> None:
    words = " ".join(Page(render_bench(few, studies())).words.replace("\u202f", " ").split())
    assert (
        "With 20 fingerprints the paper\u2019s test claims 25 % of the copies with more than 99.99 % confidence"
        in words
    )
    assert "25 % of the independent models (0.01 % is nominal)" in words
    assert "7 copies, 10 copies of other sources, 20 independent models (one in 3 was judged)" in words
    assert "lies in 1 of 784 directions; of random vectors in 2" in words
    assert "0.72 (0.55\u20130.87) against independent models" in words
    assert "python uap_claim.py" in words


def test_charts_show_the_recorded_points() -> None:
    first, second = study_sections(studies())
    assert "copies: 1 → 0.750, 20 → 0.750, 100 → 0.750" in first.figures[0].svg
    assert "copies (4): 1 → 15.250, 2 → 25.000" in second.figures[2].svg
    assert [key.text for key in second.figures[2].keys] == ["copies (4)", "independent models (4)", "a random subspace"]


def test_a_test_that_keeps_its_level_is_not_said_to_overstate() -> None:
    reading = study_sections(studies(claim=claim(above=0.0)))[0].reading
    assert "overstates" not in reading
    assert "overstates" in study_sections(studies())[0].reading


def test_names_in_a_study_can_do_nothing(few: Results) -> None:
    told = subspace()
    told["provenance"] = {"command": HOSTILE}
    told["auc_of_minus_mean_angle"] = {HOSTILE: {"auc": 0.5, "low": 0.4, "high": 0.6}}
    html = render_bench(few, studies(subspace=told))
    assert "<script" not in html.lower()
    assert not [name for _, name, _ in Page(html).attributes if name.startswith("on")]


def early() -> EarlyStudy:
    """Two sources; honest models are accused once, copies of others twice."""

    def group(models: int, derived: int, queries: float) -> dict[str, Any]:
        return {"models": models, "derived": derived, "queries_mean": queries, "queries_median": queries}

    def judged(source: str) -> dict[str, Any]:
        groups = {
            "pruning": group(3, 3, 20.0),
            "chain": group(1, 0, 100.0),
            "SAST": group(10, 1, 160.0),
            "stranger: extraction": group(4, 2, 80.0),
            "SHARED": group(2, 0, 120.0),
            "worthless": group(1, 0, 200.0),
        }
        return {"source": source, "alpha": 0.05, "verdicts_changed_by_stopping": 1, "groups": groups}

    share = {"share": 0.04, "low": 0.01, "high": 0.1}
    held = {"models": 50, "splits": 7, "at_most": {"0.05": share, "0.1": share}}
    return EarlyStudy.model_validate_json(
        json.dumps(
            {
                "early": [judged("source-1"), judged("source-2")],
                "p_values": [{"source": "source-1", **held}, {"source": HOSTILE, **held}],
                "provenance": {"command": "python contrast_early.py"},
            }
        )
    )


def test_the_error_rate_and_the_queries_of_early_verdicts_are_drawn(few: Results) -> None:
    (section,) = study_sections(Studies(early=early()))
    assert "changed 2 of 42 verdicts" in section.reading
    assert "2 of 20 honest models that are no siblings were accused, and 4 of 8 copies of other" in section.reading
    reliability, asked = section.figures
    assert "50 honest models (no siblings), split 7 times" in reliability.caption
    assert "source-1: 1 → 40.000, 2 → 80.000, 3 → 160.000, 4 → 120.000" in asked.svg
    html = render_bench(few, Studies(early=early()))
    assert "<script" not in html.lower()
