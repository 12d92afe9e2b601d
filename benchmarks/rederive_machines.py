"""What changes in queries that are made again elsewhere: the tolerance of `check --rederive`.

    python benchmarks/rederive_machines.py

The first source of the `fashion` zoo, every scheme (those that learn from shadow models with 8 + 8 of the zoo's),
crafted with one thread, again, with two threads, and with the instructions of an older processor: SSE 4.1 in place of
what this one has, for PyTorch's own kernels and oneDNN's (ATEN_CPU_CAPABILITY, ONEDNN_MAX_CPU_ISA). Each in a process
of its own. Writes benchmarks/results/rederive_machines.json.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from common import provenance, write_result
from modelprint.data.splits import load_data
from modelprint.ownership.craft import craft
from modelprint.ownership.enroll import without_shared
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Enrollment
from modelprint.zoo.population import load

FEW = {"adv-tra": {"trajectories": "20"}, "cae": {"queries": "50"}, "uap": {"points": "50", "views": "2"}}
OLDER = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
RUNS: dict[str, tuple[int, dict[str, str]]] = {
    "one thread": (1, {}),
    "one thread again": (1, {}),
    "two threads": (2, {}),
    "SSE 4.1": (1, OLDER),
}


def made(threads: int) -> dict[str, np.ndarray]:
    """The queries of every scheme."""
    torch.set_num_threads(threads)
    models = load("fashion")
    shadows = [model for model in models if model.part == "shadow"]
    train_images = load_data("fashion-mnist:owner")
    context = Enrollment(
        source=next(model for model in models if model.role == "source").load().module,
        seeds=without_shared(load_data("fashion-mnist:queries"), train_images),
        train_images=train_images,
        shadow_copies=tuple(model.load().module for model in shadows if model.source == "source-1"),
        shadow_strangers=tuple(model.load().module for model in shadows if model.role == "independent"),
    )
    return {
        name: craft(SCHEMES[name]().with_settings(FEW.get(name, {})), context, seed=0).queries.images
        for name in SCHEMES
        if name not in ("accuracy", "agreement")
    }


def compared(first: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    """How far queries are apart, in levels of 255."""
    if first.shape != other.shape:
        return {"same_shape": False}
    levels = np.abs(first.astype(np.int64) - other.astype(np.int64)).reshape(len(first), -1)
    shares = (levels > 0).mean(axis=1)
    return {
        "same_shape": True,
        "changed_queries": int((shares > 0).sum()),
        "beyond_tolerance": int(((levels.max(axis=1) > 1) | (shares > 0.01)).sum()),
        "largest_change": int(levels.max()),
        "largest_share_of_pixels": float(shares.max()),
    }


def main() -> None:
    """Craft in processes of their own, compare, and write the result."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, (threads, settings) in RUNS.items():
            place = Path(folder) / f"{len(found)}.safetensors"
            command = [sys.executable, __file__, str(threads), str(place)]
            subprocess.run(command, env={**os.environ, **settings}, check=True)
            found[label] = load_file(place)
    first = found.pop("one thread")
    rows = [
        {"scheme": name, "against": label, "queries": len(first[name]), **compared(first[name], queries[name])}
        for label, queries in found.items()
        for name in first
    ]
    for row in rows:
        print(row, flush=True)
    write_result("rederive_machines.json", {"rows": rows, "provenance": provenance()})


if __name__ == "__main__":
    if sys.argv[1:]:
        save_file(made(int(sys.argv[1])), sys.argv[2])
    else:
        main()
