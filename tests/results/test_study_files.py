"""Studies beside a benchmark: found by name, refused when broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprint.core.errors import ModelprintError
from modelprint.results.studies import Studies
from modelprint.results.study_files import find_studies
from tests.results.study_records import claim, subspace


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
