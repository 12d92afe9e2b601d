"""Which suspects the words of a command line name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from modelprint.core.errors import UsageError
from modelprint.nn.options import ModelOptions
from modelprint.screening.shards import Shard
from modelprint.screening.targets import Target, targets_of
from tests.screening.world import World


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    tuned = world.models / "tuned.safetensors"
    for name in ("a.safetensors", "deep/er/b.safetensors", "hf/model.safetensors", ".hidden/c.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tuned, tmp_path / name)
    (tmp_path / "hf" / "config.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no model")
    hub = tmp_path / "models--org--net"
    for revision in ("111", "222"):
        (hub / "snapshots" / revision).mkdir(parents=True)
        shutil.copy(tuned, hub / "snapshots" / revision / "model.safetensors")
    (hub / "refs").mkdir()
    (hub / "refs" / "main").write_text("111")
    shutil.copytree(world.registry.parent / "first.fp", tmp_path / "first.fp")
    shutil.copytree(world.registry, tmp_path / "registry")
    return tmp_path


def names(targets: list[Target], folder: Path) -> list[str]:
    return [target.name.removeprefix(f"{folder}/") for target in targets]


def test_a_folder_names_the_models_below_it(folder: Path) -> None:
    targets = targets_of([str(folder)], ModelOptions())
    assert names(targets, folder) == ["a.safetensors", "hf", "deep/er/b.safetensors", "org/net"]
    assert targets[-1].reference.endswith("snapshots/111")  # the revision that main names


def test_patterns_lists_and_addresses(folder: Path, tmp_path: Path) -> None:
    pattern = targets_of([f"{folder}/**/b.safetensors"], ModelOptions())
    assert names(pattern, folder) == ["deep/er/b.safetensors"]
    listed = tmp_path / "list.txt"
    listed.write_text(
        f"# tonight's\n{folder}/a.safetensors\n\nhttp://127.0.0.1:9/x?key=secret\n{folder}/a.safetensors\n"
    )
    targets = targets_of([f"@{listed}", f"{folder}/deep/../a.safetensors"], ModelOptions())
    assert names(targets, folder) == ["a.safetensors", "http://127.0.0.1:9/x?..."]  # each once, no secret
    assert targets[1].is_address


def test_names_with_line_breaks_stay_one_suspect(folder: Path) -> None:
    strange = folder / "deep" / "two\nlines\x1b[31m.safetensors"
    shutil.copy(folder / "a.safetensors", strange)
    targets = targets_of([str(folder / "deep")], ModelOptions())
    assert str(strange) in [target.reference for target in targets]


def test_links_in_a_circle_end(folder: Path) -> None:
    (folder / "deep" / "round").symlink_to(folder / "deep")
    assert names(targets_of([str(folder / "deep")], ModelOptions()), folder) == ["deep/er/b.safetensors"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("{}/*.onnx", "fits no file"),
        ("{}/empty", "holds no model files"),
        ("@{}/gone.txt", "cannot be read as text"),
        ("@{}/circle.txt", "names no other list"),
    ],
)
def test_what_names_nothing_is_refused(tmp_path: Path, word: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "circle.txt").write_text(f"@{tmp_path}/circle.txt\n")
    with pytest.raises(UsageError, match=message):
        targets_of([word.format(tmp_path)], ModelOptions())
    with pytest.raises(UsageError, match="no suspect was named"):
        targets_of([], ModelOptions())


def test_a_model_of_mlflow_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.artifacts", None)  # as if it were not installed
    with pytest.raises(UsageError, match=r"models:/net/1 needs the extra: pip install 'modelprint\[mlflow\]'"):
        targets_of(["models:/net/1"], ModelOptions())


def test_parts_are_apart_and_together_everything() -> None:
    targets = [Target(name=f"m{number}\udcff.onnx", reference="m", options=ModelOptions()) for number in range(400)]
    parts = [Shard.parse(f"{number}/4").of(targets) for number in range(1, 5)]
    assert sorted(target.name for part in parts for target in part) == sorted(target.name for target in targets)
    assert min(map(len, parts)) > 60
    assert Shard.parse("2/4").of(targets[100:]) == [target for target in parts[1] if target in targets[100:]]
    for wrong in ("0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/2/3", ""):
        with pytest.raises(UsageError, match="names no part"):
            Shard.parse(wrong)
    with pytest.raises(UsageError, match="use fewer parts"):
        Shard.parse("1/900").of(targets[:1])
