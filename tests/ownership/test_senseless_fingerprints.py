"""Fingerprints with right hashes that make no sense end in one clear line, whatever command reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from modelprint.cli.app import run
from modelprint.core.identity import canonical_json, digest
from modelprint.ownership.fingerprint import MANIFEST, TENSORS
from modelprint.schemes import SCHEMES
from modelprint.suspects.recorded import record, write_recording
from tests.sealing.world import SOURCE, fingerprint

Arrays = dict[str, np.ndarray]


def rehash(folder: Path, *, tensors: Callable[[Arrays], None] | None = None, **fields: object) -> Path:
    """Change a fingerprint and write its hashes again."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    arrays = load((folder / TENSORS).read_bytes())
    if tensors is not None:
        tensors(arrays)
    data = save(arrays)
    manifest.update(fields, tensors=digest(data))
    text = canonical_json(manifest)
    (folder / TENSORS).write_bytes(data)
    (folder / MANIFEST).write_bytes(text)
    (folder / "SHA256").write_bytes(digest(text).encode())
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fingerprint, and a recording that answers it as the source does."""
    from modelprint.core.suspect import Answers

    monkeypatch.chdir(tmp_path)
    tiny = fingerprint()
    tiny.save(tmp_path / "fp")
    write_recording(tmp_path / "a.jsonl", record(tiny.queries, Answers(labels=SOURCE), suspect="s"))
    return tmp_path / "fp"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which `verify` refuses the fingerprint, and every other command, too."""
    for command in (["verify", "fp", "a.jsonl"], ["record", "fp", "a.jsonl", "--out", "o.jsonl"]):
        assert run(command) in (1, 3)
        error = capsys.readouterr().err
        assert "error: unexpected" not in error
        assert "Traceback" not in error
        assert len(error.splitlines()) == 1
        for word in words:
            assert word in error
    return error


def setting(name: str, value: np.ndarray) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: value})


def without(name: str) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.pop(name)  # type: ignore[return-value]


ANCHORS = np.zeros((3, 1, 2, 2), np.uint8)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (without("queries"), "queries"),
        (without("true_labels"), "true_labels"),
        (without("source.labels"), "source.labels"),
        (without("calibration.labels"), "calibration.labels"),
        (without("state.group"), "none of scheme akh"),
        (setting("queries", np.zeros((4, 1, 2, 3), np.uint8)), "queries are"),
        (setting("queries", np.zeros((4, 1, 2, 2), np.float32)), "queries are"),
        (setting("queries", np.zeros((0, 1, 2, 2), np.uint8)), "no queries"),
        (setting("queries", np.array(3, np.uint8)), "queries are"),
        (setting("source.labels", np.array([0, -5, 2, 1])), "source.labels runs from -5 to 2"),
        (setting("source.labels", np.array([0, 2**62, 2, 1])), "source.labels runs from 0"),
        (setting("source.labels", np.array([0.0, 1.0, 2.0, 1.0])), "source.labels is float64"),
        (setting("source.labels", np.zeros((4, 4), np.int64)), "source.labels has shape"),
        (setting("true_labels", np.array([0, 1, 2, 77])), "true_labels runs"),
        (setting("source.scores", np.zeros((4, 2), np.float32)), "source.scores has shape"),
        (setting("source.scores", np.full((4, 3), np.nan, np.float32)), "source.scores holds NaN"),
        (setting("source.scores", np.full((4, 3), np.inf, np.float32)), "source.scores is float32, or infinite"),
        (setting("source.scores", np.zeros((4, 3), np.int64)), "source.scores is int64"),
        (setting("calibration.labels", np.full((19, 4), 9)), "calibration.labels runs"),
        (setting("calibration.labels", np.zeros((18, 4), np.int64)), "calibration.labels has shape"),
        (setting("calibration.scores", np.zeros((19, 4, 2), np.float32)), "calibration.scores has shape"),
        (setting("plane.anchors", ANCHORS), "plane.labels"),
        (setting("plane.labels", np.zeros((5, 5), np.int64)), "without plane.anchors"),
        (lambda a: a.update({"plane.anchors": ANCHORS[:2], "plane.labels": np.zeros((5, 5), np.int64)}), "plane"),
        (lambda a: a.update({"plane.anchors": ANCHORS, "plane.labels": np.zeros((5, 4), np.int64)}), "plane"),
        (lambda a: a.update({"plane.anchors": ANCHORS, "plane.labels": np.zeros((0, 0), np.int64)}), "plane"),
        (lambda a: a.update({"plane.anchors": ANCHORS, "plane.labels": np.full((5, 5), 9)}), "plane.labels runs"),
    ],
)
def test_tensors_that_make_no_sense(
    change: Callable[[Arrays], None], word: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehash(folder, tensors=change)
    refused(capsys, word)


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "akh"])
def test_tensors_of_another_scheme(scheme: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, or a verdict where both schemes keep the same tensors."""
    rehash(folder, scheme=scheme, parameters={})
    assert run(["verify", "fp", "a.jsonl"]) in (0, 1, 2)  # 2: the scheme needs scores, and the recording has none
    error = capsys.readouterr().err
    assert "error: unexpected" not in error
    assert len(error.splitlines()) <= 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"scheme": "nobody's"}, "which is not known here"),
        ({"parameters": {"queries": "many"}}, "scheme akh"),
        ({"parameters": {"nothing": 1}}, "do not fit this version"),
        ({"codec": "float32"}, "queries are"),
        ({"codec": "wood"}, "manifest.json"),
        ({"input": {"channels": 10**9, "height": 10**9, "width": 2, "class_names": ["a", "b", "c"]}}, "queries are"),
        ({"input": {"channels": 1, "height": 2, "width": 2, "class_names": ["a"]}}, "manifest.json"),
        ({"input": {"modality": "smell"}}, "manifest.json"),
        ({"calibration": []}, ""),
        ({"seed": "x"}, "reads: seed: "),
        ({"surprise": 1}, "reads: surprise: "),
    ],
)
def test_manifests_that_make_no_sense(
    fields: dict[str, object], word: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rehash(folder, **fields)
    if not word:  # no calibration models: inconclusive
        assert run(["verify", "fp", "a.jsonl"]) == 0
        return
    if fields == {"parameters": {"queries": "many"}}:  # which reading answers has no use for
        assert run(["verify", "fp", "a.jsonl"]) in (0, 1)
        assert "error: unexpected" not in capsys.readouterr().err
        return
    refused(capsys, word)


@pytest.mark.parametrize("name", [MANIFEST, TENSORS, "SHA256"])
@pytest.mark.parametrize("target", ["itself", "/dev/zero", "/dev/full", "nowhere", "fifo", "folder"])
def test_files_that_are_none(name: str, target: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os

    path = folder / name
    path.unlink()
    if target == "fifo":
        os.mkfifo(path)
    elif target == "folder":
        path.mkdir()
    else:
        path.symlink_to(name if target == "itself" else target)
    refused(capsys, "fp")
