"""The arrays of an npz file: headers are looked at before anything is unpacked, and nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from modelprint.core.errors import DataError, first_line
from modelprint.core.untrusted import BombError, check_zip, open_regular
from modelprint.modalities.image.reading import to_uint8_nchw

LARGEST_GROWTH = 200  # of an archive; labels pack well, images hardly
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What an array says of itself: its shape, whether Fortran's order, its type."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """What the array takes."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, kw_only=True)
class NpzFile:
    """An open archive whose headers were checked.

    Attributes:
        name: its path as the user wrote it, for messages.
        headers: by the name of each array.
    """

    stream: IO[bytes]
    name: str
    headers: dict[str, Header]

    def large(self, names: Sequence[str], than: int) -> list[str]:
        """Those of the names whose arrays are here, and of more than so many bytes."""
        return [name for name in names if name in self.headers and self.headers[name].bytes > than]

    def arrays(self, *, without: Sequence[str] = ()) -> dict[str, np.ndarray]:
        """All arrays but some.

        Raises:
            DataError: damaged, or holding Python objects.
        """
        with explained(self.name), np.load(self.stream, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in self.headers if name not in without}

    @contextmanager
    def images(self, name: str) -> Iterator[Callable[[int], np.ndarray]]:
        """Inside, a function that gives the next so many images of an array, as uint8 (n, c, h, w).

        Raises:
            DataError: damaged, or no images.
        """
        header, who = self.headers[name], f"{self.name}: {name}"
        if header.fortran:
            raise DataError(f"{who} is too large to be read in Fortran's order: save it in C's")
        size = math.prod(header.shape[1:]) * header.dtype.itemsize
        with explained(self.name), zipfile.ZipFile(self.stream) as archive, archive.open(f"{name}.npy") as part:
            _header(part)

            def following(count: int) -> np.ndarray:
                rows = np.frombuffer(part.read(count * size), header.dtype).reshape(count, *header.shape[1:])
                return to_uint8_nchw(rows, who=who)

            yield following


@contextmanager
def open_npz(path: Path, *, name: str | None = None) -> Iterator[NpzFile]:
    """An archive, looked at before anything of it is unpacked.

    Args:
        name: the path as the user wrote it, for messages.

    Raises:
        DataError: missing, truncated, a bomb, or holding something else than arrays.
    """
    name = name or str(path)
    with explained(name), open_regular(path) as stream:
        check_zip(stream, growth=LARGEST_GROWTH)
        headers = _checked_headers(stream)
        yield NpzFile(stream=stream, name=name, headers=headers)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what readers of archives raise into errors that name the file.

    Raises:
        DataError: any of these.
    """
    try:
        yield
    except BombError as error:
        raise DataError(f"{name} is refused: {error}") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, AttributeError, KeyError) as error:
        raise DataError(
            f"{name} cannot be read as npz ({first_line(error)}): it is truncated, or holds Python objects"
        ) from error


def _header(part: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(part)
    read_header = _HEADERS.get(version)
    if read_header is None:
        raise ValueError(f"an array is of version {version}")
    shape, fortran, dtype = read_header(part)
    return Header(shape=shape, fortran=fortran, dtype=dtype)


def _checked_headers(stream: IO[bytes]) -> dict[str, Header]:
    """The headers; those that claim more, or less, than there is are refused: memory would be set aside for the claim.

    Raises:
        ValueError: such a header, none, or a member that is no array.
    """
    headers: dict[str, Header] = {}
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename or name in headers:
                raise ValueError(f"{entry.filename} is {'there twice' if name in headers else 'no array'}")
            with archive.open(entry) as part:
                try:
                    header = _header(part)
                except Exception as error:  # of a damaged header, numpy's reader raises nearly anything
                    raise ValueError(f"{entry.filename} has no readable header") from error
                claimed = part.tell() + header.bytes
            if not header.dtype.itemsize:
                raise ValueError(f"{entry.filename} holds values of no bytes, of which there may be any number")
            if claimed != entry.file_size and not header.dtype.hasobject:
                raise ValueError(f"{entry.filename} claims {claimed:,} bytes but has {entry.file_size:,}")
            headers[name] = header
    stream.seek(0)
    return headers
