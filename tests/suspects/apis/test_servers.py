"""The examples against the servers themselves, which bring many packages: they run under an interpreter of their own.

    python -m venv g && g/bin/pip install gradio
    MODELPRINT_GRADIO=g/bin/python pytest -m slow tests/suspects/apis

`MODELPRINT_GRADIO` (4 or later), `MODELPRINT_GRADIO_3` and `MODELPRINT_BENTOML` name interpreters; servers of which
none is named are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.access import Access
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.options import SuspectOptions
from tests.suspects.apis.test_shapes import EXAMPLES
from tests.suspects.world import free_port, started

pytestmark = pytest.mark.slow

GRADIO = """
import gradio, numpy

def predict(image):
    label = int(numpy.asarray(image.convert("L"))[0, 0]) % 10
    return {str(number): 0.55 if number == label else 0.05 for number in range(10)}

gradio.Interface(predict, gradio.Image(type="pil"), gradio.Label(num_top_classes=10)).launch(server_port=PORT)
"""
BENTOML = """
import bentoml, numpy
from PIL.Image import Image

@bentoml.service
class Digits:
    @bentoml.api
    def classify(self, image: Image) -> str:
        return str(int(numpy.asarray(image.convert("L"))[0, 0]) % 10)
"""


@pytest.mark.parametrize("name", ["gradio", "gradio-3", "bentoml"])
def test_the_example_asks_the_real_server(name: str, tmp_path: Path) -> None:
    variable = f"MODELPRINT_{name.upper().replace('-', '_')}"
    interpreter = os.environ.get(variable)
    if interpreter is None:
        pytest.skip(f"{variable} names no interpreter that has it")
    port = free_port()
    if name == "bentoml":
        (tmp_path / "service.py").write_text(BENTOML)
        words = [interpreter, "-m", "bentoml", "serve", "service:Digits", "--port", str(port)]
        ready = f"http://127.0.0.1:{port}/readyz"
    else:
        (tmp_path / "app.py").write_text(GRADIO.replace("PORT", str(port)))
        words, ready = [interpreter, "app.py"], f"http://127.0.0.1:{port}/"
    quiet = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "BENTOML_DO_NOT_TRACK": "1"}
    quiet.pop("PYTHONPATH", None)
    images = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    labels = images[:, 0, 0, 0] % 10
    with started(words, cwd=tmp_path, ready=ready, env=quiet):
        options = SuspectOptions(
            api="mapping",
            mapping=EXAMPLES / f"{name}.toml",
            class_names=tuple(map(str, range(10))),
            input_shape=(1, 8, 8),
            ledger=tmp_path / "ledger.jsonl",
        )
        suspect = HttpSuspect.connect(f"http://127.0.0.1:{port}", options)
        assert (suspect.ask(images).labels == labels).all()
        if suspect.access >= Access.SCORES:
            scores = suspect.ask(images, access=Access.SCORES).scores
            np.testing.assert_allclose(scores, 0.05 + 0.5 * np.eye(10)[labels], atol=1e-6)
