"""How long judging schemes on a table of recorded labels takes: 1,200 models, 20,000 images, 35 sources.

    python -m benchmarks.answer_tables [--images 20000] [--families 35] [--members 34] [--strangers 10]

The table is synthetic: founders know each image with a chance of its own, copies keep most of their founder's answers.
`modelprint bench answers` runs on it in a process of its own, on one core where the system can say so, as a user runs
it: start, reading, judging, JSON. The figures of merit say nothing of real models. Writes
benchmarks/results/answer_tables.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import provenance, write_result

SCHEMES = ["akh", "fbi", "sac", "contrast"]


def write_table(
    folder: Path, *, families: int, members: int, strangers: int, images: int, classes: int = 1000, compress: bool
) -> int:
    """TABLE.npz (int64, as researchers keep it) and families.json; how many models there are."""
    generator = np.random.default_rng(0)
    truth = generator.integers(classes, size=images)
    hard = generator.beta(0.5, 1.5, size=images)  # how often a founder errs on each image
    near = (truth + generator.integers(1, 6, size=(3, images))) % classes  # what images are mistaken for
    arrays, parents = {"ground_truth": truth}, {}
    for family in range(families + strangers):
        founder = f"founder-{family}"
        mistaken = np.where(generator.random(images) < 0.9, near[generator.integers(3, size=images), np.arange(images)],
                            generator.integers(classes, size=images))  # fmt: skip
        arrays[founder] = np.where(generator.random(images) < hard, mistaken, truth)
        parents[founder] = founder
        for number in range(members - 1 if family < families else 0):
            copy = f"{founder}/copy-{number}"
            changed = generator.random(images) < generator.uniform(0.02, 0.7) * hard
            arrays[copy] = np.where(changed, near[generator.integers(3, size=images), np.arange(images)],
                                    arrays[founder])  # fmt: skip
            parents[copy] = founder
    (np.savez_compressed if compress else np.savez)(folder / "table.npz", **arrays)
    (folder / "families.json").write_text(json.dumps(parents))
    return len(parents)


def run(folder: Path, seed: int) -> tuple[dict[str, object], float, float]:
    """The results of the command, its seconds by the clock, and those of the processor."""
    words = ["--scheme", ",".join(SCHEMES), "--budget", "100", "--seed", str(seed), "--format", "json"]
    command = [sys.executable, "-m", "modelprint", "bench", "answers", "table.npz", "--families", "families.json"]
    one = {min(os.sched_getaffinity(0))} if hasattr(os, "sched_setaffinity") else None
    started, before = time.perf_counter(), _processor_seconds()
    done = subprocess.run(
        [*command, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=(lambda: os.sched_setaffinity(0, one)) if one is not None else None,
    )
    return json.loads(done.stdout), time.perf_counter() - started, _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--families", type=int, default=35, help="each with copies")
    parser.add_argument("--members", type=int, default=34, help="of each family, its founder among them")
    parser.add_argument("--strangers", type=int, default=10, help="founders without copies")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    seconds: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, compress in (("plain npz", False), ("compressed npz", True)):
            models = write_table(
                Path(name),
                families=arguments.families,
                members=arguments.members,
                strangers=arguments.strangers,
                images=arguments.images,
                compress=compress,
            )
            timed = [run(Path(name), seed) for seed in range(arguments.rounds)]
            seconds[kind] = {
                "clock": [round(clock, 2) for _, clock, _ in timed],
                "processor": [round(processor, 2) for _, _, processor in timed],
            }
    results = timed[0][0]
    write_result(
        "answer_tables.json",
        {
            "models": models,
            "images": arguments.images,
            "sources": len(results["sources"]),
            "schemes": SCHEMES,
            "budget": 100,
            "aim_seconds": 60,
            "seconds": seconds,
            "median_clock": {kind: statistics.median(taken["clock"]) for kind, taken in seconds.items()},
            "peak_megabytes": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
            "load": [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
            "provenance": {**provenance(), "threads": 1},
        },
    )
    print(seconds)


if __name__ == "__main__":
    main()
