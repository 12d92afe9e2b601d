"""A zoo and a bench of each kind of input that is no image, made tiny: models are built, copied and judged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelprint.cli.app import run


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What differs between the zoos.

    Attributes:
        head: data, network and training of the plan.
        other: the architecture of a copy that is extracted.
        scheme, settings: a contender besides akh.
        evasion: one that such inputs know.
    """

    head: str
    other: str
    scheme: str
    settings: str
    evasion: str


KINDS = {
    "vector": Kind(
        head="""
data = "wine"
size = 178
dtype = "float32"
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
""",
        other='arch = "vector-trees", arch_args = { rounds = 4, leaves = 4 }',
        scheme="sac",
        settings="queries = 10",
        evasion="cell-noise",
    ),
    "series": Kind(
        head="""
data = "control-charts"
size = 400
[network]
arch = "series-mlp"
arch_args = { width = 16 }
training = "usual"
[[others]]
arch = "series-cnn"
arch_args = { width = 4 }
training = "usual"
[training.usual]
epochs = 8
lr = 0.05
batch_size = 32
augment = "none"
""",
        other='arch = "series-cnn", arch_args = { width = 4 }, epochs = 2',
        scheme="adv-tra",
        settings="trajectories = 4, m = 2, l = 1",
        evasion="white-noise",
    ),
    "text": Kind(
        head="""
data = "made-up-languages"
size = 400
[network]
arch = "text-ngrams"
arch_args = { width = 8, longest = 2 }
training = "usual"
[[others]]
arch = "text-cnn"
arch_args = { width = 8, embedding = 4 }
training = "usual"
[training.usual]
recipe = "adamw"
epochs = 4
lr = 0.02
batch_size = 32
augment = "none"
""",
        other='arch = "text-cnn", arch_args = { width = 8, embedding = 4 }, epochs = 1',
        scheme="adv-tra",
        settings="trajectories = 4, m = 2, l = 1",
        evasion="lower",
    ),
}
ZOO = """
name = "tiny"
shadow = {{ SAST = 1 }}
calibration = {{ SAST = 3 }}
test = {{ SAST = 3, DAST = 1, SHARED = 1 }}
{head}
[tuning]
epochs = 3
[surrogates]
RTAL = {{ attack = "rtal", epochs = 2, data = "owner[0:40]" }}
[test_copies]
FTAL = {{ attack = "ftal", epochs = 2 }}
"extracted, another" = {{ attack = "extract-labels", {other} }}
"""
BENCH = """
name = "tiny"
zoo = "zoo.toml"
budgets = [10]
seeds = [0]
[[contenders]]
scheme = "akh"
evasions = ["{evasion}"]
[[contenders]]
scheme = "{scheme}"
settings = {{ {settings} }}
budgets = [100]
[[contenders]]
scheme = "accuracy"
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_zoo_is_built_and_judged(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.chdir(tmp_path)
    one = KINDS[kind]
    Path("zoo.toml").write_text(ZOO.format(head=one.head, other=one.other))
    Path("bench.toml").write_text(BENCH.format(evasion=one.evasion, scheme=one.scheme, settings=one.settings))
    assert run(["zoo", "build", "zoo.toml", "--folder", "models"]) == 0
    arguments = ["bench", "run", "bench.toml", "--zoo", "models", "--folder", "cells", "--out", "results.json"]
    assert run(arguments) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert run(["bench", "show", "results.json", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["provenance"]["cells_failed"] == 0
    rows = [row for row in shown["rows"] if row["attack"] == "all"]
    assert {row["scheme"] for row in rows} == {"akh", "accuracy", one.scheme}
    assert {row["evasion"] for row in rows if row["scheme"] == "akh"} == {"none", one.evasion}
    assert all(0.0 <= row["auc"] <= 1.0 for row in rows)
    assert {"FTAL", "extracted, another"} <= {row["attack"] for row in shown["suspects"]}
