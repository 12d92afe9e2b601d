"""Files that are whole or absent: written beside their place, flushed, then renamed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.redaction import is_address, shown_reference


def check_file_name(path: Path) -> None:
    """Nothing, if a place to write is no address.

    Raises:
        UsageError: it is; nothing of it that may be secret becomes a file's name.
    """
    if is_address(str(path)):
        raise UsageError(f"{shown_reference(str(path))} is an address: name a file or a folder to write")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn the system's refusal (full disk, no permission) into an error that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelprintError(
            f"cannot write {path}: {reason}; nothing was left half-written. Free some space or choose another place"
        ) from error


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a reader, or a crash, sees all of it or none.

    Raises:
        ModelprintError: the disk is full or the place cannot be written.
        UsageError: the place is an address.
    """
    check_file_name(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, data)


def _write(path: Path, data: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    write_bytes(path, text.encode())


def write_folder(path: Path, files: dict[str, bytes]) -> None:
    """Write a folder of files in one rename; an older folder of the same name is replaced.

    Raises:
        ModelprintError: the disk is full, or the name is taken by something that this would destroy.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not (path.is_dir() and {entry.name for entry in path.iterdir()} <= set(files)):
            raise ModelprintError(f"{path} exists and is something else: choose another name, or remove it")
        fresh = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            for name, data in files.items():
                _write(fresh / name, data)
            fresh.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
                path.replace(old)
                try:
                    fresh.replace(path)
                except BaseException:
                    old.replace(path)
                    raise
                shutil.rmtree(old)
            else:
                fresh.replace(path)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Inside, no other process works on this folder under this lock; the lock dies with its process.

    Raises:
        ModelprintError: another one does.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_lock(folder)
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError) as error:
        raise ModelprintError(f"another {what} is at work in {folder}: wait for it, or stop it") from error
    else:
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":  # where folders cannot be opened

    def _open_lock(folder: Path) -> int:
        return os.open(folder / ".lock", os.O_RDWR | os.O_CREAT)

    def _lock(descriptor: int) -> None:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _open_lock(folder: Path) -> int:
        return os.open(folder, os.O_RDONLY)

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
