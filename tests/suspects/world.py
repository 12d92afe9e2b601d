"""One source with its file and its fingerprint, for tests against servers in processes of their own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from tests.conftest import Digits

PATIENCE = 120.0


def enrolled(digits: Digits, folder: Path) -> Path:
    """source.safetensors and its fingerprint fp, of 5 trajectories, calibrated on three strangers."""
    save_model(folder / "source.safetensors", digits.source, digits.trained.card)
    enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=5, m=3),
        negatives=digits.strangers,
        out=folder / "fp",
    )
    return folder


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(words: list[str], *, cwd: Path, ready: str, env: dict[str, str] | None = None) -> Iterator[None]:
    """A server in a process of its own, once its address `ready` answers; ended afterwards."""
    with (cwd / "server.log").open("w") as log:
        process = subprocess.Popen(words, cwd=cwd, stdout=log, stderr=log, env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if httpx.get(ready, timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            said = (cwd / "server.log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.3)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)
