"""Models of an MLflow registry as suspects, against MLflow's own server; the last result lies in mlflow.json.

Needs the extra mlflow: `pytest -m mlflow`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelprint.cli.app import run
from modelprint.nn.options import ModelOptions
from modelprint.screening.targets import targets_of
from tests.screening.world import World
from tests.suspects.world import free_port, started

pytestmark = pytest.mark.mlflow
RESULT = Path(__file__).with_name("mlflow.json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's tracking server and registry, on this machine."""
    pytest.importorskip("mlflow")
    place = tmp_path_factory.mktemp("mlflow")
    address = f"http://127.0.0.1:{(port := free_port())}"
    words = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{place}/mlflow.db", "--artifacts-destination", str(place / "store")]
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with started([sys.executable, *words], cwd=place, ready=f"{address}/health", env=env):
        yield address


@pytest.fixture(scope="module")
def models(server: str, world: World) -> Any:
    """The registry of MLflow with a copy of the first owner's model, an independent one, and one of two files."""
    import mlflow

    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    client = mlflow.MlflowClient()
    for name, files in {
        "tuned": ["tuned"], "independent": ["independent"], "both": ["tuned", "pruned"], "broken": ["broken"]
    }.items():  # fmt: skip
        with mlflow.start_run() as run_:
            for file in files:
                mlflow.log_artifact(str(world.models / f"{file}.safetensors"), "weights")
        client.create_registered_model(name)
        client.create_model_version(name, f"runs:/{run_.info.run_id}/weights", run_.info.run_id)
    client.set_registered_model_alias("tuned", "champion", "1")
    return client


def test_models_of_a_registry_are_suspects(
    models: Any, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    shutil.copytree(world.registry, tmp_path / "registry")
    names = ["models:/tuned/1", "models:/independent/1", "models:/both/1", "models:/broken/1", "models:/tuned@champion"]
    began = time.monotonic()
    code = run(["scan", str(tmp_path / "registry"), *names, "--alpha", "0.34", "--format", "json", "--exit-code"])
    seconds = time.monotonic() - began
    assert code == 10
    rows = {row["suspect"]: row for row in json.loads(capsys.readouterr().out)["suspects"]}
    assert list(rows) == names  # each under its name in MLflow's registry
    assert (rows["models:/tuned/1"]["verdict"], rows["models:/tuned/1"]["owner"]) == ("derived", "first")
    assert rows["models:/tuned@champion"]["owner"] == "first"
    assert rows["models:/independent/1"]["verdict"] == "not-shown"
    assert "2 model files" in rows["models:/both/1"]["error"]
    assert "safetensors" in rows["models:/broken/1"]["error"]
    again = run(["scan", str(tmp_path / "registry"), *names[:2], "--alpha", "0.34", "--format", "json"])
    assert again == 0
    assert json.loads(capsys.readouterr().out)["savings"]["known"] == 4  # by content: fetched again, not judged again
    figures = {
        "mlflow": mlflow.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "verdicts": {name: row["verdict"] or "error" for name, row in rows.items()},
        "seconds": round(seconds, 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


def test_what_a_registry_lacks_is_said(models: Any) -> None:
    words = ["models:/none/1", "models:/tuned/7", "models:/tuned@nobody"]
    for target in targets_of(words, ModelOptions()):
        assert target.error is not None
        assert target.error.startswith(f"{target.name} cannot be fetched: ")
