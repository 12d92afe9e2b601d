from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.suspect import Answers
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.open import SuspectOptions, default_ledger, open_suspect
from modelprint.suspects.recorded import RecordedSuspect, record, write_recording
from tests.suspects.servers import Scripted, mlflow_reply


def test_model_files_become_torch_suspects(tmp_path: Path, images: np.ndarray) -> None:
    spec = ModelSpec(arch="mlp", channels=1, size=4, classes=5)
    model = build(spec).eval()
    save_model(tmp_path / "m.safetensors", model, ModelCard(spec=spec))
    suspect = open_suspect(str(tmp_path / "m.safetensors"), SuspectOptions(input_shape=(1, 4, 4), classes=5))
    assert isinstance(suspect, TorchSuspect)
    assert suspect.identity.startswith("sha256:")
    assert (suspect.ask(images).labels == TorchSuspect(model, "").ask(images).labels).all()
    with pytest.raises(ModelprintError, match="classes"):
        open_suspect(str(tmp_path / "m.safetensors"), SuspectOptions(class_names=("a", "b")))


def test_onnx_files_and_recordings_by_suffix(tmp_path: Path, images: np.ndarray) -> None:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "m.ONNX")
    assert isinstance(open_suspect(str(tmp_path / "m.ONNX")), OnnxSuspect)
    (tmp_path / "m.toml").write_text('weights = "m.ONNX"\nmean = [0.5]\nstd = [0.25]\nbgr = true\nrange = [0, 2]\n')
    described = open_suspect(str(tmp_path / "m.toml"))
    assert isinstance(described, OnnxSuspect)
    read = described.model
    assert (read.mean, read.std, read.bgr, read.value_range) == ((0.5,), (0.25,), True, (0.0, 2.0))
    for name in ("a.jsonl", "a.npz"):
        write_recording(tmp_path / name, record(images, Answers(labels=np.zeros(40, np.int64)), suspect="s"))
        assert isinstance(open_suspect(str(tmp_path / name)), RecordedSuspect)


def test_addresses_get_a_ledger_in_the_cache(
    tmp_path: Path, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = SuspectOptions(fingerprint="sha256:1")
    with Scripted(lambda request, _: mlflow_reply(request)) as server:
        url = server.url + "/invocations"
        suspect = open_suspect(url, options)
        assert isinstance(suspect, HttpSuspect)
        suspect.ask(images)
        place = default_ledger(url, options)
        assert place.is_relative_to(tmp_path)
        assert place.exists()
        assert place == default_ledger(url, options)
        assert place != default_ledger(url, SuspectOptions(fingerprint="sha256:2"))
        assert place != default_ledger(url, replace(options, model=ModelOptions(bgr=True)))


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"max_sent": -1}, {"max_in_flight": 0}, {"timeout": 0.0}, {"retries": -1}]
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be"):
        SuspectOptions(**wrong)


def test_options_cost_no_heavy_imports() -> None:
    code = (
        "import sys, modelprint.suspects.open; print({'torch', 'httpx', 'fastapi', 'onnxruntime'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
