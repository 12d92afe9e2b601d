"""A modality of another package on the command line: data, train, attack, enroll, verify, serve, export, zoo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.nn.loading import load_model
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.serving import create_app
from tests.modalities.test_toy import toy as toy
from tests.suspects.servers import running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, toy, one_thread: None) -> Path:
    """Noisy quadrants in a file, a source, a tuned copy and a model of its own."""
    folder = tmp_path_factory.mktemp("toy")
    random = np.random.default_rng(0)
    stored = np.round(random.uniform(-1, 1, (1200, 6)) * 64) / 64
    labels = (stored[:, 0] + 0.3 * stored[:, 2] > 0) * 2 + (stored[:, 1] * stored[:, 3] > 0)
    labels = np.where(random.random(1200) < 0.1, random.integers(0, 4, 1200), labels)
    np.savetxt(folder / "set.toy", np.column_stack([stored, labels]), fmt="%.6f")
    data = folder / "set.toy"
    model = ["--epochs", "12", "--set", "lr=0.1"]
    assert run(["train", f"{data}:owner", "--out", str(folder / "source.safetensors"), *model]) == 0
    assert run(["train", f"{data}:stranger", "--seed", "9", "--out", str(folder / "other.safetensors"), *model]) == 0
    attack = ["attack", str(folder / "source.safetensors"), f"{data}:attacker", "--kind", "ftal", "--set", "epochs=3"]
    assert run([*attack, "--out", str(folder / "copy.safetensors")]) == 0
    return folder


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    capsys.readouterr()
    return capsys


def test_models_know_what_they_take(place: Path, said) -> None:
    assert run(["data", f"{place / 'set.toy'}:owner"]) == 0
    assert "400 vectors of 6, 4 classes" in said.readouterr().out
    spec = load_model(place / "source.safetensors").spec
    assert spec is not None
    assert (spec.arch, spec.shape, spec.input["modality"]) == ("toy-mlp", (6,), "toy-vector")
    assert run(["train", f"{place / 'set.toy'}:owner", "--arch", "cnn", "--out", str(place / "x.safetensors")]) == 1
    assert "architecture cnn does not take vectors: use toy-mlp" in said.readouterr().err
    assert run(["train", "digits:owner", "--arch", "toy-mlp", "--out", str(place / "x.safetensors")]) == 1
    assert "takes inputs of modality 'toy-vector'" in said.readouterr().err


def test_it_is_enrolled_and_a_copy_is_told_from_another_model(place: Path, said) -> None:
    source, data, fingerprint = place / "source.safetensors", place / "set.toy", place / "fp"
    enroll = ["enroll", str(source), f"{data}:queries", "--train-data", f"{data}:owner", "--out", str(fingerprint)]
    assert run([*enroll, "--scheme", "akh", "--set", "queries=60", "--negatives", "auto:19"]) == 0
    said.readouterr()
    verdicts = {}
    for name in ("copy", "other"):
        assert run(["verify", str(fingerprint), str(place / f"{name}.safetensors"), "--format", "json"]) == 0
        verdicts[name] = json.loads(said.readouterr().out)
    assert verdicts["copy"]["verdict"] == "derived", verdicts
    assert verdicts["other"]["verdict"] != "derived"
    model = load_model(place / "copy.safetensors")
    assert model.spec is not None
    app = create_app(
        TorchSuspect(model.module, model.identity, modality=model.spec.modality),
        name="copy", input_shape=(6,), classes=4, access=Access.LABELS, modality=model.spec.modality,
    )  # fmt: skip
    with running(app) as url:
        assert httpx.get(f"{url}/v2/models/copy").json()["inputs"][0]["shape"] == [-1, 6]
        assert run(["verify", str(fingerprint), url, "--format", "json"]) == 0
    assert json.loads(said.readouterr().out)["score"] == verdicts["copy"]["score"]


def test_a_zoo_of_them_is_built(place: Path, said) -> None:
    (place / "zoo.toml").write_text(f"""
name = "toy"
data = "{place / "set.toy"}"
size = 1200
shadow = {{ SAST = 1 }}
calibration = {{ SAST = 1 }}
test = {{ SAST = 1, SHARED = 1 }}
[network]
arch = "toy-mlp"
training = "usual"
[[others]]
arch = "toy-mlp"
arch_args = {{ width = 24 }}
training = "usual"
[training.usual]
epochs = 10
augment = "none"
[tuning]
epochs = 3
[surrogates]
RTAL = {{ attack = "rtal" }}
[test_copies]
"extracted" = {{ attack = "extract-labels", epochs = 5 }}
""")
    assert run(["zoo", "build", str(place / "zoo.toml"), "--folder", str(place / "zoo")]) == 0
    assert "11 of 11 models" in said.readouterr().out
