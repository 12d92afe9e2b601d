"""MLServer, a public Open Inference server: `pip install -e '.[mlserver]'`, then `pytest -m mlserver`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import modelprint
from modelprint.core.access import Access
from modelprint.ownership.opening import opened
from modelprint.suspects.options import SuspectOptions
from tests.conftest import Digits
from tests.suspects.world import enrolled, free_port, started

pytestmark = pytest.mark.mlserver

RUNTIME = """
import torch
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

from modelprint.nn.loading import load_model


class Net(MLModel):
    async def load(self):
        torch.set_num_threads(1)
        self.module = load_model(self.settings.parameters.uri).module
        return True

    async def predict(self, payload):
        images = NumpyCodec.decode_input(payload.inputs[0]).astype("float32")
        with torch.inference_mode():
            scores = self.module(torch.from_numpy(images)).numpy()
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("scores", scores)])
"""


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enrolled(digits, tmp_path_factory.mktemp("mlserver"))


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    pytest.importorskip("mlserver")
    port = free_port()
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    (place / "settings.json").write_text(json.dumps({**ports, "host": "127.0.0.1", "parallel_workers": 0}))
    (place / "runtime.py").write_text(RUNTIME)
    model = {
        "name": "digits",
        "implementation": "runtime.Net",
        "parameters": {"uri": str(place / "source.safetensors")},
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 1, 8, 8]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 10]}],
    }
    (place / "model-settings.json").write_text(json.dumps(model))
    source = str(Path(modelprint.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": f"{source}:{place}"}
    words = [str(Path(sys.executable).parent / "mlserver"), "start", str(place)]
    with started(words, cwd=place, ready=f"http://127.0.0.1:{port}/v2/models/digits/ready", env=env):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("path", ["", "/v2/models/digits"])
def test_its_model_is_checked_like_its_file(place: Path, url: str, path: str) -> None:
    options = SuspectOptions(ledger=place / f"ledger{len(path)}.jsonl")
    over_http = modelprint.verify(place / "fp", url + path, options=options)
    from_file = modelprint.verify(place / "fp", place / "source.safetensors")
    assert over_http.model_copy(update={"suspect": ""}) == from_file.model_copy(update={"suspect": ""})
    assert over_http.details["matched"] == over_http.details["trajectories"] == 5


def test_its_scores_are_those_of_the_file(place: Path, url: str) -> None:
    fingerprint = modelprint.Fingerprint.load(place / "fp")
    suspect = opened(url, fingerprint, SuspectOptions(ledger=place / "scores.jsonl", max_in_flight=2))
    told = suspect.ask(fingerprint.queries, access=Access.SCORES)
    np.testing.assert_allclose(told.scores, fingerprint.source.scores, atol=1e-4)
