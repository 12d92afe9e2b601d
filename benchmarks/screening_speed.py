"""Seconds and memory of a scan by weights: 500 small suspects beside 40 fingerprints.

    python -m benchmarks.screening_speed [--counts 125 250 500] [--owners 40] [--jobs 2] [--folder PLACE]

The models are those of the committed zoo of Fashion-MNIST: 40 of them are enrolled by `lineage`, with 5 others as
calibration models; all are suspects, and copies with a little noise on every weight fill up their number. Nobody is
asked (`scan --no-queries`). Scans of so many of the suspects as `--counts` says, each in a process of its own with a
registry that knows nothing yet, give the time for each pair. Memory is the largest resident set of any one process.
Writes benchmarks/results/screening_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks.common import CHECKOUT, provenance, write_result
from modelprint.data.splits import load_data
from modelprint.ownership.enroll import enroll
from modelprint.screening.registry import Registry

ZOO = CHECKOUT / "benchmarks" / "zoo" / "fashion"
CALIBRATION = 5
SEEDS = 500  # images that accuracies are measured on at enrollment
NOISE = 0.02  # of a tensor's standard deviation


def build(place: Path, *, suspects: int, owners: int) -> None:
    """The registry, and a folder of suspects."""
    files = sorted(ZOO.glob("*.safetensors"))
    folder, calibration = place / "suspects", place / "calibration"
    folder.mkdir()
    calibration.mkdir()
    for file in files[owners : owners + CALIBRATION]:
        shutil.copy(file, calibration / file.name)
    registry = Registry.init(place / "registry")
    queries = load_data("fashion-mnist:queries").take(slice(0, SEEDS))
    for number, file in enumerate(files[:owners]):
        place_of = place / "fingerprints" / f"{number}.fp"
        enroll(file, queries, scheme="lineage", negatives=str(calibration), from_scratch=True, out=place_of)
        registry.add(place_of, name=f"model-{number:02d}")
    for number in range(suspects):
        file = files[number % len(files)]
        if number < len(files):
            shutil.copy(file, folder / f"{number:04d}.safetensors")
        else:
            perturbed(file, folder / f"{number:04d}.safetensors", seed=number)


def perturbed(source: Path, target: Path, *, seed: int) -> None:
    """A copy with noise on every weight."""
    draw = torch.Generator().manual_seed(seed)
    with safe_open(source, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        card = file.metadata()
    for name, value in tensors.items():
        if value.is_floating_point() and value.numel() > 1:
            noise = torch.randn(value.shape, generator=draw) * float(value.float().std())
            tensors[name] = (value.float() + NOISE * noise).to(value.dtype)
    save_file(tensors, target, metadata=card)


def one(place: Path, *, count: int, jobs: int) -> dict[str, Any]:
    """Seconds and memory of one scan, by a process of its own."""
    registry = place / f"registry-{count}"
    shutil.rmtree(registry, ignore_errors=True)
    shutil.copytree(place / "registry", registry)
    names = place / f"{count}.txt"
    names.write_text("".join(f"{path}\n" for path in sorted((place / "suspects").iterdir())[:count]))
    words = ["-m", "modelprint", "scan", str(registry), f"@{names}", "--no-queries", "--jobs", str(jobs)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words, "--format", "json"], capture_output=True, text=True, check=True, cwd=CHECKOUT
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    screen = json.loads(done.stdout)
    return {
        "suspects": len(screen["suspects"]),
        "pairs": screen["savings"]["pairs"],
        "errors": sum(row["error"] is not None for row in screen["suspects"]),
        "seconds": seconds,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "mebibytes": after.ru_maxrss / 1024,
        "load_before": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[125, 250, 500])
    parser.add_argument("--owners", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep registry and suspects there, and use what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        place = arguments.folder or Path(name)
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "suspects").exists():
            build(place, suspects=max(arguments.counts), owners=arguments.owners)
        rows = []
        for count in arguments.counts:
            rows.append(one(place, count=count, jobs=arguments.jobs))
            print(rows[-1], flush=True)
    pairs = np.array([row["pairs"] for row in rows])
    slopes = {
        key: float(np.polyfit(pairs, [row[key] for row in rows], 1)[0]) for key in ("seconds", "processor_seconds")
    }
    write_result(
        "screening_speed.json",
        {
            "owners": arguments.owners,
            "jobs": arguments.jobs,
            "calibration": CALIBRATION,
            "rows": rows,
            "seconds_per_pair": slopes["seconds"],
            "processor_seconds_per_pair": slopes["processor_seconds"],
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
