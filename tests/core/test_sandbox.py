"""What strangers made is read in a child with limits: it ends there, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from modelprint.core.errors import DataError
from modelprint.core.redaction import TOKEN_VARIABLE
from modelprint.core.sandbox import Limits, Room, SandboxError, available, client
from modelprint.core.sandbox.client import environment
from modelprint.core.sandbox.frames import FrameError, receive

pytestmark = pytest.mark.skipif(not available(), reason="this system cannot confine a child")
HANDLER = "tests.core.sandbox_handlers:handler"
SMALL = Limits(memory=2**28, seconds=2.0, answer=2**24)


def room(limits: Limits = SMALL) -> Room:
    return Room(HANDLER, who="the file", limits=limits)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:  # it ended between the two questions
        return False
    except FileNotFoundError:  # the same, or a system without /proc, where a signal says all that is known
        return not Path("/proc/self/stat").exists()


def gone(pid: int, within: float = 2.0) -> bool:
    end = time.monotonic() + within
    while time.monotonic() < end:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_messages_and_arrays_go_both_ways() -> None:
    with room() as child:
        for number in (1, 2):
            answer, arrays = child.call({"do": "double"}, {"x": np.arange(6, dtype=np.int64).reshape(2, 3)})
            assert answer == {"calls": number}
            assert arrays["x"].tolist() == [[0, 2, 4], [6, 8, 10]]


@pytest.mark.parametrize("what", ["hang", "sleep"])
def test_time_is_limited(what: str) -> None:
    started = time.monotonic()
    with room() as child:
        pid = child.call({"do": "pid"})[0]["pid"]
        with pytest.raises(SandboxError, match="the file: it took more than 2 s and was stopped"):
            child.call({"do": what})
        assert gone(pid)
        with pytest.raises(SandboxError, match="was ended at a limit before"):
            child.call({"do": "double"})
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("what", ["eat", "eat quietly"])
def test_memory_is_limited(what: str) -> None:
    with room(Limits(memory=2**28, seconds=20.0)) as child, pytest.raises(SandboxError, match=r"0\.2 GiB"):
        child.call({"do": what})


def test_a_crash_ends_the_child_alone() -> None:
    with room() as child, pytest.raises(SandboxError, match="made to crash its reader"):
        child.call({"do": "abort"})
    with room() as child:
        assert child.call({"do": "double"})[0] == {"calls": 1}


@pytest.mark.parametrize("there", [False, True])
def test_no_file_is_made_changed_or_emptied(there: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if there:
        path.write_bytes(b"mine")
    with room() as child:
        child.call({"do": "double"})
        if not child.taken.read_only:
            pytest.skip("this system cannot take the right to change files")
        with pytest.raises(SandboxError, match=r"PermissionError|Read-only file system"):
            child.call({"do": "write", "path": str(path)})
    assert (path.read_bytes() if there else path.exists()) == (b"mine" if there else False)


@pytest.mark.parametrize("way", ["_landlock", "_read_only_mounts"])
def test_each_way_to_take_the_right_to_change_files(way: str, tmp_path: Path) -> None:
    """In a process of its own, as nothing gives the right back; /dev/null can still be written to."""
    (tmp_path / "mine").write_text("mine")
    code = f"""
import ctypes, os
from modelprint.core.sandbox import read_only
if not read_only.{way}(ctypes.CDLL(None, use_errno=True)):
    raise SystemExit(77)
open("/dev/null", "w").write("x")
tries = {{
    "write": lambda: open("new", "w"), "empty": lambda: os.open("mine", os.O_WRONLY | os.O_TRUNC),
    "remove": lambda: os.remove("mine"), "folder": lambda: os.mkdir("folder"),
    "rename": lambda: os.rename("mine", "other"),
    "link": lambda: os.symlink("mine", "link"), "pipe": lambda: os.mkfifo("pipe"),
    "cut": lambda: os.truncate("mine", 1),
}}
for name, tried in tries.items():
    try:
        tried()
    except OSError:
        continue
    print(name)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip(f"this kernel has no {way}")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mine", "mine")]


def test_no_network_is_reached_where_the_system_allows_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, room() as child:
        child.call({"do": "double"})
        if not child.taken.no_network:
            pytest.skip("this system gives no network of one's own")
        with pytest.raises(SandboxError, match=r"OSError|unreachable|refused|timed out"):
            child.call({"do": "connect", "host": "127.0.0.1", "port": server.getsockname()[1]})


