"""The spellings in which a secret may leave a program, and a search for them in everything that a command left."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

CORE = "K9qvZw81xTkJ"  # survives every escaping but those that write each character as a code
SECRET = f'a/"b&<{CORE}>+c=='

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "json": lambda text: json.dumps(text)[1:-1],
    "json-slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "json-codes": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "html": html.escape,
    "html-numbers": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "html-hexadecimal": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "url": lambda text: quote(text, safe=""),
    "url-small": lambda text: quote(text, safe="").lower() if text.islower() else quote(text, safe="/"),
    "url-plus": quote_plus,
    "url-all": lambda text: "".join(f"%{ord(letter):02X}" for letter in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-1": lambda text: base64.b64encode(b"u" + text.encode()).decode(),
    "base64-2": lambda text: base64.b64encode(b"u:" + text.encode() + b"\n").decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(b"x" + text.encode() + b"ab").decode(),
}


def leaks(data: bytes, secret: str = SECRET) -> list[str]:
    """How a secret is spelled in some bytes, or in what these bytes hold packed; empty: it is not there."""
    return sorted({name for layer in _layers(data) for name, spelling in _spelled(secret) if spelling in layer})


def _spelled(secret: str) -> Iterator[tuple[str, bytes]]:
    """Each spelling; of base64, only the characters that do not depend on what stands around the secret."""
    yield "core", CORE.encode()
    for name, encode in ENCODINGS.items():
        spelling = encode(secret)
        yield name, (spelling[3:-4] if name.startswith("base64") else spelling).encode()


def _layers(data: bytes) -> Iterator[bytes]:
    yield data
    if data[:2] == b"\x1f\x8b":
        yield from _layers(gzip.decompress(data))
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield from _layers(archive.read(name))
    elif data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                stream = archive.extractfile(member)
                yield member.name.encode()
                yield from _layers(b"" if stream is None else stream.read())


def leaking_files(folder: Path, *, besides: frozenset[str] = frozenset()) -> list[str]:
    """Every file below a folder that holds the secret in its name or content, but for those that the user wrote."""
    return [
        f"{path.relative_to(folder)}: {', '.join(spellings)}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in besides
        for spellings in [leaks(path.read_bytes()) + leaks(str(path.relative_to(folder)).encode())]
        if spellings
    ]
