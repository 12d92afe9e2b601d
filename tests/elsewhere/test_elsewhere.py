"""Training, every attack and crafting on a device that is not the CPU: nothing forgets to move a tensor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import backend_registration

from modelprint.attacks import ATTACKS
from tests.elsewhere.work import SCHEMES

pytestmark = pytest.mark.skipif(
    not hasattr(backend_registration, "_setup_privateuseone_for_python_backend"),
    reason=f"torch {torch.__version__} takes no back ends in Python",
)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What came of each, in a process of its own."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.elsewhere.work"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_training_there_is_training_here(results):
    assert results["device"] == "elsewhere:0"
    there, here = results["losses"]
    assert there == pytest.approx(here, rel=5e-3)


def test_adamw_trains_there_as_here(results):
    there, here = results["adamw"]
    assert there == pytest.approx(here, rel=5e-2)


@pytest.mark.parametrize("kind", list(ATTACKS))
def test_every_attack_stays_on_the_device(kind, results):
    assert results[f"attack {kind}"] == "elsewhere:0"


def test_a_bench_crafts_asks_and_weighs_there(results):
    assert isinstance(results["bench"], list), results["bench"]
    device, score, accuracy = results["bench"]
    assert device == "elsewhere:0"
    assert score >= 1.0
    assert accuracy > 0.5


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_a_scheme_knows_the_source_again(scheme, results):
    assert isinstance(results[f"scheme {scheme}"], float), results[f"scheme {scheme}"]
    assert results[f"scheme {scheme}"] >= 1.0
