"""Files of text and of bytes, read up to a bound: what every reader of tables and lines begins with."""

from __future__ import annotations

from pathlib import Path

from modelprint.core.errors import DataError
from modelprint.core.untrusted import open_regular

LARGEST = 2**30  # bytes of a table
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # how such a file begins


def bytes_of(path: Path, *, most: int = LARGEST) -> bytes:
    """A file's bytes.

    Raises:
        DataError: it cannot be read, or has more than that many.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise DataError(f"{path} has more than {most:,} bytes: split it")
    return data


def text_of(path: Path) -> str:
    """A file's text: UTF-8, or UTF-16 that begins with its mark.

    Raises:
        DataError: as of `bytes_of`, or it is no such text.
    """
    data = bytes_of(path)
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{path}, line {line}: the byte {data[error.start]:#04x} is no UTF-8: save the file as UTF-8"
        ) from error


def beginning_of(path: Path, *, most: int = 2**16) -> str:
    """The first bytes of a file as text, as far as they are any.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(most)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return data.decode(_encoding(data), errors="replace")


def _encoding(data: bytes) -> str:
    return "utf-16" if data[:2] in _UTF_16 else "utf-8-sig"
