"""What every benchmark records beside its numbers."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelprint.core.files import write_text

CHECKOUT = Path(__file__).resolve().parents[1]
RESULTS = CHECKOUT / "benchmarks" / "results"


def provenance() -> dict[str, Any]:
    """Machine, versions, revision, command and date; a folder of this machine is a FOLDER to others."""
    words = ["FOLDER" if word.startswith("/") else word for word in sys.argv[1:]]
    module = ".".join(Path(sys.argv[0]).resolve().relative_to(CHECKOUT).with_suffix("").parts)
    return {
        "command": " ".join(["python", "-m", module, *words]),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "revision": _git("rev-parse", "--short", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def write_result(name: str, result: Mapping[str, Any]) -> None:
    """Write a result under benchmarks/results, whole or not at all."""
    write_text(RESULTS / name, json.dumps(result, indent=1, allow_nan=False) + "\n")


def alternating(
    tasks: Mapping[str, Callable[[], object]], *, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each task in each round, the tasks in turn, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            started = clock()
            task()
            if number:
                seconds[name].append(clock() - started)
    return seconds


def ratio(above: list[float], below: list[float]) -> dict[str, Any]:
    """Median and spread of a ratio, round by round."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "n": len(ratios)}


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return done.stdout.strip()
