"""One file for several parts: a tar archive (POSIX ustar) that can be written in one way only.

Any tar program opens it. Names, order, dates and owners are fixed, and whoever reads it writes it again and compares:
no byte is free to differ.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelprint.core.errors import IntegrityError, ModelprintError
from modelprint.core.untrusted import read_regular

LARGEST = 2**30  # bytes of a container; 3,700 queries of 32 x 32 x 3 and 200 calibration models have 0.04 of it
_BLOCK = 512
_END = bytes(2 * _BLOCK)


def packed(parts: Mapping[str, bytes]) -> bytes:
    """The container of some parts, in their order.

    Raises:
        ModelprintError: they are too large for a container that would be read.
    """
    size = sum(map(len, parts.values()))
    if size + 2 * _BLOCK * (len(parts) + 1) > LARGEST:
        raise ModelprintError(
            f"this evidence has {size} bytes, a bundle holds at most {LARGEST}: calibrate on fewer models"
        )
    blocks: list[bytes] = []
    for name, data in parts.items():
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o644
        blocks += [entry.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"), data, bytes(-len(data) % _BLOCK)]
    return b"".join([*blocks, _END])


def unpacked(data: bytes, names: Sequence[str], *, who: str) -> dict[str, bytes]:
    """The parts of a container.

    Args:
        names: those that it may hold, in order.

    Raises:
        IntegrityError: another name or order, cut short, or any byte that writing it again would change.
    """
    parts: dict[str, bytes] = {}
    left = list(names)
    place = 0
    while data[place : place + len(_END)] != _END:
        try:
            entry = tarfile.TarInfo.frombuf(data[place : place + _BLOCK], "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise IntegrityError(f"{who} is no bundle, or damaged at byte {place}: {error}") from error
        if entry.name not in left:
            raise IntegrityError(
                f"{who} holds {entry.name!r} where it should hold one of {', '.join(left) or 'nothing'}"
            )
        del left[: left.index(entry.name) + 1]
        start = place + _BLOCK
        if entry.size < 0 or start + entry.size > len(data):
            raise IntegrityError(f"{who} is cut short: {entry.name} should have {entry.size} bytes")
        parts[entry.name] = data[start : start + entry.size]
        place = start + entry.size + -entry.size % _BLOCK
    if packed(parts) != data:
        raise IntegrityError(f"{who} was changed between its parts: written again, it has other bytes")
    return parts


def read(path: Path) -> bytes:
    """The bytes of a container's file, if it is not too large.

    Raises:
        ModelprintError: it cannot be read.
        IntegrityError: larger than any bundle.
    """
    try:
        data = read_regular(path) if path.stat().st_size <= LARGEST else None
    except OSError as error:
        raise ModelprintError(f"{path} cannot be read: {error.strerror or error}") from error
    if data is None or len(data) > LARGEST:
        raise IntegrityError(f"{path} has more than {LARGEST} bytes, more than any bundle: it was not read")
    return data
