"""Commands in processes of their own: an interrupt leaves nothing half-written, and a served model can be checked."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from tests.conftest import Digits
from tests.contract.test_commands import run

PATIENCE = 90.0


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "modelprint", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a suite under nohup ignores it
    )


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    save_model(folder / "source.safetensors", digits.source, digits.trained.card)
    enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=5, m=3),
        negatives=digits.strangers,
        out=folder / "fp",
    )
    return folder


def test_ctrl_c_exits_130_and_leaves_no_half_file(tmp_path: Path) -> None:
    process = start("train", "digits:owner", "--epochs", "100000", "--out", "x.safetensors", cwd=tmp_path)
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode in (130, -signal.SIGINT)
    assert list(tmp_path.iterdir()) == []
    assert process.returncode < 0 or "interrupted" in stderr


def test_a_served_model_is_checked_like_its_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cache"))
    server = start("serve-model", "source.safetensors", "--port", "0", cwd=place)
    try:
        assert server.stderr is not None
        address = None
        while address is None:
            line = server.stderr.readline()
            assert line, "the server ended"
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
        over_http = verdict(place, address.group())
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=PATIENCE)
    from_file = verdict(place, "source.safetensors")
    assert over_http["suspect"].startswith("http://127.0.0.1")
    assert {**over_http, "suspect": ""} == {**from_file, "suspect": ""}
    assert from_file["matched"] == from_file["trajectories"] == 5


def verdict(place: Path, suspect: str) -> dict[str, Any]:
    """What verify prints, in this process."""
    printed: dict[str, Any] = json.loads(run("verify", "fp", suspect, "--format", "json", cwd=place).stdout)
    return printed
