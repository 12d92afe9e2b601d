"""A zoo and a bench of vectors: models and trees on the wines, a scheme, an evasion; a minute's work made tiny."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprint.cli.app import run

ZOO = """
name = "wines"
data = "wine"
size = 178
dtype = "float32"
shadow = { SAST = 1 }
calibration = { SAST = 3 }
test = { SAST = 3, DAST = 1, SHARED = 1 }
[network]
arch = "vector-mlp"
arch_args = { width = 16 }
training = "usual"
[[others]]
arch = "vector-trees"
arch_args = { rounds = 4, leaves = 4 }
training = "usual"
[training.usual]
epochs = 8
lr = 0.05
batch_size = 16
augment = "none"
[tuning]
epochs = 3
[surrogates]
RTAL = { attack = "rtal", epochs = 2, data = "owner[0:40]" }
[test_copies]
FTAL = { attack = "ftal", epochs = 2 }
"extracted, trees" = { attack = "extract-labels", arch = "vector-trees", arch_args = { rounds = 4, leaves = 4 } }
"""
BENCH = """
name = "wines"
zoo = "zoo.toml"
budgets = [10]
seeds = [0]
[[contenders]]
scheme = "akh"
evasions = ["cell-noise"]
[[contenders]]
schemes = ["accuracy"]
"""


def test_a_zoo_of_vectors_is_built_and_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zoo.toml").write_text(ZOO)
    Path("bench.toml").write_text(BENCH)
    assert run(["zoo", "build", "zoo.toml", "--folder", "models"]) == 0
    arguments = ["bench", "run", "bench.toml", "--zoo", "models", "--folder", "cells", "--out", "results.json"]
    assert run(arguments) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert run(["bench", "show", "results.json", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    rows = [row for row in shown["rows"] if row["scheme"] == "akh" and row["attack"] == "all"]
    assert rows
    assert {row["evasion"] for row in rows} == {"none", "cell-noise"}
    assert all(0.0 <= row["auc"] <= 1.0 for row in rows)
    assert {"FTAL", "extracted, trees"} <= {row["attack"] for row in shown["suspects"]}
