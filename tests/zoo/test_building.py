"""Building, resuming, status, loading."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from modelprint import zoo
from modelprint.core.errors import IntegrityError, ModelprintError
from modelprint.core.identity import digest_file
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.training.loop import accuracy
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.plans import plan_of
from modelprint.zoo.recipes import Training
from modelprint.zoo.state import seconds_left
from modelprint.zoo.store import INDEX, Measured
from tests.zoo.tiny import QUICK, tiny_plan

PLAN = tiny_plan()
ROOT = Path(__file__).parents[2]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: digest_file(path) for path in folder.glob("*.safetensors")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    assert zoo.build(PLAN, folder=folder).complete
    return folder


def test_missing_models_are_expected_to_take_what_their_like_took() -> None:
    whole = plan_of("transfer")
    ids = (
        "lite0",
        "calibration-shared-01",
        "calibration-shared-02",
        "shadow-shared-01",
        "sweep-shared-01",
        "test-dadt-01",
    )
    plan = whole.model_copy(update={"entries": tuple(entry for entry in whole.entries if entry.id in ids)})
    rows = {
        entry.identity: Measured(
            id=entry.id, identity=entry.identity, file=entry.file, sha256="", size=1, accuracy=0.6, agreements={},
            seconds=seconds,
        )
        for entry in plan.entries
        for seconds in ({"lite0": 6.0, "calibration-shared-01": 30.0}.get(entry.id),)
        if seconds is not None
    }  # fmt: skip
    like, half, other = 30.0, 15.0, 30.0  # 1,500 images, 750, and 1,500 by another attack
    assert seconds_left(plan, rows) == pytest.approx(like + half + other + (6.0 + 30.0) / 2)
    assert seconds_left(plan, {}) is None


def test_two_processes_make_the_same_models(built: Path, tmp_path: Path) -> None:
    steps: list[zoo.Step] = []
    zoo.build(PLAN, folder=tmp_path, jobs=2, progress=steps.append)
    assert hashes(tmp_path) == hashes(built)
    assert [step.done for step in steps] == list(range(1, len(PLAN.entries) + 1))
    assert steps[-1].left == 0


def test_models_are_what_their_recipes_say(built: Path) -> None:
    holdout = load_data("digits:holdout")
    images, labels = torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels)
    models = {model.id: model for model in zoo.load(PLAN, folder=built)}
    assert set(models) == {entry.id for entry in PLAN.entries}
    source = models["source-1"].load()
    for model in models.values():
        loaded = model.load()
        assert loaded.card is not None
        assert loaded.card.accuracy == model.accuracy
        if model.same_classes:
            assert accuracy(loaded.module, images, labels) == pytest.approx(model.accuracy, abs=1e-6)
    assert models["test-source-1-ftal"].load().card.recipe["source"] == source.identity
    assert models["test-source-1-ftal"].agreement == models["test-source-1-ftal"].row.agreements["source-1"]
    assert models["test-source-1-transfer"].agreement is None
    assert models["source-1"].row.agreements == {}  # there were no sources when it was measured
    assert models["test-sast-01"].agreement == pytest.approx(sum(models["test-sast-01"].row.agreements.values()) / 2)
    halves = {parameter.dtype for parameter in load_model(models["source-1"].path).module.parameters()}
    assert halves == {torch.float32}
    assert models["source-1"].row.size < 2 * sum(p.numel() for p in source.module.parameters()) + 3000


def test_status_counts_without_loading_models(built: Path) -> None:
    state = zoo.status(PLAN, folder=built)
    assert state.complete
    assert state.done == state.total == len(PLAN.entries)
    assert state.size == sum(path.stat().st_size for path in built.glob("*.safetensors"))
    assert sum(group.total for group in state.groups) == state.total
    assert state.left == 0
    assert not state.failures
    empty = zoo.status(PLAN, folder=built / "nothing")
    assert (empty.done, empty.left, empty.complete) == (0, None, False)


def test_only_what_is_missing_is_made(built: Path, tmp_path: Path) -> None:
    first = zoo.build(PLAN, folder=tmp_path, only=["shadow"])
    assert {model.part for model in zoo.load(PLAN, folder=tmp_path)} == {"source", "base", "shadow"}
    assert not first.complete
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    zoo.build(PLAN, folder=tmp_path)
    assert hashes(tmp_path) == hashes(built)
    assert all((tmp_path / name).stat().st_mtime_ns == mtime for name, mtime in before.items())


def test_weights_without_a_line_in_the_index_are_measured_again(built: Path, tmp_path: Path) -> None:
    zoo.build(PLAN, folder=tmp_path, only=["shadow"])
    (tmp_path / INDEX).unlink()
    assert zoo.status(PLAN, folder=tmp_path).done == 0
    zoo.build(PLAN, folder=tmp_path, only=["shadow"])
    expected = {model.id: model.row for model in zoo.load(PLAN, folder=built)}
    for model in zoo.load(PLAN, folder=tmp_path):
        assert model.accuracy == expected[model.id].accuracy
        assert model.row.sha256 == expected[model.id].sha256
        assert model.row.seconds is None


def test_a_failure_is_recorded_and_the_build_goes_on(tmp_path: Path) -> None:
    plan = tiny_plan(strangers=1, data_of_knockoff="no-such-set.npz")
    state = zoo.build(plan, folder=tmp_path)
    assert [failure.id for failure in state.failures] == [
        "test-source-1-knockoff",
        "test-source-2-knockoff",
    ]
    assert "no-such-set.npz does not exist" in state.failures[0].error
    assert state.done == state.total - 2


def test_a_changed_file_is_noticed(built: Path, tmp_path: Path) -> None:
    zoo.build(PLAN, folder=tmp_path, only=["shadow"])
    model = zoo.load(PLAN, folder=tmp_path)[0]
    data = bytearray(model.path.read_bytes())
    data[-1] ^= 1
    model.path.write_bytes(bytes(data))
    with pytest.raises(IntegrityError, match="changed after it was built"):
        model.load()
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(IntegrityError, match="remove it"):
        zoo.load(PLAN, folder=tmp_path)


def test_one_build_at_a_time(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(ModelprintError, match="another build is at work"):
        zoo.build(PLAN, folder=tmp_path)
    os.close(descriptor)
    with pytest.raises(ModelprintError, match="nothing of the zoo tiny"):
        zoo.load(PLAN, folder=tmp_path)


def test_models_trained_elsewhere_are_adopted(tmp_path: Path) -> None:
    entry = PLAN.entries[0]
    assert isinstance(entry.recipe, Training)
    data = load_data("digits:owner")
    spec = spec_for(data, entry.recipe.arch, entry.recipe.arch_args)
    for seed in (entry.recipe.seed, 77):
        made = train_model(data, spec, QUICK, seed=seed)
        save_model(tmp_path / "elsewhere" / f"{seed}.safetensors", made.model, made.card)
    folder = tmp_path / "zoo"
    assert zoo.adopt(PLAN, tmp_path / "elsewhere", folder=folder) == ["source-1"]
    zoo.build(PLAN, folder=folder, only=[])
    assert hashes(folder)[entry.file] == digest_file(tmp_path / "elsewhere" / f"{entry.recipe.seed}.safetensors")


def test_ten_kills_at_random_lose_nothing_and_leave_no_half_file(tmp_path: Path) -> None:
    """A process that has torch loaded forks builders; each is killed a moment after it has made a few models."""
    chance = random.Random(time.time_ns())
    plan = tiny_plan(strangers=10)
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.zoo.tiny", str(tmp_path), "fork"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    interrupted, kept = 0, {}
    try:
        for _ in range(10):
            server.stdin.write("build\n")
            server.stdin.flush()
            builder = int(server.stdout.readline())
            wanted, deadline = len(kept) + chance.randint(0, 3), time.monotonic() + 20
            while len(list(tmp_path.glob("*.safetensors"))) < wanted and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.06))
            os.kill(builder, signal.SIGKILL)
            assert server.stdout.readline() == "ended\n"
            found = hashes(tmp_path)
            assert {name: found.get(name) for name in kept} == kept  # nothing is lost or made again
            for name in set(found) - set(kept):
                load_model(tmp_path / name)  # no half file
            interrupted += len(found) < len(plan.entries)
            kept = found
    finally:
        server.stdin.close()
        server.wait(timeout=20)
        server.stdout.close()
    assert interrupted >= 5
    assert zoo.build(plan, folder=tmp_path).complete
    assert {path.name for path in tmp_path.iterdir()} == {entry.file for entry in plan.entries} | {INDEX}
    assert {name: value for name, value in hashes(tmp_path).items() if name in kept} == kept


def alive(group: int) -> list[int]:
    """Processes of a group that still run (a zombie that nobody has fetched does not)."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group, *_ = path.read_text().rpartition(")")[2].split()
            if int(its_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_the_build_is_killed(tmp_path: Path) -> None:
    build = subprocess.Popen(
        [sys.executable, "-m", "tests.zoo.tiny", str(tmp_path), "2"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("*.safetensors"))) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(alive(build.pid)) >= 3
    build.kill()
    build.wait()
    deadline = time.monotonic() + 30
    while alive(build.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = alive(build.pid)
    for process in left:
        os.kill(process, signal.SIGKILL)
    assert not left
    assert len(list(tmp_path.glob("*.safetensors"))) >= 6
