"""The body of a response, no larger than allowed, packed or not."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class TooLargeError(Exception):
    """A body beyond the limit."""


class UnreadableError(Exception):
    """A body in an encoding that was not asked for, or broken."""


def read_body(parts: Iterable[bytes], *, encoding: str, limit: int) -> bytes:
    """The bytes of a body; an unasked gzip is unpacked, but never beyond the limit, any other encoding refused.

    >>> len(read_body([zlib.compress(b"x" * 1000)], encoding="gzip", limit=1000))
    1000

    Args:
        parts: as they come over the network.
        encoding: the Content-Encoding header, empty where there is none.

    Raises:
        TooLargeError: more than `limit` bytes, packed or unpacked.
        UnreadableError: another encoding, several of them, or broken data.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _joined(parts, limit)
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableError(f"comes in encoding {ascii(encoding)[:60]}, though none was asked for")
    packed = _joined(parts, limit)
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise UnreadableError(f"is no whole {encoding} ({error})") from error
    if len(body) > limit:
        raise TooLargeError
    if not unpacker.eof:
        raise UnreadableError(f"is no whole {encoding}")
    return body


def _joined(parts: Iterable[bytes], limit: int) -> bytes:
    kept: list[bytes] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > limit:
            raise TooLargeError
        kept.append(part)
    return b"".join(kept)
