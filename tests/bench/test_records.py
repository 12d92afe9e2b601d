"""A zoo of models tuned from public checkpoints, whose answers are kept and whose weights are not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint import zoo
from modelprint.bench.bench_file import Planned
from modelprint.bench.kind_tables import truth_of
from modelprint.bench.plan import Bench, Contender
from modelprint.bench.recorder import BenchRecording
from modelprint.bench.records import read_record
from modelprint.bench.running import run
from modelprint.bench.tables import tables_of
from modelprint.cli.app import run as command
from modelprint.core.errors import IntegrityError
from modelprint.core.identity import digest_file
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.results.records import Results
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import plan_of
from tests.zoo.tiny import QUICK

PLAN = """
name = "tuned"
data = "digits"
size = 1797
holdout = "digits:holdout[0:100]"
records = "tuned"
pool = "digits:queries[0:20]"
sources = {{ count = 1, tunings = ["all"] }}
siblings.shadow = {{ count = 2, tunings = ["all"] }}
siblings.calibration = {{ count = 3, tunings = ["all", "head"] }}
siblings.test = {{ count = 2, tunings = ["head", "all"] }}
others.test = {{ count = 1, tunings = ["all"] }}
scratch.test = 1
copied_calibration = 1

[tunings.all]
attack = "rtal"
training = "tune"
images = 150

[tunings.head]
attack = "rtll"
epochs = 4
images = 150

[training.tune]
recipe = "adamw"
epochs = 8
lr = 0.02
batch_size = 32
augment = "none"

[training.usual]
epochs = 6
batch_size = 64
augment = "none"

[[networks]]
arch = "mlp"
arch_args = {{ width = 8 }}
training = "usual"

[surrogates]
pruned = {{ attack = "prune", rate = "0.3", finetune_epochs = "1" }}

[test_copies]
FTAL = {{ attack = "ftal", training = "tune", data = "attacker[0:100]" }}
soup = {{ attack = "soup", other = "partner", data = "attacker[0:100]" }}
extracted = {{ attack = "extract-from", init = "two", training = "tune", data = "attacker[0:100]" }}

