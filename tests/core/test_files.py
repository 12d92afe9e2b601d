"""Files are whole or absent, whatever stops the writing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelprint.core.errors import ModelprintError
from modelprint.core.files import write_bytes, write_folder, write_text

same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing written reaches the disk."""

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)


@given(st.binary(max_size=2000), st.binary(max_size=2000))
@same_folder
def test_what_is_written_is_read_and_replaced(tmp_path, first, second):
    path = tmp_path / "new" / "deep" / "file"
    for data in (first, second):
        write_bytes(path, data)
        assert path.read_bytes() == data
        assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_text_is_utf8_and_readable_by_others(tmp_path):
    write_text(tmp_path / "note", "größer")
    assert (tmp_path / "note").read_bytes() == "größer".encode()
    assert (tmp_path / "note").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_keeps_the_old_file_and_leaves_nothing(tmp_path, full_disk):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(ModelprintError, match=r"cannot write .*file: No space left on device; nothing was left half"):
        write_bytes(tmp_path / "file", b"new")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"file": b"old"}


def test_a_full_disk_keeps_the_old_folder_and_leaves_nothing(tmp_path, monkeypatch):
    write_folder(tmp_path / "print", {"a": b"1", "b": b"2"})
    flushed = os.fsync

    def second_fails(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", fails)
        flushed(descriptor)

    def fails(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(ModelprintError, match="No space left"):
        write_folder(tmp_path / "print", {"a": b"3", "b": b"4"})
    assert [entry.name for entry in tmp_path.iterdir()] == ["print"]
    assert (tmp_path / "print" / "a").read_bytes() + (tmp_path / "print" / "b").read_bytes() == b"12"


def test_an_interruption_between_the_renames_brings_the_old_folder_back(tmp_path, monkeypatch):
    write_folder(tmp_path / "print", {"a": b"old"})
    rename = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if self.name.startswith(".print.") and ".old." not in self.name:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "print", {"a": b"new"})
    assert [entry.name for entry in tmp_path.iterdir()] == ["print"]
    assert (tmp_path / "print" / "a").read_bytes() == b"old"


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "file", b"new")
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "folder", {"a": b"1"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is of POSIX shells")
def test_a_real_refusal_of_the_system(tmp_path):
    """A process that may write no file beyond 8 blocks of 512 or 1,024 bytes, as on a disk that has no more room."""
    program = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from modelprint.core.errors import ModelprintError\n"
        "from modelprint.core.files import write_bytes, write_folder\n"
        "write_bytes(Path('small'), bytes(1000))\n"
        "for write in (lambda: write_bytes(Path('small'), bytes(100_000)),\n"
        "              lambda: write_folder(Path('folder'), {'a': b'1', 'b': bytes(100_000)})):\n"
        "    try: write()\n"
        "    except ModelprintError as error: print(error)\n"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 8 && exec "$0" -c "$1"', sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["cannot write small", "cannot write folder"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["small"]
    assert (tmp_path / "small").stat().st_size == 1000


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelprintError, match=r"cannot write .*child: (Not a directory|File exists)"):
        write_bytes(tmp_path / "file" / "child", b"data")


@given(st.dictionaries(st.sampled_from("abc"), st.binary(max_size=20), min_size=1))
@same_folder
def test_a_folder_is_replaced_by_one_of_the_same_files(tmp_path, files):
    write_folder(tmp_path / "print", {name: files.get(name, b"") for name in "abc"})
    assert {entry.name: entry.read_bytes() for entry in (tmp_path / "print").iterdir()} == {
        name: files.get(name, b"") for name in "abc"
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["print"]


def _folder_of_something_else(path: Path) -> None:
    path.mkdir()
    (path / "thesis.tex").touch()


@pytest.mark.parametrize("make", [lambda path: path.write_text("notes"), _folder_of_something_else])
def test_a_folder_never_destroys_something_else(make, tmp_path):
    make(tmp_path / "print")
    with pytest.raises(ModelprintError, match="exists and is something else: choose another name"):
        write_folder(tmp_path / "print", {"a": b"1"})
    assert not list(tmp_path.glob(".*"))
