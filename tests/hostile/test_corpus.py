"""Every hostile input does what it must: nothing runs, nothing hangs, one clear line, no control characters."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from modelprint.core.sandbox import available
from tests.hostile.corpus import HostileInput, every_input, quick_part
from tests.hostile.driver import Outcome, outcomes

RESULTS = Path(__file__).with_name("results.json")
LEAST = 1000
WORKERS = 2  # processes at a time, where all inputs are tried
LIBRARIES = {
    "tflite_files": "ai_edge_litert",
    "keras_files": "keras",
    "openvino_files": "openvino",
    "saved_models": "tensorflow",
    "hub_folders": "transformers",
}
KINDS = {
    "arrays", "checkpoints", "evidence", "fingerprints", "http_servers", "onnx_files", "pictures", "recordings",
    "safetensors", "series", "tables", "texts", "toml_files",
    *(kind for kind, library in LIBRARIES.items() if find_spec(library)),
}  # fmt: skip
needs_limits = pytest.mark.skipif(not available(), reason="this system cannot confine a child")


def known_failures() -> frozenset[str]:
    """What failed when all inputs were run last, and is said so in results.json."""
    if not RESULTS.exists():
        return frozenset()
    return frozenset(entry["name"] for entry in json.loads(RESULTS.read_text())["failing"])


def told(failing: list[Outcome]) -> str:
    """The faults, a paragraph each."""
    return "\n".join(f"{one.name}: {'; '.join(one.faults)}" for one in failing)


def test_there_are_more_than_a_thousand_of_every_kind() -> None:
    inputs = every_input()
    assert len(inputs) >= LEAST
    assert {entry.kind for entry in inputs.values()} == KINDS
    assert all(entry.exits <= {0, 1, 2, 3} and entry.seconds <= 60 for entry in inputs.values())


@needs_limits
def test_a_part_of_every_family_is_handled() -> None:
    chosen = [entry for entry in quick_part(every_input()) if entry.name not in known_failures()]
    assert {entry.kind for entry in chosen} == KINDS
    failing = [one for one in outcomes(chosen) if one.faults]
    assert not failing, told(failing)


@needs_limits
@pytest.mark.hostile
def test_every_input_is_handled() -> None:
    """All of them; what came of each kind is written beside this file, failures included."""
    began, inputs = time.monotonic(), every_input()
    known = known_failures()
    listed = list(inputs.values())
    with ThreadPoolExecutor(WORKERS) as workers:
        parts = workers.map(lambda first: list(outcomes(listed[first::WORKERS])), range(WORKERS))
        done = [one for part in parts for one in part]
    RESULTS.write_text(json.dumps(summary(inputs, done, time.monotonic() - began), indent=1) + "\n")
    failing = [one for one in done if one.faults and one.name not in known]
    assert not failing, told(failing)


def summary(inputs: dict[str, HostileInput], done: list[Outcome], seconds: float) -> dict[str, object]:
    """What is committed: counts by kind and outcome, the slowest, the largest, what failed."""
    kinds: dict[str, Counter[str]] = {}
    for one in done:
        kinds.setdefault(inputs[one.name].kind, Counter())[one.verdict] += 1
    slowest = sorted(done, key=lambda one: -one.seconds)[:10]
    largest = sorted(done, key=lambda one: -one.memory)[:10]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "revision": revision(),
        "inputs": len(done),
        "seconds": round(seconds),
        "outcomes": dict(Counter(one.verdict for one in done)),
        "kinds": {kind: dict(sorted(counts.items())) for kind, counts in sorted(kinds.items())},
        "slowest": [{"name": one.name, "seconds": round(one.seconds, 1)} for one in slowest],
        "largest": [{"name": one.name, "mebibytes": round(one.memory / 2**20)} for one in largest],
        "failing": [{"name": one.name, "faults": list(one.faults)} for one in done if one.faults],
    }


def revision() -> str:
    """Of the code that ran; "+" where the working tree differs from it."""
    here = Path(__file__).parent
    words = ["git", "-C", str(here)]
    head = subprocess.run([*words, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    dirty = subprocess.run([*words, "status", "--porcelain", "../../src"], capture_output=True, text=True, check=False)
    return (head.stdout.strip() or "unknown") + ("+" if dirty.stdout.strip() else "")
