"""A registry: whole or absent, for many at once, of every version."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.screening.registry import INDEX, Registry
from modelprint.screening.schema import MIGRATIONS, VERSION
from tests.printed import printed as as_described
from tests.screening.world import World


@pytest.fixture
def registry(world: World, tmp_path: Path) -> Registry:
    shutil.copytree(world.registry, tmp_path / "registry")
    return Registry(tmp_path / "registry")


def test_fingerprints_go_in_and_out(world: World, registry: Registry, tmp_path: Path) -> None:
    first, second = registry.listed()
    assert (first.name, first.owner, first.scheme, first.calibration) == ("first", "Alice", "auto", 5)
    assert first.task == "image 8 by 8 pixels, 1 channel, 10 classes"
    assert (second.name, second.owner, second.scheme) == ("second", None, "lineage")
    registry.export("second", tmp_path / "out.fp")
    assert Fingerprint.load(tmp_path / "out.fp").identity == second.identity
    registry.remove("second")
    assert [entry.name for entry in registry.entries()] == ["first"]
    registry.add(tmp_path / "out.fp", name="back")
    assert [entry.name for entry in registry.entries()] == ["back", "first"]


def test_what_is_wrong_is_said(world: World, registry: Registry, tmp_path: Path) -> None:
    place = world.registry.parent
    with pytest.raises(UsageError, match=r"is in the registry already, as first"):
        registry.add(place / "first.fp", name="other")
    with pytest.raises(UsageError, match="is no name of a fingerprint"):
        registry.add(place / "first.fp", name="two\nlines")
    with pytest.raises(UsageError, match="has no fingerprint 'third'"):
        registry.remove("third")
    registry.remove("second")
    with pytest.raises(UsageError, match="a fingerprint named first already"):
        registry.add(place / "second.fp", name="first")
    assert not (registry.folder / "fingerprints" / Fingerprint.load(place / "second.fp").identity[7:]).exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ModelprintError, match="holds something else"):
        Registry.init(tmp_path / "full")
    with pytest.raises(ModelprintError, match="is no registry"):
        Registry(tmp_path / "full")


def test_a_changed_fingerprint_is_an_integrity_failure(registry: Registry) -> None:
    entry = registry.entries()[0]
    manifest = registry.folder / "fingerprints" / entry.identity[7:] / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"auto", b"akh_"))
    with pytest.raises(IntegrityError, match="was changed after enrollment"):
        registry.load(entry)
    assert run(["registry", "list", str(registry.folder)]) == 3


def test_a_commitment_must_be_of_the_fingerprint(world: World, registry: Registry, tmp_path: Path) -> None:
    place = world.registry.parent
    assert run(["key", "--out", str(tmp_path / "key.pem")]) == 0
    for name in ("first", "second"):
        commitment = str(tmp_path / f"{name}.json")
        words = ["--key", str(tmp_path / "key.pem"), "--out", commitment]
        assert run(["seal", str(place / f"{name}.fp"), *words]) == 0
    registry.remove("second")
    with pytest.raises(IntegrityError, match="not the committed one"):
        registry.add(place / "second.fp", commitment=tmp_path / "first.json")
    entry = registry.add(place / "second.fp", commitment=tmp_path / "second.json")
    assert entry.owner is not None  # the id of the key


def test_earlier_versions_become_this_one(tmp_path: Path) -> None:
    for version in range(VERSION):
        folder = tmp_path / f"v{version}"
        (folder / "fingerprints").mkdir(parents=True)
        connection = sqlite3.connect(folder / INDEX)
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        if version:
            row = ("kept", "sha256:00", None, "2026-01-01T00:00:00+00:00")
            connection.execute("INSERT INTO fingerprints VALUES (?, ?, ?, ?)", row)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
        connection.close()
        registry = Registry(folder)
        assert [entry.name for entry in registry.entries()] == (["kept"] if version else [])
        registry.keep_pairs("sha256:1", "sha256:2", {"sha256:3": "{}"})
        assert registry.known_pairs("sha256:1", "sha256:2") == {"sha256:3": "{}"}


def test_a_newer_version_is_refused(registry: Registry) -> None:
    connection = sqlite3.connect(registry.folder / INDEX)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(ModelprintError, match="install a newer one"):
        Registry(registry.folder)


def test_a_damaged_index_is_said(registry: Registry) -> None:
    (registry.folder / INDEX).write_bytes(b"no database" * 100)
    with pytest.raises(ModelprintError, match=r"index\.sqlite: file is not a database"):
        Registry(registry.folder)


def _write(folder: Path, worker: int, count: int) -> None:
    registry = Registry(folder)
    for number in range(count):
        registry.keep_pairs(f"suspect-{worker}-{number}", "how", {"print": "{}", "other": "{}"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_eight_writers_lose_no_row_though_some_are_killed(registry: Registry) -> None:
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_write, args=(registry.folder, worker, 25 if worker > 2 else 5000))
        for worker in range(8)
    ]
    for worker in workers:
        worker.start()
    time.sleep(0.2)
    killed = workers[:3]
    for worker in killed:
        worker.kill()
    for worker in workers:
        worker.join(timeout=60)
    for number in range(3, 8):
        for row in range(25):
            assert registry.known_pairs(f"suspect-{number}-{row}", "how") == {"print": "{}", "other": "{}"}
    for number in range(3):  # what a killed one wrote is whole: both rows or none
        for row in range(25):
            assert len(registry.known_pairs(f"suspect-{number}-{row}", "how")) in (0, 2)
    _write(registry.folder, 0, 25)  # and the index still works
    assert len(registry.known_pairs("suspect-0-24", "how")) == 2


def test_commands(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, folder = world.registry.parent, str(tmp_path / "reg")
    assert run(["registry", "init", folder]) == 0
    assert run(["registry", "add", folder, str(place / "first.fp"), "--name", "mine"]) == 0
    capsys.readouterr()
    assert run(["registry", "list", folder, "--format", "json"]) == 0
    (listed,) = as_described("registry-list", capsys.readouterr().out)["fingerprints"]
    assert listed["name"] == "mine"
    assert run(["registry", "export", folder, "mine", "--out", str(tmp_path / "back.fp")]) == 0
    assert Fingerprint.load(tmp_path / "back.fp").identity == listed["identity"]
    assert run(["registry", "remove", folder, "mine"]) == 0
    assert run(["registry", "remove", folder, "mine"]) == 2
    assert run(["scan", folder, str(world.models)]) == 2
