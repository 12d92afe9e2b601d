"""Plan -> cells -> results: what is in them, resuming, failures, executors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from modelprint import zoo
from modelprint.bench.plan import Bench, Contender
from modelprint.bench.running import run, state
from modelprint.bench.store import Store
from modelprint.core.errors import IntegrityError, ModelprintError
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from modelprint.results.records import Results
from modelprint.stats.calibration import threshold
from modelprint.zoo.executors import Executor, Processes, Ray
from tests.bench.conftest import BENCH, PLAN


def numbers(results: Results) -> dict[str, object]:
    """All that must not depend on how a benchmark was run."""
    told = results.model_dump(exclude={"provenance"})
    for run_ in (*told["runs"], *told["swept_runs"]):
        for key in ("craft_seconds", "ask_seconds", "forward_seconds"):
            del run_[key]
    return told


def test_every_source_meets_its_copies_and_everybody_else(results: Results) -> None:
    assert set(results.sources) == {"source-1", "source-2"}
    assert {(run.scheme, run.source, run.access, run.budget, run.seed) for run in results.runs} == {
        (scheme, source, access, budget, seed)
        for scheme in ("adv-tra", "agreement")
        for source in results.sources
        for access in ("labels", "scores")
        for budget in (30, 100)
        for seed in (0, 1)
    }
    roles = {model.id: model for model in results.suspects}
    for one in results.runs:
        other = "source-2" if one.source == "source-1" else "source-1"
        derived = {name for name in one.scores if roles[name].role == "derived"}
        assert derived == {f"test-{one.source}-{attack}" for attack in ("ftal", "transfer", "knockoff")}
        strangers = {name for name in one.scores if name.startswith("stranger:")}
        assert strangers <= {f"stranger:test-{other}-ftal", f"stranger:test-{other}-knockoff", f"stranger:{other}"}
        assert f"stranger:{other}" in strangers
        assert sum(name.startswith("test-sast") for name in one.scores) == 20
        assert one.scores[f"test-{one.source}-transfer"] is None
        assert len(one.calibration) == 25
        assert one.threshold == pytest.approx(threshold(np.array(list(one.calibration.values())), 0.05), abs=1e-6)
    assert {model.id for model in results.swept} == {"test-source-1-prune-50"} or [
        model.attack for model in results.swept
    ] == ["prune 50 %"]
    assert all(set(one.scores) == {model.id for model in results.swept} for one in results.swept_runs)


def test_scores_are_those_of_a_verification(results: Results, folder: Path, models: Path) -> None:
    one = next(run_ for run_ in results.runs if (run_.scheme, run_.budget, run_.access) == ("adv-tra", 100, "labels"))
    there = {model.id: model for model in zoo.load(PLAN, folder=models)}
    for place in (folder / "fingerprints").iterdir():
        if not place.is_dir():
            continue
        fingerprint = Fingerprint.load(place)
        told = (fingerprint.manifest.source, fingerprint.manifest.seed, len(fingerprint.queries))
        if told == (there[one.source].row.sha256, one.seed, one.queries) and fingerprint.manifest.scheme == "adv-tra":
            break
    else:
        pytest.fail("its fingerprint is not there")
    for name in ("test-source-1-ftal", "test-sast-03"):
        verdict = verify(fingerprint, there[name].path)
        assert verdict.score == pytest.approx(one.scores[name], abs=1e-6)
        assert one.details[name]["mean_mutation_rate"] == pytest.approx(verdict.details["mean_mutation_rate"], abs=1e-5)


def test_knobs_and_regions(results: Results) -> None:
    (sweep,) = results.sweeps
    assert [point.value for point in sweep.points] == [1, 2]
    assert all(point.n_derived <= 2 < point.n_independent < 15 for point in sweep.points)
    assert all(0 <= point.interval.low <= point.auc <= point.interval.high <= 1 for point in sweep.points)
    assert all(point.distinct is not None for point in sweep.points)
    (regions,) = results.regions
    assert all(len(labels) == regions.side**2 for labels in regions.labels.values())
    assert {"source-1", "test-source-1-ftal", "test-sast-01", "test-shared-01"} <= set(regions.labels)
    assert "test-source-1-transfer" not in regions.labels
    assert Counter(regions.labels["source-1"]).most_common(1)[0][1] < regions.side**2


def test_provenance_counts_cells(results: Results, folder: Path, models: Path) -> None:
    told = results.provenance
    assert told["cells_planned"] == told["cells_finished"] > 300
    assert told["cells_failed"] == 0
    assert told["zoo_models"] == told["zoo_planned"] == len(PLAN.entries)
    assert told["fingerprints_broken"] == []
    now = state(BENCH, folder=folder, zoo=PLAN, zoo_folder=models)
    assert (now.cells, now.finished, now.failed) == (told["cells_planned"], told["cells_finished"], 0)
    assert now.crafted == now.fingerprints == 18


@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.parametrize(
    "executor",
    [
        pytest.param(Processes(2), id="two processes"),
        pytest.param(Ray(2), id="two Ray workers", marks=pytest.mark.slow),
    ],
)
def test_the_same_results_wherever_it_runs(executor: Executor, results: Results, models: Path, tmp_path: Path) -> None:
    if isinstance(executor, Ray):
        pytest.importorskip("ray")
    again = run(BENCH, folder=tmp_path, zoo=PLAN, zoo_folder=models, executor=executor)
    assert numbers(again) == numbers(results)


class Interrupted(Exception):
    """Stands for a kill."""


class Stopping:
    """Runs tasks until a number of them is done, then fails as a killed process would: at once."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.asked = 0

    def run(self, function, tasks, done) -> None:  # type: ignore[no-untyped-def]
        for index, task in enumerate(tasks):
            if not self.left:
                raise Interrupted
            self.left -= 1
            self.asked += 1
            done(index, function(None, task))


