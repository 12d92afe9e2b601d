"""MLflow's own model server with a pyfunc: `pip install -e '.[mlflow]'`, then `pytest -m mlflow`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import modelprint
from modelprint.core.access import Access
from modelprint.ownership.opening import opened
from modelprint.suspects.options import SuspectOptions
from tests.conftest import Digits
from tests.suspects.world import enrolled, free_port, started

pytestmark = pytest.mark.mlflow

PYFUNC = '''
import mlflow
import numpy as np
import torch

from modelprint.nn.loading import load_model


class Net(mlflow.pyfunc.PythonModel):
    """The logits of the model in the artifact `weights`."""

    def load_context(self, context):
        torch.set_num_threads(1)
        self.module = load_model(context.artifacts["weights"]).module

    def predict(self, context, model_input, params=None):
        with torch.inference_mode():
            return self.module(torch.from_numpy(np.asarray(model_input, dtype=np.float32))).numpy()


mlflow.models.set_model(Net())
'''


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return enrolled(digits, tmp_path_factory.mktemp("mlflow"))


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    mlflow = pytest.importorskip("mlflow")
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    (place / "net.py").write_text(PYFUNC)
    images, scores = (TensorSpec(np.dtype(np.float32), shape) for shape in ((-1, 1, 8, 8), (-1, 10)))
    mlflow.pyfunc.save_model(
        place / "model",
        python_model=str(place / "net.py"),
        artifacts={"weights": str(place / "source.safetensors")},
        signature=ModelSignature(inputs=Schema([images]), outputs=Schema([scores])),
        pip_requirements=[],
    )
    port = free_port()
    words = ["-m", "mlflow", "models", "serve", "-m", "model", "-p", str(port), "--env-manager", "local"]
    source = str(Path(modelprint.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": source, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with started([sys.executable, *words], cwd=place, ready=f"http://127.0.0.1:{port}/ping", env=env):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.filterwarnings("ignore")
def test_a_pyfunc_is_checked_like_its_file(place: Path, url: str) -> None:
    over_http = modelprint.verify(place / "fp", url, options=SuspectOptions(ledger=place / "ledger.jsonl"))
    from_file = modelprint.verify(place / "fp", place / "source.safetensors")
    assert over_http.suspect == url
    assert over_http.model_copy(update={"suspect": ""}) == from_file.model_copy(update={"suspect": ""})
    assert over_http.details["matched"] == over_http.details["trajectories"] == 5


@pytest.mark.filterwarnings("ignore")
def test_its_scores_are_those_of_the_file(place: Path, url: str) -> None:
    import numpy as np

    fingerprint = modelprint.Fingerprint.load(place / "fp")
    suspect = opened(url, fingerprint, SuspectOptions(ledger=place / "scores.jsonl", max_in_flight=2))
    told = suspect.ask(fingerprint.queries, access=Access.SCORES)
    np.testing.assert_allclose(told.scores, fingerprint.source.scores, atol=1e-4)
