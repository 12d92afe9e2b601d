"""`--timeout` holds for models on this machine; Ctrl-C ends everything, children that are busy, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.core.sandbox import available
from tests.core.test_sandbox import alive
from tests.nn.test_confined import nested_key, pickled
from tests.sealing.world import fingerprint

SLOW = """
import time
import torch

class Slow(torch.nn.Module):
    def __init__(self, wait: float, when: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)
        self.wait, self.when = wait, when

    def forward(self, inputs):
        self.when -= 1
        deadline = time.monotonic() + (self.wait if self.when < 0 else 0)
        while time.monotonic() < deadline:
            time.sleep(0.01)
        return self.layer(inputs.flatten(1))

def net(wait=0.0, when=0):
    return Slow(wait, when)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a fingerprint `fp`, a checkpoint that is unpickled for ever, and a slow network."""
    import torch

    monkeypatch.chdir(tmp_path)
    fingerprint().save(tmp_path / "fp")
    pickled(tmp_path / "bomb.pt", nested_key(60))
    (tmp_path / "slow.py").write_text(SLOW)
    torch.save(torch.nn.Linear(4, 3).state_dict(), tmp_path / "m.pt")
    state = torch.load(tmp_path / "m.pt", weights_only=True)
    torch.save({f"layer.{name}": value for name, value in state.items()}, tmp_path / "m.pt")
    return tmp_path


COMMANDS = (
    ["verify", "fp", "SUSPECT"],
    ["record", "fp", "SUSPECT", "--out", "answers.jsonl"],
    ["identify", "SUSPECT", "fp"],
)


@pytest.mark.skipif(not available(), reason="this system cannot confine a child")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_file_has_so_much_time(command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bomb.pt" if word == "SUSPECT" else word for word in command]
    started = time.monotonic()
    assert run([*words, "--arch", "mlp", "--timeout", "1"]) == 1
    assert time.monotonic() - started < 6
    assert "bomb.pt: it took more than 1 s and was stopped: raise --timeout" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("when", [0, 1], ids=["while it is tried out", "while it is asked"])
def test_a_network_has_so_much_time(
    command: list[str], when: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["m.pt" if word == "SUSPECT" else word for word in command]
    slow = ["--arch", "slow.py:net", "--arch-args", f'{{"wait": 60, "when": {when}}}']
    started = time.monotonic()
    assert run([*words, *slow, "--timeout", "0.5"]) == 1
    assert time.monotonic() - started < 10
    assert "it took more than 0.5 s and was stopped: raise --timeout" in capsys.readouterr().err
    assert not (folder / "answers.jsonl").exists()


def test_a_network_in_time_is_judged(folder: Path) -> None:
    assert run(["verify", "fp", "m.pt", "--arch", "slow.py:net", "--timeout", "60"]) == 0


def marked(mark: str) -> list[int]:
    """The processes that were started with this environment."""
    pids = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                if mark.encode() in (place / "environ").read_bytes() and ") Z" not in (place / "stat").read_text():
                    pids.append(int(place.name))
            except OSError:
                continue
    return pids


@pytest.mark.skipif(not available(), reason="this system cannot confine a child")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_a_command_whose_child_is_busy(how: signal.Signals, folder: Path) -> None:
    mark = f"MARK{uuid.uuid4().hex}"
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from modelprint.cli.app import main; main(sys.argv[1:])"
    )
    begun = subprocess.Popen(
        [sys.executable, "-c", script, "verify", "fp", "bomb.pt", "--arch", "mlp", "--timeout", "300"],
        cwd=folder, env={**os.environ, "TEST_MARK": mark}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with begun:
        end = time.monotonic() + 60
        while len(marked(mark)) < 3 and time.monotonic() < end:  # the command, its fork server, the child
            time.sleep(0.05)
        pids = marked(mark)
        assert len(pids) == 3
        time.sleep(0.5)
        begun.send_signal(how)
        sent = time.monotonic()
        begun.wait(10)
        assert time.monotonic() - sent < 2
        while left := [pid for pid in pids if alive(pid)]:
            assert time.monotonic() - sent < 2, left
            time.sleep(0.02)
        assert not marked(mark)
        assert begun.stderr is not None
        errors = begun.stderr.read()
        assert "Traceback" not in errors
        if how == signal.SIGINT:
            assert begun.returncode == 130
            assert "interrupted" in errors
