"""`modelprint report`: a page from a file or a benchmark's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.bench import benches
from modelprint.results.files import write_results
from tests.contract.test_commands import run
from tests.report.bench.bench_results import bench_results


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = bench_results(sources=1, seeds=1, budgets=(100,), side=4)
    bare = made.model_copy(update={"swept": (), "swept_runs": (), "sweeps": ()})
    path = tmp_path_factory.mktemp("results") / "made-up.json"
    write_results(bare, path)
    return path


def test_a_page_from_a_file(file: Path, tmp_path: Path) -> None:
    done = run("report", str(file), "--out", "page.html", cwd=tmp_path)
    assert done.stdout.strip() == "page.html"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>Benchmark made-up</h1>" in page
    assert "test-source-1-rtal" in page


def test_studies_beside_the_results_or_elsewhere(file: Path, tmp_path: Path) -> None:
    (tmp_path / "uap_subspace_made-up.json").write_text("{}")
    broken = run("report", str(file), "--studies", ".", cwd=tmp_path, code=1)
    assert "uap_subspace_made-up.json does not hold a study" in " ".join(broken.stderr.split())
    missing = run("report", str(file), "--studies", "gone", cwd=tmp_path, code=2)
    assert "--studies gone is no folder" in missing.stderr
    assert not list(tmp_path.glob("*.html"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    missing = run("report", "gone.json", cwd=tmp_path, code=1)
    assert "gone.json is not there" in missing.stderr
    unknown = run("report", "gone", cwd=tmp_path, code=2)
    assert all(name in unknown.stderr for name in benches.bench_names())
    (tmp_path / "other.json").write_text("{}")
    other = run("report", "other.json", cwd=tmp_path, code=1)
    assert "does not hold results" in " ".join(other.stderr.split())
    assert not list(tmp_path.glob("*.html"))
