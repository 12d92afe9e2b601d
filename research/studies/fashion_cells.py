"""What studies of the benchmark `fashion` begin with: its plan, the zoo, and the folder of its fingerprints."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.store import Store
from modelprint.zoo.population import load


def fashion_cells(description: str | None) -> tuple[Field, Store]:
    """The benchmark and its store, by `--folder` and `--zoo` of the command line; one thread from now on."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, required=True, help="of the benchmark's fingerprints and cells")
    parser.add_argument("--zoo", type=Path, help="the folder of the zoo's models; its own place unless given")
    chosen = parser.parse_args()
    planned = bench_of("fashion")
    return Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=chosen.zoo)), Store(
        chosen.folder
    )
