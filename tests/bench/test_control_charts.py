"""The zoo and the benchmark of control charts, made as committed: half a minute of one core."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint import zoo
from modelprint.bench.benches import bench_of
from modelprint.bench.files import find_results
from modelprint.bench.running import run
from modelprint.results.records import Results
from modelprint.zoo.plans import plan_of

COMMITTED = Path(__file__).parents[2] / "benchmarks" / "results" / "control-charts.json"


def found(results: Results, scheme: str, access: str, source: str) -> float:
    (row,) = (
        row
        for row in results.rows
        if (row.scheme, row.access, row.attack, row.source) == (scheme, access, "all", source)
    )
    assert row.tpr_at_1 is not None
    return row.tpr_at_1


@pytest.mark.slow
def test_schemes_on_series_find_more_than_the_controls(tmp_path: Path, one_thread: None) -> None:
    plan = plan_of("control-charts")
    assert zoo.build(plan, folder=tmp_path / "zoo").complete
    results = run(bench_of("control-charts").bench, folder=tmp_path / "bench", zoo=plan, zoo_folder=tmp_path / "zoo")
    assert results.provenance["cells_failed"] == 0
    for scheme, access in (("auto", "weights"), ("akh", "labels"), ("adv-tra", "labels")):
        assert found(results, scheme, access, "source-1") > found(results, "accuracy", "labels", "source-1") + 0.2
    committed = find_results(str(COMMITTED))
    assert found(results, "auto", "weights", "source-1") == pytest.approx(
        found(committed, "auto", "weights", "source-1"), abs=0.12
    )
