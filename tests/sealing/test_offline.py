"""A bundle made elsewhere is checked in a fresh virtual environment with the network off.

Last result (2026-11-23, torch 2.13.0+cpu): see docs/evidence.md.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
OFF = ("unshare", "--map-root-user", "--net")  # a network namespace of its own, with nothing in it


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("unshare") is None or subprocess.run([*OFF, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system does not let a user turn his network off (unshare)")
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, with_pip=True)
    subprocess.run(
        [folder / "bin" / "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{ROOT}[evidence]"], check=True
    )
    return folder / "bin" / "modelprint"


def test_the_network_is_off() -> None:
    code = "import socket; socket.create_connection(('127.0.0.1', 9), timeout=1)"
    done = subprocess.run([*OFF, sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "Network is unreachable" in done.stderr


def test_a_stranger_checks_a_bundle_offline(command: Path, tmp_path: Path) -> None:
    for name in ("evidence-v1.tar", "evidence-v1.pub"):
        shutil.copy(GOLDEN / name, tmp_path / name)
    words = [*OFF, command, "check", "evidence-v1.tar", "--key", "evidence-v1.pub"]
    done = subprocess.run(words, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything that was checked fits" in done.stdout + done.stderr
    data = bytearray((tmp_path / "evidence-v1.tar").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "evidence-v1.tar").write_bytes(data)
    assert subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode == 3
