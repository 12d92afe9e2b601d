"""The second axis of a benchmark: cells, thresholds, rows, costs and tables behind evasions."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from modelprint import zoo
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.files import find_results
from modelprint.bench.plan import Bench, Contender, Enrolment
from modelprint.bench.rows import rows_of
from modelprint.bench.running import run, state
from modelprint.bench.store import Store
from modelprint.bench.tables import tables_of
from modelprint.core.identity import digest_json
from modelprint.data.splits import load_data
from modelprint.modalities.image.storage import as_unit
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.results.files import write_results
from modelprint.results.records import JudgedModel, Results, Run
from modelprint.training.loop import predict
from tests.bench.conftest import PLAN

EVASIONS = ("blur", "permutation", "top-1", "ensemble", "detector:least=10,delta=1", "blur+label-noise")
AGREEMENT = Contender(label="agreement", scheme="agreement")
BENCH = Bench(
    name="tiny-evasion",
    zoo="tiny",
    contenders=(AGREEMENT.model_copy(update={"evasions": EVASIONS}),),
    budgets=(60,),
    seeds=(0,),
)


@pytest.fixture(scope="module")
def place(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evasion")
    plain = BENCH.model_copy(update={"contenders": (AGREEMENT,)})
    run(plain, folder=folder, zoo=PLAN, zoo_folder=models)
    return folder


@pytest.fixture(scope="module")
def evaded(models: Path, place: Path) -> Results:
    before = state(BENCH, folder=place, zoo=PLAN, zoo_folder=models)
    assert (before.fingerprints, before.crafted) == (2, 2)
    assert 0 < before.finished < before.cells  # what was judged plainly stands
    return run(BENCH, folder=place, zoo=PLAN, zoo_folder=models)


def one(results: Results, evasion: str, source: str = "source-1") -> Run:
    (found,) = (
        run_ for run_ in results.runs if (run_.evasion, run_.source, run_.access) == (evasion, source, "labels")
    )
    return found


def test_cells_without_evasion_are_what_they_were() -> None:
    enrolment = Enrolment(
        contender="x",
        source="s",
        source_sha256="sha256:1",
        scheme="akh",
        parameters={},
        data="d",
        train_data="t",
        seed=0,
        budget=5,
    )
    plain = {"enrolment": enrolment.identity, "suspect": "sha256:2", "evasion": "none"}
    assert enrolment.cell("sha256:2") == digest_json(plain)
    told = BENCH.model_copy(update={"contenders": (AGREEMENT,)}).model_dump(mode="json")
    del told["contenders"][0]["evasions"]
    del told["first_source_only"]
    assert BENCH.model_copy(update={"contenders": (AGREEMENT,)}).identity == digest_json(told)
    assert BENCH.identity != digest_json(BENCH.model_dump(mode="json", exclude={"contenders"}))


def test_everything_is_judged_behind_every_evasion(evaded: Results, models: Path, place: Path) -> None:
    plain = one(evaded, "none")
    for evasion in EVASIONS:
        assert set(one(evaded, evasion).scores) == set(plain.scores)
    assert evaded.provenance["cells_failed"] == 0
    assert evaded.provenance["cells_finished"] == evaded.provenance["cells_planned"]
    after = state(BENCH, folder=place, zoo=PLAN, zoo_folder=models)
    assert (after.finished, after.failed) == (after.cells, 0)


def test_a_score_is_that_of_the_wrapped_suspect(evaded: Results, models: Path, place: Path) -> None:
    there = {model.id: model for model in zoo.load(PLAN, folder=models)}
    field = Field(bench=BENCH, plan=PLAN, models=list(there.values()))
    enrolment = next(entrant.enrolment for entrant in field.entrants() if entrant.enrolment.source == "source-1")
    queries = Fingerprint.load(Store(place).fingerprint(enrolment.identity)).queries
    own = predict(there["source-1"].load().module, torch.from_numpy(queries)).argmax(1)
    blurred = torch.from_numpy(TRANSFORMS["blur"]()(as_unit(queries)))
    for name in ("test-source-1-ftal", "test-sast-03"):
        other = predict(there[name].load().module, blurred).argmax(1)
        assert one(evaded, "blur").scores[name] == pytest.approx(float((own == other).float().mean()), abs=1e-6)


def test_the_verifier_does_not_know(evaded: Results) -> None:
    plain = one(evaded, "none")
    assert len(plain.calibration) == 25
    for evasion in set(EVASIONS) - {"permutation"}:
        assert one(evaded, evasion).threshold == plain.threshold
        assert not one(evaded, evasion).calibration


def test_renamed_classes_are_matched_for_all(evaded: Results) -> None:
    plain, permuted = one(evaded, "none"), one(evaded, "permutation")
    assert plain.threshold is not None
    assert permuted.threshold == plain.threshold  # of suspects whose numbers are the source's
    matched = {name for name, verdict in permuted.verdicts.items() if verdict.matched}
    assert {name for name in matched if "ftal" in name}
    for name, score in permuted.scores.items():
        before = plain.scores[name]
        if name in matched:
            assert score is not None
            assert before is not None
            assert score >= before - 1e-9
            limit = permuted.verdicts[name].threshold
            assert limit is not None
            assert limit >= plain.threshold
        elif score is not None:  # a verifier cannot tell, and finds it no more alike than it says
            assert not permuted.derived(name)


def test_labels_are_all_that_top_1_gives(evaded: Results) -> None:
    assert {run_.access for run_ in evaded.runs if run_.evasion == "top-1"} == {"labels"}
    assert one(evaded, "top-1").scores == one(evaded, "none").scores


def test_who_refuses_is_not_found_and_not_accused(evaded: Results) -> None:
    refused = one(evaded, "detector:least=10,delta=1")
    assert set(refused.scores.values()) == {None}
    rows = [row for row in evaded.rows if row.evasion == refused.evasion and row.attack == "all"]
    assert rows
    for row in rows:
        assert (row.auc, row.tpr_at_1, row.tpr_verdict, row.fpr_verdict, row.mean_score) == (0.5, 0, 0, 0, None)


def test_rows_behind_evasions_are_few(evaded: Results) -> None:
    for row in evaded.rows:
        if row.evasion != "none":
            assert row.attack in ("all", "worthless")
    assert {row.evasion for row in evaded.rows} == {"none", *EVASIONS}


def test_what_an_evasion_costs(evaded: Results, models: Path) -> None:
    told = {cost.evasion: cost for cost in evaded.evasions}
    assert list(told) == ["none", *EVASIONS]
    holdout = load_data("digits:holdout")
    there = {model.id: model for model in zoo.load(PLAN, folder=models)}
    blurred = torch.from_numpy(TRANSFORMS["blur"]()(as_unit(holdout.stored)))
    for name, accuracy in told["blur"].accuracy.items():
        predicted = predict(there[name].load().module, blurred).argmax(1).numpy()
        assert accuracy == pytest.approx((predicted == holdout.labels).mean(), abs=1e-5)
        assert told["permutation"].accuracy[name] == told["none"].accuracy[name]
        assert told["detector:least=10,delta=1"].accuracy[name] < 0.2
    lost = [told["none"].accuracy[name] - told["blur"].accuracy[name] for name in told["none"].accuracy]
    assert told["blur"].lost == pytest.approx(fmean(lost), abs=1e-5)
    assert told["blur"].interval.low <= told["blur"].lost <= told["blur"].interval.high
    assert told["none"].lost == 0
    assert told["blur"].recipe[0]["sigma"] == 0.7
    assert [part["name"] for part in told["blur+label-noise"].recipe] == ["Blur", "label-noise"]


def test_the_file_says_each_name_once(evaded: Results, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    write_results(evaded, path)
    assert find_results(str(path)) == evaded
    stored = json.loads(path.read_text())
    assert len(stored["met"]) == 3  # of each source, and who is swept
    assert path.read_text().count("test-source-1-ftal") < 2 * len(evaded.evasions) + 6


def test_tables_tell_plain_from_evaded(evaded: Results) -> None:
    board, *_, found, verdicts = tables_of(evaded)
    assert [row[0] for row in board.rows] == ["agreement"]
    for table in (found, verdicts):
        assert [row[0] for row in table.rows] == ["none", *EVASIONS]
        assert all(len(row) == len(table.columns) and all(cell.strip() for cell in row) for row in table.rows)
    (row,) = (
        row
        for row in evaded.rows
        if (row.evasion, row.attack, row.source, row.access) == ("blur", "all", "all", "labels")
    )
    assert found.rows[1][2].startswith(f"{row.tpr_at_1:.3f} (")
    assert verdicts.rows[1][2] == f"{row.tpr_verdict:.2f} / {row.fpr_verdict:.3f}"


def test_refusals_rank_below_every_score() -> None:
    def model(name: str, role: str) -> JudgedModel:
        counts = "all" if role == "derived" else "independent"
        return JudgedModel(id=name, role=role, accuracy=1.0, agreement=None, counts_as=counts)  # type: ignore[arg-type]

    suspects = [model("a", "derived"), model("b", "derived"), model("x", "independent"), model("y", "independent")]
    found = Run(
        scheme="s",
        source="s",
        access="labels",
        budget=1,
        queries=1,
        evasion="detector",
        seed=0,
        scores={"a": 0.9, "b": None, "x": 0.2, "y": None},
        threshold=0.5,
        craft_seconds=0,
        ask_seconds=0,
        forward_seconds=0,
    )
    (row,) = rows_of(suspects, [found])
    assert row.auc == np.mean([1, 1, 0, 0.5])
    assert (row.tpr_at_1, row.tpr_verdict, row.fpr_verdict, row.n_derived, row.n_independent) == (0.5, 0.5, 0, 2, 2)


def test_the_planned_benchmark_shares_the_cells_of_fashion() -> None:
    plain = {(one.scheme, tuple(one.settings.items()), one.rehearsed) for one in bench_of("fashion").bench.contenders}
    for contender in bench_of("fashion-evasion").bench.contenders:
        assert (contender.scheme, tuple(contender.settings.items()), contender.rehearsed) in plain
        assert len(contender.evasions) == (13 if contender.scheme == "residual" else 14)
        assert ("top-1" in contender.evasions) is (contender.scheme != "residual")  # it reads scores
