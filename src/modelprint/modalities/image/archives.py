"""Zip archives of pictures: looked at before anything is unpacked, and unpacked into memory, a picture at a time."""

from __future__ import annotations

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO

from modelprint.core.errors import DataError, first_line
from modelprint.core.untrusted import BombError, check_zip, open_regular
from modelprint.modalities.image.preparing import UnreadableError
from modelprint.modalities.image.reading import Opener

LARGEST_GROWTH = 200  # of an archive: pictures hardly pack
LARGEST_MEMBER = 2**29  # bytes of one picture's file
MOST_MEMBERS = 5_000_000


class Archives:
    """The archives that one process reads pictures from; each is opened and looked at once."""

    def __init__(self) -> None:
        self._open: dict[Path, zipfile.ZipFile] = {}
        self._lock = threading.Lock()

    def names(self, path: Path, *, name: str) -> list[str]:
        """The members that are files, sorted.

        Args:
            name: the archive's path as the user wrote it, for messages.

        Raises:
            DataError: it is no zip archive, or a bomb, or its names lead elsewhere.
        """
        entries = [entry for entry in self._archive(path, name=name).infolist() if not entry.is_dir()]
        if len(entries) > MOST_MEMBERS:
            raise DataError(f"{name} is refused: it has {len(entries):,} files, {MOST_MEMBERS:,} may be")
        names = sorted(entry.filename for entry in entries)
        twice = next((one for one, other in pairwise(names) if one == other), None)
        if twice is not None:
            raise DataError(f"{name} is refused: {twice} is in it twice")
        return names

    def opener(self, path: Path, member: str | None, *, name: str) -> Opener:
        """What opens a file, or a member of an archive."""
        return lambda: open_regular(path) if member is None else self._member(path, member, name=name)

    @contextmanager
    def _member(self, path: Path, member: str, *, name: str) -> Iterator[IO[bytes]]:
        archive = self._archive(path, name=str(path))
        with _explained(name, UnreadableError):
            if archive.getinfo(member).file_size > LARGEST_MEMBER:
                raise UnreadableError(f"{name} has more than {LARGEST_MEMBER:,} bytes: shrink it")
            data = archive.read(member)
        yield io.BytesIO(data)

    def _archive(self, path: Path, *, name: str) -> zipfile.ZipFile:
        with self._lock:
            if path not in self._open:
                with _explained(name, DataError):
                    stream = open_regular(path)
                    check_zip(stream, growth=LARGEST_GROWTH)
                    self._open[path] = zipfile.ZipFile(stream)
            return self._open[path]


@contextmanager
def _explained(name: str, kind: type[DataError]) -> Iterator[None]:
    """Turn what readers of archives raise into errors that name the file.

    Raises:
        DataError: any of these.
    """
    try:
        yield
    except (DataError, MemoryError):
        raise
    except BombError as error:
        raise DataError(f"{name} is refused: {error}") from error
    except OSError as error:
        raise kind(f"{name} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of damaged archives, readers of every method of packing raise nearly anything
        raise kind(f"{name} cannot be read from its archive ({first_line(error)}): make the archive again") from error
