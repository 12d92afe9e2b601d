"""A folder as others leave theirs: one model saved in several ways, copies of it, and files that cannot be read."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from modelprint.attacks.make import run_attack
from modelprint.bench.recording import TableFile, record_population
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build
from modelprint.suspects.recorded import record, write_recording
from modelprint.training.loop import predict
from tests.conftest import Digits

UNKNOWN_FORMAT = "g.mlmodel"


@dataclass(frozen=True, kw_only=True)
class Population:
    """The folder, the table made of it, and what was said meanwhile."""

    folder: Path
    place: Path
    table: TableFile
    said: tuple[str, ...]


def questions(digits: Digits) -> LabelledSet:
    """Noisy images, on which models err in their own ways."""
    noise = np.random.default_rng(0).normal(0, 50, digits.attacker.stored.shape)
    stored = np.clip(digits.attacker.stored + noise, 0, 255).astype(np.uint8)
    return replace(digits.attacker, stored=stored, name="digits:noisy")


def fill(folder: Path, digits: Digits) -> None:
    """The models a, b, c and d; a and b saved in several ways, copies of b and c, and what cannot be recorded."""
    spec, plain = digits.spec, digits.trained.card.model_copy(update={"recipe": {}})
    save_model(folder / "a.safetensors", digits.source, plain)
    torch.save({name: value.half() for name, value in digits.source.body.state_dict().items()}, folder / "a-half.pt")
    _onnx(digits.source, folder / "a.onnx")
    (folder / "a.md").write_text("---\nlicense: mit\ntags:\n- digits\n---\nA network.\n")
    save_model(folder / "b.safetensors", digits.strangers[0], plain)
    (folder / "b-again.safetensors").write_bytes((folder / "b.safetensors").read_bytes())
    tuned = run_attack("ftal", {"epochs": "1"}, digits.strangers[0], spec, digits.attacker, seed=0).model
    recipe = {"source": load_model(folder / "b.safetensors").identity}
    save_model(folder / "b-tuned.safetensors", tuned, plain.model_copy(update={"recipe": recipe}))
    torch.save({"state_dict": digits.strangers[1].body.state_dict()}, folder / "c.pth")
    noisy = copy.deepcopy(digits.strangers[1])
    with torch.no_grad():
        for tensor in noisy.parameters():
            tensor.mul_(1 + 0.05 * torch.randn(tensor.shape, generator=torch.Generator().manual_seed(0)))
    torch.save(noisy.body.state_dict(), folder / "c-noisy.pth")
    labels = predict(digits.strangers[2], torch.from_numpy(questions(digits).stored)).argmax(1).numpy()
    for name in ("d.jsonl", "d-again.npz"):
        heard = record(
            questions(digits).stored, Answers(labels=labels.astype(np.int64)), suspect="https://api.example.com"
        )
        write_recording(folder / name, heard)
    (folder / "README.md").write_text('---\nlicense: other\nlicense_name: "ours"\n---\n')
    (folder / "models.toml").write_text(
        f'[defaults]\narch = "cnn"\narch_args = {{ width = 8 }}\nmean = {list(spec.mean)}\nstd = {list(spec.std)}\n\n'
        '[models."a.onnx"]\nmean = [0.0]\nstd = [1.0]\n\n'  # it normalises itself
        '[models."d.jsonl"]\nlicence = "CC-BY-4.0"\norigin = "https://api.example.com/terms"\nkind = "OTHER"\n'
    )
    broken(folder, digits)


def broken(folder: Path, digits: Digits) -> None:
    """Files that end as rows with their errors."""
    weights = digits.source.body.state_dict()
    (folder / "e-cut.pth").write_bytes((folder / "c.pth").read_bytes()[:2000])
    torch.save({name: torch.full_like(value, torch.nan) if value.is_floating_point() else value
                for name, value in weights.items()}, folder / "e-nan.pt")  # fmt: skip
    large = {name: value * 1e30 if value.ndim > 1 else value for name, value in weights.items()}
    torch.save(large, folder / "e-overflows.pt")
    five = ModelSpec.model_validate({**digits.spec.model_dump(), "classes": 5})
    save_model(folder / "e-five.safetensors", build(five), digits.trained.card.model_copy(update={"spec": five}))
    torch.save(build(digits.spec).body.state_dict(), folder / "e-untrained.pt")
    save_file({"weight": torch.zeros(3, 3)}, folder / "e-other.safetensors")
    (folder / "e-spec.toml").write_text("weights = 3")
    (folder / UNKNOWN_FORMAT).write_bytes(b"\x08\x01")
    (folder / "notes.csv").write_text("epoch,loss\n1,0.5\n")
    (folder / "runs").mkdir()


def _onnx(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the older exporter
        torch.onnx.export(
            module, (torch.zeros(1, 1, 8, 8),), path, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}}, dynamo=False,
        )  # fmt: skip


@pytest.fixture(scope="session")
def population(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Population:
    folder = tmp_path_factory.mktemp("models")
    fill(folder, digits)
    place = tmp_path_factory.mktemp("tables") / "table"
    said: list[str] = []
    table = record_population(folder, questions(digits), place, notice=said.append)
    return Population(folder=folder, place=place, table=table, said=tuple(said))
