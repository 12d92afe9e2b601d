"""What is wrong with files, registries and the disk is a row or one line, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.errors import ModelprintError
from modelprint.ownership.enroll import enroll
from modelprint.screening.registry import Registry
from tests.conftest import Digits
from tests.schemes.world import strangers
from tests.screening.world import MODELS, World


@pytest.fixture
def registry(world: World, tmp_path: Path) -> Registry:
    shutil.copytree(world.registry, tmp_path / "registry")
    return Registry(tmp_path / "registry")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("needs mount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], check=False).returncode:
        pytest.skip("may not mount a small disk here")
    try:
        yield place
    finally:
        subprocess.run([umount, "--lazy", str(place)], check=True)  # what this process still has open keeps it


def fill(place: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(1 << 12)):
            pass
    assert shutil.disk_usage(place).free == 0
    return filler


def test_a_full_disk_is_said_and_leaves_the_registry_as_it_was(
    world: World, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(world.registry, small_disk / "registry")
    registry = Registry(small_disk / "registry")
    registry.remove("second")
    before = registry.listed()
    filler = fill(small_disk)
    add = ["registry", "add", str(registry.folder), str(world.registry.parent / "second.fp")]
    scan = ["scan", str(registry.folder), str(world.models / "tuned.safetensors"), "--no-queries", "--format", "json"]
    for words in (add, scan, [*scan, "--out", str(small_disk / "out.json")]):
        assert run(words) == 1
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert "free some space" in error.lower()
    assert not (small_disk / "out.json").exists()
    filler.unlink()
    assert registry.listed() == before
    assert len(list((registry.folder / "fingerprints").iterdir())) == 1  # nothing half of the second one is left
    assert run(scan) == 0
    assert json.loads(capsys.readouterr().out)["savings"]["known"] == 0
    assert run(add) == 0


def test_two_fingerprints_of_one_model(
    world: World, registry: Registry, digits: Digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = enroll(
        world.models / "source.safetensors",
        digits.queries,
        scheme="lineage",
        negatives=strangers(digits, MODELS, seed=60),
    )
    twin.save(tmp_path / "twin.fp")
    registry.add(tmp_path / "twin.fp")
    registry.remove("second")
    words = [str(world.models / name) for name in ("source.safetensors", "tuned.safetensors")]
    assert run(["scan", str(registry.folder), *words, "--alpha", "0.34", "--format", "json"]) == 0
    screen = json.loads(capsys.readouterr().out)
    pairs = {(Path(one["suspect"]).stem, one["fingerprint"]): one for one in screen["pairs"]}
    assert {pairs["source", name]["access"] for name in ("first", "twin")} == {"file"}
    assert all(one["verdict"] == "derived" for one in screen["pairs"])
    for row in screen["suspects"]:
        assert row["owner"] in {"first", "twin"}
        assert "first" in row["message"] or "twin" in row["message"]  # the other one is named, too


def test_a_commitment_that_was_changed(world: World, registry: Registry, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    place, key, sealed = world.registry.parent, tmp_path / "key.pem", tmp_path / "sealed.json"
    assert run(["key", "--out", str(key)]) == 0
    assert run(["key", "--out", str(tmp_path / "other.pem")]) == 0
    seal = ["seal", str(place / "second.fp"), "--key"]
    assert run([*seal, str(key), "--out", str(sealed)]) == 0
    assert run([*seal, str(tmp_path / "other.pem"), "--out", str(tmp_path / "other.json")]) == 0
    registry.remove("second")
    (own,), (others,) = (
        json.loads(file.read_text())["envelope"]["signatures"] for file in (sealed, tmp_path / "other.json")
    )
    swapped = sealed.read_text().replace(own["sig"], others["sig"])
    (tmp_path / "swapped.json").write_text(swapped)
    words = ["registry", "add", str(registry.folder), str(place / "second.fp"), "--commitment"]
    assert run([*words, str(tmp_path / "swapped.json")]) == 3
    assert run([*words, str(place / "second.fp" / "manifest.json")]) != 0
    assert [entry.name for entry in registry.entries()] == ["first"]
    assert run([*words, str(sealed)]) == 0


def test_names_with_breaks_and_escapes_repaint_nothing(
    world: World, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    name = "two\nlines\x1b[2J\u202e[bold]&<b>.safetensors"
    shutil.copy(world.models / "tuned.safetensors", folder / name)
    shutil.copy(world.models / "broken.safetensors", folder / f"broken{name}")
    words = ["scan", str(registry.folder), str(folder), "--no-queries", "--alpha", "0.34"]
    assert run(words) == 0
    out = capsys.readouterr().out
    assert not {"\x1b", "\u202e"} & set(out)
    assert "[bold]" in out
    assert run([*words, "--format", "json"]) == 0
    printed = capsys.readouterr().out
    assert len(printed.strip().splitlines()) == 1
    assert {Path(row["suspect"]).name for row in json.loads(printed)["suspects"]} == {name, f"broken{name}"}
    for form in ("sarif", "cyclonedx"):
        out_file = tmp_path / form
        assert run([*words, "--format", form, "--out", str(out_file)]) == 0
        assert not {"\x1b", "\u202e"} & set(out_file.read_text())
        json.loads(out_file.read_text())


def test_a_fingerprint_that_goes_while_it_is_needed(world: World, registry: Registry) -> None:
    entry = registry.entries()[0]
    shutil.rmtree(registry.folder / "fingerprints" / entry.identity.removeprefix("sha256:"))
    with pytest.raises(ModelprintError, match="first in"):
        registry.load(entry)
    assert run(["scan", str(registry.folder), str(world.models)]) == 3
