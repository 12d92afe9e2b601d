"""Files that strangers made, looked at before they are read: no devices, no bombs, no names that lead elsewhere."""

from __future__ import annotations

import errno
import os
import stat
import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # opening a pipe would wait for a writer
FLOOR = 64 * 2**20  # an archive may always unpack to this many bytes


class BombError(ValueError):
    """An archive that unpacks to far more than it weighs, or to places outside."""


def open_regular(path: Path) -> IO[bytes]:
    """A regular file, open for reading; a symbolic link to one is followed.

    Raises:
        OSError: missing, unreadable, a directory, or a device, pipe or socket, which might never end.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "its name holds a zero byte, as no file's name does", str(path))
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file, but a device, a pipe or a socket", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file; a symbolic link to one is followed.

    Raises:
        OSError: as `open_regular`; or larger than this machine's memory.
    """
    with open_regular(path) as stream:
        size, memory = os.fstat(stream.fileno()).st_size, machine_memory()
        if memory is not None and size > memory:
            raise OSError(errno.ENOMEM, f"its {size:,} bytes are more than the {memory:,} of this machine's memory")
        return stream.read()


def machine_memory() -> int | None:
    """Bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def read_inside(folder: Path, name: str) -> bytes:
    """The bytes of a file that another file of the same folder names.

    Raises:
        OSError: missing, or not a regular file.
        ValueError: the name leads outside, by itself or over a symbolic link.
    """
    if not is_plain(name):
        raise ValueError(f"{name!a} leads out of the folder")
    path = folder / name
    if Path(os.path.realpath(path)) != Path(os.path.realpath(folder)) / name:  # resolve() raises on a loop of links
        raise ValueError(f"{name!a} is reached over a symbolic link")
    return read_regular(path)


def is_plain(name: str) -> bool:
    r"""Whether a name in an archive stays below the place where it is unpacked.

    >>> [is_plain(name) for name in ("a/b.npy", "../b", "/etc/x", "a/../../b", "c:\\x", "")]
    [True, False, False, False, False, False]
    """
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and "\0" not in name and not path.is_absolute() and ".." not in path.parts


def check_zip(stream: IO[bytes], *, growth: int) -> None:
    """Refuse a zip archive that is a bomb, or whose names lead elsewhere; nothing is unpacked.

    Args:
        stream: of the whole archive; left at its start.
        growth: how many times its size it may unpack to.

    Raises:
        BombError: it is.
        zipfile.BadZipFile: it is no zip archive.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (ValueError, NotImplementedError, struct.error, EOFError, OverflowError) as error:  # of damaged directories
        raise zipfile.BadZipFile(f"its directory cannot be read ({error})") from error
    stream.seek(0)
    claimed = sum(entry.file_size for entry in entries)
    if claimed > max(FLOOR, growth * size):
        raise BombError(f"it has {size:,} bytes but would unpack to {claimed:,}")
    outside = next((entry.filename for entry in entries if not is_plain(entry.filename)), None)
    if outside is not None:
        raise BombError(f"its part {outside!a} leads out of the archive")
