"""Scans of many files, and many scans at once; the last result lies in large.json."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelprint.nn.options import ModelOptions
from modelprint.screening.judging import Judging
from modelprint.screening.registry import Registry
from modelprint.screening.scan import scan
from modelprint.screening.targets import targets_of
from modelprint.zoo.executors import Ray
from tests.screening.world import ALPHA, World

pytestmark = pytest.mark.slow
RESULT = Path(__file__).with_name("large.json")


@pytest.fixture
def registry(world: World, tmp_path: Path) -> Registry:
    shutil.copytree(world.registry, tmp_path / "registry")
    return Registry(tmp_path / "registry")


def keep(name: str, figures: dict[str, Any]) -> None:
    """Write what a test measured beside what the others did."""
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    known[name] = {**figures, "date": datetime.now(UTC).date().isoformat(), "load": round(os.getloadavg()[0], 1)}
    RESULT.write_text(json.dumps(dict(sorted(known.items())), indent=2) + "\n")


def many(world: World, folder: Path, count: int) -> None:
    """So many files of three models, each with bytes of its own after the tensors' names."""
    folder.mkdir()
    models = [(world.models / f"{name}.safetensors").read_bytes() for name in ("tuned", "pruned", "independent")]
    for number in range(count):
        data = bytearray(models[number % len(models)])
        data[-4:] = number.to_bytes(4, "little")  # the last number of the last tensor, next to zero
        (folder / f"{number:05d}.safetensors").write_bytes(data)


def test_one_broken_file_among_500_is_a_row(world: World, registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    many(world, folder, 500)
    shutil.copy(world.models / "broken.safetensors", folder / "00250.safetensors")
    started = time.monotonic()
    screen = scan(registry, targets_of([str(folder)], ModelOptions()), Judging(alpha=ALPHA, asks=False))
    seconds = time.monotonic() - started
    (broken,) = [row for row in screen.suspects if row.error is not None]
    assert Path(broken.suspect).name == "00250.safetensors"
    assert len(screen.suspects) == 500
    owners = [row.owner for row in screen.suspects if row is not broken]
    assert {owner: owners.count(owner) for owner in set(owners)} == {"first": 167, "second": 166, None: 166}
    keep("500 files, one of them broken", {"seconds": round(seconds, 1), "errors": 1, "pairs": screen.savings.pairs})


def test_ten_thousand_files(world: World, registry: Registry, tmp_path: Path) -> None:
    """Of one content: what the files themselves cost. Memory grows by what is printed of each."""
    resource = pytest.importorskip("resource")
    folder = tmp_path / "uploads"
    folder.mkdir()
    first = folder / "00000.safetensors"
    shutil.copy(world.models / "tuned.safetensors", first)
    for number in range(1, 10_000):
        (folder / f"{number:05d}.safetensors").hardlink_to(first)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    targets = targets_of([str(folder)], ModelOptions())
    listed = time.monotonic() - started
    screen = scan(registry, targets, Judging(alpha=ALPHA, asks=False))
    seconds = time.monotonic() - started
    assert len(screen.suspects) == 10_000
    assert {row.owner for row in screen.suspects} == {"first"}
    assert screen.savings.known == 2 * 9_999
    keep(
        "10,000 files of one content",
        {
            "seconds": round(seconds, 1),
            "seconds_to_list": round(listed, 1),
            "mebibytes_more": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
        },
    )


def test_eight_scans_at_once_some_killed_lose_no_row(world: World, registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    many(world, folder, 40)
    words = [sys.executable, "-m", "modelprint", "scan", str(registry.folder), str(folder), "--no-queries"]
    words += ["--alpha", str(ALPHA), "--format", "json"]
    started = time.monotonic()
    processes = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    while not _known(registry):  # all of them read, and write, from here on
        time.sleep(0.1)
        assert time.monotonic() - started < 300
    for process in processes[:3]:
        process.kill()
    screens = [json.loads(process.communicate(timeout=300)[0]) for process in processes[3:]]
    for process in processes[:3]:
        process.communicate(timeout=10)
    verdicts = [[(row["suspect"], row["verdict"], row["owner"]) for row in screen["suspects"]] for screen in screens]
    assert all(one == verdicts[0] for one in verdicts)
    assert _known(registry) == 2 * 40
    again = subprocess.run(words, stdout=subprocess.PIPE, check=True, timeout=300)
    assert json.loads(again.stdout)["savings"]["known"] == 2 * 40
    keep("8 scans at once, 3 of them killed", {"seconds": round(time.monotonic() - started, 1), "pairs": 2 * 40})


def test_a_ray_cluster_finds_the_same(world: World, registry: Registry, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    shutil.copytree(world.registry, tmp_path / "other")
    targets, how = targets_of([str(world.models)], ModelOptions()), Judging(alpha=ALPHA)
    here = scan(registry, targets, how)
    started = time.monotonic()
    there = scan(Registry(tmp_path / "other"), targets, how, executor=Ray(2))
    assert there.pairs == here.pairs
    assert [row.owner for row in there.suspects] == [row.owner for row in here.suspects]
    assert there.savings.known == 0
    keep("a Ray cluster of two workers", {"seconds": round(time.monotonic() - started, 1), "pairs": len(there.pairs)})


def _known(registry: Registry) -> int:
    """How many pairs the registry knows."""
    with registry._connected() as connection:
        return int(connection.execute("SELECT COUNT(*) FROM pairs").fetchone()[0])