def test_the_child_gets_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (TOKEN_VARIABLE, "MODELPRINT_API_KEY", "MODELPRINT_API_SECRET", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "correct-horse")
    monkeypatch.setenv("MODELPRINT_DATA", "/data")
    given = environment()
    assert "correct-horse" not in given.values()
    assert (given["MODELPRINT_DATA"], given["OMP_NUM_THREADS"]) == ("/data", "1")


def test_the_library_s_own_errors_arrive_as_they_are() -> None:
    with room() as child:
        with pytest.raises(DataError, match="the data are bad: mend them"):
            child.call({"do": "refuse"})
        with pytest.raises(SandboxError, match="the file: it cannot be read"):
            child.call({"do": "raise"})
        assert child.call({"do": "double"})[0] == {"calls": 3}  # an error ends nothing


def test_answers_larger_than_allowed_are_refused() -> None:
    with room(Limits(memory=2**28, seconds=5.0, answer=2**20)) as child:
        assert len(child.call({"do": "double"}, {"x": np.zeros(2**16)})[1]["x"]) == 2**16
        with pytest.raises(SandboxError):
            child.call({"do": "double"}, {"x": np.zeros(2**18)})


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ({"message": {}, "arrays": [["x", "|O", [1]]]}, bytes(8)),
        ({"message": {}, "arrays": [["x", "<f8,<f8", [1]]]}, bytes(16)),
        ({"message": {}, "arrays": [["x", "<f8", [-1]]]}, bytes(8)),
        ({"message": {}, "arrays": [["x", "<f8", [2**62, 2**62]]]}, bytes(8)),
        ({"message": {}, "arrays": [["x", "<f8", [True]]]}, bytes(8)),
        ({"message": {}, "arrays": [["x", "|S999999999", [99]]]}, bytes(8)),
        ({"message": {}, "arrays": [["x", "<f7", [1]]]}, bytes(7)),
        ({"message": {}, "arrays": ["x"]}, b""),
        ({"message": [], "arrays": []}, b""),
        ({"arrays": []}, b""),
        ([], b""),
    ],
)
def test_garbled_messages_are_refused(text: object, body: bytes) -> None:
    one, other = socket.socketpair()
    with one, other:
        data = json.dumps(text).encode()
        one.sendall(struct.pack(">QQ", len(data), len(body)) + data + body)
        with pytest.raises(FrameError):
            receive(other, largest=2**20)


def test_a_file_costs_little_after_the_first() -> None:
    def one() -> float:
        started = time.perf_counter()
        with room(Limits()) as child:
            child.call({"do": "double"})
        return time.perf_counter() - started

    one()  # starts the server
    assert statistics.median(one() for _ in range(7)) < 0.3


def test_the_folder_that_the_server_was_started_in_may_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries that are imported later ask where they are; Keras does."""
    folder = tmp_path / "here"
    folder.mkdir()
    server = client._Server()
    monkeypatch.setattr(client, "_SERVER", server)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(folder)
    with room() as child:
        child.call({"do": "double"})
    monkeypatch.chdir(tmp_path)
    folder.rmdir()
    with room() as child:
        assert child.call({"do": "place"})[0]["place"] == "/"
    server.stop()


def test_threads_may_have_rooms_of_their_own() -> None:
    found: list[float] = []

    def work(number: int) -> None:
        with room() as child:
            found.append(float(child.call({"do": "double"}, {"x": np.array([number])})[1]["x"][0]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 2, 4, 6, 8, 10]


SCRIPT = """
    from modelprint.core.sandbox import Limits, Room
    with Room("tests.core.sandbox_handlers:handler", who="x", limits=Limits(seconds=600)) as child:
        print(child.call({"do": "pid"})[0]["pid"], flush=True)
        child.call({"do": "hang"})
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_everything_ends_with_the_parent_within_two_seconds(how: signal.Signals) -> None:
    begun = subprocess.Popen(
        [sys.executable, "-c", "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
         + textwrap.dedent(SCRIPT)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert begun.stdout is not None
    with begun:
        pid = int(begun.stdout.readline())
        time.sleep(0.2)
        begun.send_signal(how)
        assert gone(pid)
