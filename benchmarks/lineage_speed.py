"""Seconds and memory of comparing the weights of two files of 100 million parameters.

    python -m benchmarks.lineage_speed [--layers 6] [--width 4096] [--threads 2] [--rounds 1] [--earlier CHECKOUT]

Both files are synthetic: square layers of a dense net, float16, in a temporary folder. The suspect is a copy with
noise, the same with permuted and rescaled channels, or another model. Each comparison runs in a process of its own:
opening both files, making the reference, and comparing with matched channels and the p-value. Memory is the process's
peak beyond that after importing, less two float32 weights. With --earlier the package of another checkout does the same
in turn, and `earlier` holds its rows. Writes benchmarks/results/lineage_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.common import CHECKOUT, provenance, write_result
from modelprint.lineage import compare, open_tensors, reference_of

CASES = ("copy", "permuted and rescaled copy", "another model")


def write_files(folder: Path, *, layers: int, width: int) -> None:
    draw = torch.Generator().manual_seed(0)
    states: dict[str, dict[str, torch.Tensor]] = {name: {} for name in ("source", *CASES)}
    before, factors = torch.arange(width), torch.ones(width)
    for place in range(layers):
        name = f"layers.{place}.weight"
        weight, other = (torch.randn(width, width, generator=draw) / width**0.5 for _ in range(2))
        copy = weight + 0.3 * torch.randn(width, width, generator=draw) / width**0.5
        last = place == layers - 1
        order = torch.arange(width) if last else torch.randperm(width, generator=draw)
        scale = torch.ones(width) if last else torch.exp(torch.randn(width, generator=draw))
        moved = copy[order][:, before] * scale[:, None] / factors[None]
        before, factors = order, scale
        for case, value in zip(states, (weight, copy, moved, other), strict=True):
            states[case][name] = value.half()
    for case, state in states.items():
        save_file(state, folder / f"{case}.safetensors")


def one(folder: Path, case: str, width: int) -> dict[str, Any]:
    """Seconds and memory of one comparison, in this process."""
    before = peak()
    started, processor = time.perf_counter(), time.process_time()
    source = open_tensors(folder / "source.safetensors")
    reference = reference_of(source)
    made = time.perf_counter() - started
    result = compare(reference, open_tensors(folder / f"{case}.safetensors"))
    seconds = time.perf_counter() - started
    extra = peak() - before - 2 * 4 * width * width
    return {
        "case": case,
        "score": result.score,
        "p_value": result.named_p_value,
        "seconds": seconds,
        "processor_seconds": time.process_time() - processor,
        "reference_seconds": made,
        "mebibytes_above_two_weights": extra / 2**20,
        "reference_mebibytes": 2 * reference.numel / 2**20,
    }


def peak() -> int:
    """Bytes of this process's largest resident set; getrusage would count the parent's, too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def in_own_process(checkout: Path, folder: Path, case: str, *, width: int, threads: int) -> dict[str, Any]:
    """What `one` gives in a process of a checkout's package."""
    words = ["--case", case, "--folder", str(folder), "--width", str(width), "--threads", str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lineage_speed", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{checkout}"},
    )
    row: dict[str, Any] = json.loads(done.stdout)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--earlier", type=Path)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.case:
        print(json.dumps(one(arguments.folder, arguments.case, arguments.width)))
        return
    checkouts = {"rows": CHECKOUT} | ({"earlier": arguments.earlier.resolve()} if arguments.earlier else {})
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), layers=arguments.layers, width=arguments.width)
        for _ in range(arguments.rounds):
            for case in CASES:
                for name, checkout in checkouts.items():
                    row = in_own_process(checkout, Path(folder), case, width=arguments.width, threads=arguments.threads)
                    rows[name].append(row)
                    print(name, row, flush=True)
    parameters = arguments.layers * arguments.width**2
    write_result(
        "lineage_speed.json",
        {"parameters": parameters, "layers": arguments.layers, **rows, "provenance": provenance()},
    )


if __name__ == "__main__":
    main()