def test_an_interrupted_run_goes_on_where_it_stopped(
    counted: tuple[Results, int], models: Path, tmp_path: Path
) -> None:
    results, planned = counted
    done = 0
    for after in (3, 20, 11):
        stopping = Stopping(after)
        with pytest.raises(Interrupted):
            run(BENCH, folder=tmp_path / "cut", zoo=PLAN, zoo_folder=models, executor=stopping)
        done += after
    last = Stopping(10_000)
    finished = run(BENCH, folder=tmp_path / "cut", zoo=PLAN, zoo_folder=models, executor=last)
    assert done + last.asked == planned  # nothing is done twice
    assert numbers(finished) == numbers(results)
    nothing = Stopping(0)
    assert numbers(run(BENCH, folder=tmp_path / "cut", zoo=PLAN, zoo_folder=models, executor=nothing)) == numbers(
        results
    )


def test_failures_are_recorded_and_tried_again(models: Path, tmp_path: Path) -> None:
    """One model's file is damaged, and one contender cannot be enrolled."""
    there = {model.id: model for model in zoo.load(PLAN, folder=models)}
    broken = there["test-sast-02"]
    whole = broken.path.read_bytes()
    bench = BENCH.model_copy(
        update={
            "contenders": (
                Contender(label="agreement", scheme="agreement"),
                Contender(label="too long", scheme="adv-tra", settings={"trajectories": "5"}),
            ),
            "budgets": (30,),
            "seeds": (0,),
            "regions": None,
        }
    )
    try:
        broken.path.write_bytes(whole[:-1])
        found = run(bench, folder=tmp_path, zoo=PLAN, zoo_folder=models)
    finally:
        broken.path.write_bytes(whole)
    assert [one.scheme for one in found.runs] == ["agreement"] * 4
    assert all("test-sast-02" in one.failures and one.scores["test-sast-02"] is None for one in found.runs)
    assert found.provenance["cells_failed"] == 2
    assert any("too long" in line and "budget of 30" in line for line in found.provenance["fingerprints_broken"])
    mended = run(bench, folder=tmp_path, zoo=PLAN, zoo_folder=models)
    assert mended.provenance["cells_failed"] == 0
    assert all(one.scores["test-sast-02"] is not None and not one.failures for one in mended.runs)


def test_bad_input(models: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelprintError, match="nothing of the zoo tiny"):
        run(BENCH, folder=tmp_path, zoo=PLAN, zoo_folder=tmp_path)
    unknown = Bench(name="x", zoo="tiny", contenders=(Contender(label="x", scheme="x"),), budgets=(10,), seeds=(0,))
    with pytest.raises(ModelprintError, match="unknown scheme 'x'"):
        run(unknown, folder=tmp_path, zoo=PLAN, zoo_folder=models)
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "a.json").write_text(json.dumps([{"cell": 1}]))
    with pytest.raises(IntegrityError, match="remove it and run again"):
        Store(tmp_path).cells()


def test_a_part_is_measured_anew_and_the_rest_stays(results: Results, models: Path, tmp_path: Path) -> None:
    def again(folder: Path, before: Results | None, only: list[str], budgets: list[int] | None = None) -> Results:
        return run(
            BENCH, folder=folder, zoo=PLAN, zoo_folder=models, only=only, budgets=budgets, before=before
        )  # fmt: skip

    part = again(tmp_path / "part", None, ["agreement"], [30])
    assert {(one.scheme, one.budget) for one in part.runs} == {("agreement", 30)}
    assert "kept" not in part.provenance
    marked = results.model_copy(update={"provenance": {**results.provenance, "revision": "old", "date": "then"}})
    whole = again(tmp_path / "part", marked, ["agreement"], [30])
    assert numbers(whole) == numbers(results)
    kept = whole.provenance["kept"]
    assert set(kept) == {"adv-tra at 30", "adv-tra at 100", "agreement at 100", "m = 1 at 1000", "m = 2 at 1000"}
    assert kept["adv-tra at 30"] == {"revision": "old", "date": "then"}
    assert whole.kept == (
        "revision old, then: adv-tra (30, 100); agreement (100); 2 points of figures",
    )  # fmt: skip
    later = again(tmp_path / "more", whole, ["agreement"], [100])
    assert later.provenance["kept"]["adv-tra at 30"] == {"revision": "old", "date": "then"}
    assert later.provenance["kept"]["agreement at 30"]["revision"] == whole.provenance["revision"]
    assert numbers(later) == numbers(results)


def test_results_of_other_models_are_not_mixed_in(results: Results, models: Path, tmp_path: Path) -> None:
    others = results.model_copy(update={"suspects": results.suspects[1:]})
    with pytest.raises(ModelprintError, match="are of other models than the zoo's: run all contenders"):
        run(BENCH, folder=tmp_path, zoo=PLAN, zoo_folder=models, only=["agreement"], before=others)
    assert not (tmp_path / "fingerprints").exists()
