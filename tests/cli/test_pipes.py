"""A pipe that nobody writes into, in place of any file that a command reads, is refused at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelprint.cli.app import run
from tests.sealing.world import fingerprint


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working directory with a fingerprint and pipes under many names; whoever waits for one is interrupted."""
    monkeypatch.chdir(tmp_path)
    fingerprint().save(tmp_path / "fp")
    for suffix in ("", ".jsonl", ".npz", ".pt", ".safetensors", ".onnx", ".toml", ".json"):
        os.mkfifo(tmp_path / f"pipe{suffix}")
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.mark.usefixtures("places")
@pytest.mark.parametrize(
    "command",
    [
        *(f"verify fp pipe.{suffix} --arch mlp" for suffix in ("jsonl", "npz", "pt", "safetensors", "onnx", "toml")),
        "verify fp http://127.0.0.1:9 --ledger pipe --dry-run --retries 0",
        "verify fp http://127.0.0.1:9 --api mapping --mapping pipe.toml",
        "verify fp http://127.0.0.1:9 --class-names pipe.toml",
        "verify pipe pipe.jsonl",
        "check pipe",
        "check fp --key pipe",
        "seal fp --key pipe --out c.json",
        "bundle fp pipe.jsonl --commitment pipe --key pipe --out b.tar",
        "data pipe.npz",
        "zoo build pipe.toml",
        "bench plan pipe.toml",
        "report pipe.json --out r.html",
    ],
)
def test_no_command_waits_for_a_pipe(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command.split()) in (1, 2, 3)
    error = capsys.readouterr().err
    assert "error: unexpected" not in error
    assert "error" in error
