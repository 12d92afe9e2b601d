"""Studies beside a benchmark: left out when missing, drawn as they are recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelprint.report.bench.render import render_bench
from modelprint.report.bench.studies import study_sections
from modelprint.results.records import Results
from modelprint.results.studies import EarlyStudy, Studies
from modelprint.results.study_files import find_studies
from tests.report.bench.bench_results import bench_results
from tests.report.html import HOSTILE, Page
from tests.results.study_records import claim, studies, subspace

COMMITTED = Path(__file__).parents[3] / "benchmarks" / "results"


@pytest.fixture(scope="module")
def few() -> Results:
    return bench_results(sources=1, seeds=1, budgets=(100,), side=4)


def test_the_committed_ones_are_read() -> None:
    found = find_studies(COMMITTED, "fashion")
    assert found.claim is not None
    assert found.subspace is not None
    assert [len(section.figures) for section in study_sections(found)] == [3, 3, 2]


def test_a_page_without_studies_has_no_section_for_them(few: Results) -> None:
    plain = render_bench(few)
    assert plain == render_bench(few, Studies())
    assert "fingerprints of one model" not in Page(plain).words.lower()


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
    """Two sources; independent models are accused once, copies of others twice."""

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


def test_groups_of_before_they_had_names_are_read() -> None:
    named = early()
    assert [(group.name, group.third_party) for group in named.early[0].groups] == [
        ("pruning", False),
        ("chain", False),
        ("SAST", False),
        ("extraction", True),
        ("SHARED", False),
        ("worthless", False),
    ]
    assert EarlyStudy.model_validate_json(named.model_dump_json()) == named


def test_the_error_rate_and_the_queries_of_early_verdicts_are_drawn(few: Results) -> None:
    (section,) = study_sections(Studies(early=early()))
    assert "changed 2 of 42 verdicts" in section.reading
    assert "2 of 20 independent models that are no siblings were accused, and 4 of 8 copies of other" in section.reading
    reliability, asked = section.figures
    assert "50 independent models (no siblings), split 7 times" in reliability.caption
    assert "source-1: 1 → 40.000, 2 → 80.000, 3 → 160.000, 4 → 120.000" in asked.svg
    html = render_bench(few, Studies(early=early()))
    assert "<script" not in html.lower()
