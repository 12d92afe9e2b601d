"""Some hostile inputs in processes of their own, as people start them, on a terminal and off it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from modelprint.core.sandbox import available
from tests.core.test_sandbox import gone
from tests.hostile.corpus import HostileInput, Place, every_input
from tests.hostile.driver import descendants
from tests.hostile.payloads import SECRET
from tests.hostile.seeds import Seeds

OURS = re.compile(r"\x1b\[([0-9;]*m|\?25[lh]|2K|1A)|\r")  # colours, and how a progress bar draws its own line anew
PATIENCE = 120.0
pytestmark = pytest.mark.skipif(not available(), reason="this system cannot confine a child")


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return Seeds(tmp_path_factory.mktemp("seeds"))


def place(tmp_path: Path, seeds: Seeds, stack: ExitStack) -> Place:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "input").mkdir()
    return Place(
        root=tmp_path / "input", seeds=seeds, stack=stack, canary=tmp_path / "canary", secret=tmp_path / "secret"
    )


def command(entry: HostileInput, where: Place) -> list[str]:
    return [sys.executable, "-m", "modelprint", *entry.command(where, entry.make(where))]


def test_on_a_terminal_nothing_of_the_name_s_is_sent(tmp_path: Path, seeds: Seeds) -> None:
    entry = every_input()["recordings/names/clear-screen"]
    with ExitStack() as stack:
        words = command(entry, place(tmp_path, seeds, stack))
        inside, outside = pty.openpty()
        process = subprocess.Popen(
            words, stdin=outside, stdout=outside, stderr=outside, env={**os.environ, "TERM": "xterm-256color"}
        )
        os.close(outside)
        said = b""
        while True:
            try:
                part = os.read(inside, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            said += part
        os.close(inside)
        assert process.wait(PATIENCE) == 0
    plain = OURS.sub("", said.decode())
    assert "derived" in plain
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", plain), plain


def test_a_refused_file_leaves_no_process(tmp_path: Path, seeds: Seeds) -> None:
    entry = every_input()["checkpoints/calls-zip/os.system"]
    with ExitStack() as stack:
        where = place(tmp_path, seeds, stack)
        process = subprocess.Popen(command(entry, where), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        family: set[int] = set()
        end = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < end:
            family |= set(descendants(process.pid))
            time.sleep(0.05)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert not where.canary.exists()
    assert family  # the fork server and its child were seen
    assert all(gone(pid) for pid in family)
