"""Gives hostile inputs to a worker, watches its time, its memory and its children, and judges what came of each."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.hostile.corpus import HostileInput
from tests.hostile.payloads import SECRET, TOKEN

STARTING = 120.0  # seconds, until a worker has loaded its libraries and made its seeds
SLACK = float(os.environ.get("MODELPRINT_HOSTILE_SLACK", "4"))  # times the limit of time, where others compute, too
LOOK_EVERY = 0.1  # seconds between two looks at the children
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one input.

    Attributes:
        faults: what was not as it must be, each in words; none: the input was handled.
        code: the exit code; None where there is none.
        seconds: of wall time.
        memory: bytes beyond what the worker, or a child of its fork server, began with.
    """

    name: str
    faults: tuple[str, ...]
    code: int | None = None
    seconds: float = 0.0
    memory: int = 0
    error: str = ""

    @property
    def verdict(self) -> str:
        """In one word, for tables."""
        if self.faults:
            return "failing"
        return {0: "harmless", 1: "refused", 2: "usage", 3: "integrity"}.get(self.code or 0, "failing")


class Watched:
    """A worker, restarted when an input has ended it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._fresh = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> list[int]:
        """End the worker; its descendants that were still there two seconds later, which are ended, too."""
        if self._process is None:
            return []
        family = [*descendants(self._process.pid)]
        self._process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()  # type: ignore[union-attr]
        self._process = None
        left = still_there(family, within=2.0)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return left

    def give(self, entry: HostileInput) -> Outcome:
        """What comes of an input."""
        if self._process is None:
            self._start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.write(json.dumps(entry.name) + "\n")
        process.stdin.flush()
        allowed = entry.seconds * SLACK + (STARTING if self._fresh else 10.0)
        reply, children = self._reply(allowed)
        if reply is None:
            ended = process.poll()
            self.end()
            fault = f"it ended the process ({ended})" if ended is not None else f"no answer within {allowed:.0f} s"
            return Outcome(name=entry.name, faults=(fault,), seconds=allowed)
        self._fresh = False
        if "broken_input" in reply:
            raise AssertionError(f"{entry.name} could not be made:\n{reply['broken_input']}")
        outcome = judged(entry, reply, children)
        left = still_there(list(grandchildren(process.pid)), within=2.0)
        if left:
            self.end()
            return Outcome(**{**vars(outcome), "faults": (*outcome.faults, f"{len(left)} processes left over")})
        return outcome

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.worker", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            text=True,
            env={
                **os.environ,
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "MODELPRINT_API_TOKEN": TOKEN,
                "NO_PROXY": "127.0.0.1",
                "OMP_NUM_THREADS": "1",
                "PYTHONWARNINGS": "default",
                "COLUMNS": "80",
            },
        )
        self._fresh = True

    def _reply(self, seconds: float) -> tuple[dict[str, Any] | None, int]:
        """The worker's line, and the most memory that a confined child had beyond the fork server's."""
        assert self._process is not None
        assert self._process.stdout is not None
        end, most = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            ready, _, _ = select.select([self._process.stdout], [], [], LOOK_EVERY)
            if ready:
                line = self._process.stdout.readline()
                return (json.loads(line) if line else None), most
            most = max(most, children_memory(self._process.pid))
        return None, most


def judged(entry: HostileInput, reply: dict[str, Any], children: int) -> Outcome:
    """Whether an input did what it must, from what the worker saw."""
    out, err, code = reply["stdout"], reply["stderr"], reply["code"]
    memory = max(reply["memory"], children)
    error = next((line for line in err.splitlines() if line.startswith("error: ")), "")
    faults = [*_of_words(entry, out, err, code, error)]
    if code not in entry.exits:
        faults.append(f"exit code {code}, expected {' or '.join(map(str, sorted(entry.exits)))}")
    if reply["seconds"] > entry.seconds * SLACK:
        faults.append(f"{reply['seconds']:.1f} s, limit {entry.seconds:g} s")
    if memory > entry.memory:
        faults.append(f"{memory / 2**30:.2f} GiB, limit {entry.memory / 2**30:.2f} GiB")
    seen = {
        "something ran: the canary is there": reply["canary"],
        "a file outside was changed": reply["secret"],
        "a file outside was shown": SECRET in out + err,
        "the token was printed": TOKEN in out + err,
        f"the token was written: {reply['token']}": bool(reply["token"]),
        "a name broke out of a page": reply["broken"],
    }
    faults += [fault for fault, happened in seen.items() if happened]
    return Outcome(
        name=entry.name,
        faults=tuple(faults),
        code=code if isinstance(code, int) else None,
        seconds=reply["seconds"],
        memory=memory,
        error=error,
    )


def _of_words(entry: HostileInput, out: str, err: str, code: int | str, error: str) -> Iterator[str]:
    """What is wrong with what was printed."""
    strange = sorted({hex(ord(letter)) for letter in out + err if _unseen(letter)})
    if strange:
        yield f"control characters were printed: {', '.join(strange)}"
    if "Traceback (most recent call last)" in err + out:
        yield "a traceback was printed"
    if "error: unexpected " in err:
        yield f"an error that nobody expected: {error}"
    if "Warning: " in err:
        yield "a warning of a library was printed"
    if code == 0:
        return
    lines = err.splitlines()
    places = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not places and code != 2:
        yield f"no line says what is wrong: {err[-300:]!r}"
    if places and len(lines) - places[0] > 1:
        yield f"the error has {len(lines) - places[0]} lines: {err[-600:]!r}"
    if len(error) > 1200:
        yield f"the error has {len(error)} characters: {error[:200]!r}"
    if not re.search(entry.says, error or err, re.IGNORECASE):
        yield f"the error does not say {entry.says!r}: {(error or err)[:300]!r}"


def _unseen(letter: str) -> bool:
    return letter not in "\n\t" and unicodedata.category(letter) in _UNSEEN


def descendants(pid: int) -> Iterator[int]:
    """The processes below one, nearest first."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    waiting = list(parents.get(pid, []))
    while waiting:
        child = waiting.pop(0)
        yield child
        waiting += parents.get(child, [])


def grandchildren(pid: int) -> Iterator[int]:
    """The processes below the fork servers of one, and its other children."""
    for child in descendants(pid):
        if b"modelprint.core.sandbox.server" not in _command(child) or _parent(child) != pid:
            yield child


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def children_memory(pid: int) -> int:
    """The most that a child of a fork server has had beyond the server, in bytes."""
    family = list(descendants(pid))
    peaks = {child: _status(child, "VmHWM") for child in family}
    return max(
        (peaks[child] - _status(_parent(child), "VmRSS") for child in family if _parent(child) in peaks), default=0
    )


def _status(pid: int, what: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(what)), 0)


def still_there(pids: list[int], *, within: float) -> list[int]:
    """Those of some processes that have not ended after some seconds."""
    end = time.monotonic() + within
    left = pids
    while left and time.monotonic() < end:
        left = [pid for pid in left if _status(pid, "VmRSS")]
        if left:
            time.sleep(0.02)
    return left


def outcomes(inputs: Iterable[HostileInput]) -> Iterator[Outcome]:
    """What comes of each input, in turn."""
    with tempfile.TemporaryDirectory() as folder, Watched(Path(folder)) as worker:
        for entry in inputs:
            yield worker.give(entry)
        left = worker.end()
        assert not left, f"{len(left)} processes were left over at the end"