[calibration_copies]
"prune 20 %" = {{ attack = "prune", rate = 0.2, data = "stranger[0:100]" }}
"""
CHECKPOINT = """
[[checkpoints]]
name = "{name}"
arch = "mlp"
arch_args = {{ width = {width}, depth = 1 }}
weights = "tiny_public_weights/{name}.safetensors"
sha256 = "{sha256}"
mean = [0.5]
std = [0.5]
size = 8
"""
BENCH = Bench(
    name="tuned",
    zoo="tuned",
    contenders=(
        Contender(label="lineage", scheme="lineage", budgets=(5,)),
        Contender(
            label="adv-tra",
            scheme="adv-tra",
            settings={"trajectories": "3", "m": "2"},
            evasions=("blur", "noise+rounding"),
        ),
    ),
    budgets=(20,),
    seeds=(0,),
    alpha=0.4,  # four calibration models set a threshold
)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plan")
    package = folder / "tiny_public_weights"
    package.mkdir()
    (package / "__init__.py").touch()
    data, text = load_data("digits:owner[0:200]"), PLAN.format()
    for name, width in (("one", 12), ("two", 16)):
        trained = train_model(data, spec_for(data, "mlp", {"width": width, "depth": 1}), QUICK, seed=width)
        path = package / f"{name}.safetensors"
        save_model(path, trained.model, trained.card)
        text += CHECKPOINT.format(name=name, width=width, sha256=digest_file(path))
    (folder / "tuned.toml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def plan(plans: Path) -> Plan:
    return plan_of(str(plans / "tuned.toml"))


def recorded(plan: Plan, folder: Path) -> zoo.Status:
    planned = Planned(bench=BENCH, plan=plan)
    recording = BenchRecording(planned=planned, zoo=folder, pool=plan.pool, jobs=2)
    return zoo.build(plan, folder=folder, recording=recording)


@pytest.fixture(scope="module")
def built(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    state = recorded(plan, folder)
    assert [failure.error for failure in state.failures] == []
    assert state.complete
    return folder


@pytest.fixture(scope="module")
def judged(plan: Plan, built: Path) -> Results:
    return run(BENCH, folder=built, zoo=plan, zoo_folder=built)


def test_siblings_start_from_the_checkpoint_of_the_sources(plan: Plan, built: Path) -> None:
    models = {model.id: model for model in zoo.load(plan, folder=built)}
    checkpoint = models["one"].load().module.state_dict()
    head_only = models["test-shared-01"].load().module.state_dict()
    below = [name for name in checkpoint if "features" in name]
    assert below
    assert all((head_only[name] == checkpoint[name]).all() for name in below)
    assert not (head_only["body.head.weight"] == checkpoint["body.head.weight"]).all()
    student = models["test-source-1-extracted"].load().spec
    assert student is not None
    assert student.arch_args["width"] == 16
    assert {model.kind for model in models.values() if model.role == "independent"} == {"SHARED", "OTHER", "DADT"}


def test_a_record_holds_what_the_model_answers(plan: Plan, built: Path) -> None:
    model = next(model for model in zoo.load(plan, folder=built) if model.id == "test-source-1-ftal")
    assert model.record is not None
    record = read_record(model.record)
    images = load_data("digits:queries[0:20]").stored.astype(np.float32) / 255
    with torch.inference_mode():
        answers = model.load().module(torch.from_numpy(images)).numpy()
    held = record.scores["pool"]
    assert len(held) <= len(answers)
    for row in held.astype(np.float32):
        assert np.abs(answers - row).max(axis=1).min() < 0.01
    (lineage,) = record.lineage.values()
    assert lineage.score is not None
    assert lineage.weights


def test_of_answers_that_no_scheme_reads_scores_of_the_label_alone_is_kept(plan: Plan, built: Path) -> None:
    model = next(model for model in zoo.load(plan, folder=built) if model.id == "test-source-1-ftal")
    assert model.record is not None
    held = read_record(model.record).scores["labels"]
    assert len(held) > 10
    assert set(np.unique(held)) == {0, 1}
    assert (held.sum(axis=1) == 1).all()


def test_what_fingerprints_are_made_of_is_recorded_first(plan: Plan, built: Path) -> None:
    models = zoo.load(plan, folder=built)
    written = {model.id: model.judged_by.stat().st_mtime_ns for model in models}
    first = {model.id for model in models if model.part in ("source", "shadow")}
    assert len(first) == 4
    assert max(written[name] for name in first) < min(written[name] for name in written.keys() - first)


def test_records_alone_are_judged_as_the_models_were(plan: Plan, built: Path, judged: Results, tmp_path: Path) -> None:
    assert judged.provenance["cells_failed"] == 0
    folder = tmp_path / "zoo"
    for path in built.rglob("*"):
        kept = path.parent.name in ("fingerprints", "sheets", "records") or path.name == "zoo.json"
        if path.is_file() and (kept or (path.parent.parent.name == "fingerprints" and "weights" not in path.name)):
            place = folder / path.relative_to(built)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(path.read_bytes())
    assert not list(folder.glob("*.safetensors"))
    again = run(BENCH, folder=folder, zoo=plan, zoo_folder=folder)
    assert again.provenance["cells_failed"] == 0
    assert [dict(one.scores) for one in again.runs] == [dict(one.scores) for one in judged.runs]
    assert again.rows == judged.rows
    assert {one.scheme for one in again.runs} >= {"lineage", "adv-tra"}
    assert {one.evasion for one in again.runs} == {"none", "blur", "noise+rounding"}


def test_tables_tell_kinds_and_relations_apart(judged: Results) -> None:
    tables = {table.title: table for table in tables_of(judged)}
    kinds = tables['Verdicts "derived" on independent models, by kind']
    assert set(kinds.columns) >= {"SHARED", "OTHER", "DADT"}
    lineage = next(row for row in kinds.rows if row[0] == "lineage")
    assert lineage[kinds.columns.index("SHARED")].endswith("of 2")
    stories = tables["Relations that verdicts name, by what suspects truly are"]
    counted = {row[3]: int(row[-1]) for row in stories.rows if row[0] == "lineage"}
    assert counted["sibling"] == 2
    assert counted["other checkpoint"] == counted["from scratch"] == 1
    truths = {model.id: truth_of(model) for model in judged.suspects if model.counts_as in ("all", "independent")}
    assert truths.get("test-source-1-extracted", "extracted") == "extracted"
    assert truths.get("test-source-1-soup", "made from weights") == "made from weights"


def test_a_build_goes_on_where_records_alone_are_left(plan: Plan, built: Path) -> None:
    models = {model.id: model for model in zoo.load(plan, folder=built)}
    before = {name: model.row.sha256 for name, model in models.items()}
    for path in built.rglob("*.safetensors"):
        if path.name != "tensors.safetensors":
            path.unlink()
    lost = models["test-source-1-soup"]
    assert lost.record is not None
    record = read_record(lost.record)
    lost.record.unlink()
    assert recorded(plan, built).complete
    there = {model.id for model in zoo.load(plan, folder=built) if model.path.is_file()}
    owners = {"one", "source-1", "shadow-shared-01", "shadow-shared-02"}  # no surrogate: every fingerprint is there
    assert there == owners | {"partner", "test-source-1-soup"}  # what the missing one is made from, and judged by
    assert {model.id: model.row.sha256 for model in zoo.load(plan, folder=built)} == before
    assert not (built / "remade.jsonl").exists()
    again = read_record(lost.record)
    assert again.lineage == record.lineage
    assert all(np.array_equal(again.scores[name], scores) for name, scores in record.scores.items())
    (lost.path).unlink()
    (built / models["source-1"].row.file).unlink()
    assert recorded(plan, built).complete
    assert not (built / models["source-1"].row.file).exists()  # every model has its record


def test_what_a_lost_index_said_is_measured_before_fingerprints_are_made(plan: Plan, built: Path) -> None:
    (built / "zoo.json").unlink()
    zoo.build(plan, folder=built, only=["shadow"])
    models = {model.id for model in zoo.load(plan, folder=built)}
    assert models >= {"one", "source-1", "shadow-shared-01", "shadow-shared-02"}
    assert not any(name.startswith("test") for name in models)


def test_a_damaged_record_is_said(built: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.npz"
    np.savez(path, scores=np.zeros(3))
    with pytest.raises(IntegrityError, match=r"damaged\.npz is no record of a model"):
        read_record(path)


def test_another_benchmark_than_the_plans_own_is_recorded(
    plans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = 'name = "other"\nzoo = "tuned.toml"\nbudgets = [10]\nseeds = [0]\n[[contenders]]\nschemes = ["zest"]\n'
    (plans / "other.toml").write_text(text)
    build = ["zoo", "build", str(plans / "tuned.toml"), "--folder", str(tmp_path), "--only", "shadow"]
    assert command([*build, "--records", str(plans / "other.toml")]) == 0
    records = sorted((tmp_path / "records").iterdir())
    assert len(records) == 7  # two checkpoints, a partner, the source, a surrogate, two siblings
    held = read_record(records[0]).scores
    assert set(held) == {"queries"}  # those of Zest, which reads scores; no pool
    assert len(np.unique(held["queries"])) > 2
    assert command([*build, "--records", "digits"]) == 2
    assert "the benchmark digits is of the zoo digits, not of tuned" in capsys.readouterr().err
