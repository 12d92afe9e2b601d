"""Pictures in folders of class folders, and pictures that are uploaded to a served model."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from tests.hostile import commands
from tests.hostile.corpus import ANY, READ, REFUSED, HostileInput, Place, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

Data = bytes | Callable[[Place], bytes]


def saved(kind: str = "PNG", mode: str = "L", size: tuple[int, int] = (2, 2), **more: object) -> bytes:
    """A picture."""
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **more)  # type: ignore[arg-type]
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, its checksum right."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, rows: bytes = b"", more: bytes = b"") -> bytes:
    """A PNG that claims a size."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def folder(name: str, data: Data, *, also: bool = True) -> Callable[[Place], str]:
    """A folder of two classes, with one bad picture of that name."""

    def make(place: Place) -> str:
        if also:
            for number in range(3):
                place.file(f"set/b/{number}.png", saved())
            place.file("set/a/0.png", saved())
        place.file(f"set/a/{name}", data(place) if callable(data) else data)
        return str(place.root / "set")

    return make


def eps(command: str) -> bytes:
    """PostScript that would run a command."""
    return f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 2 2\n(%pipe%{command}) (w) file closefile\nshowpage\n%%EOF\n".encode()


def bomb(place: Place) -> bytes:
    """Many pixels from few bytes: 12,000 x 12,000."""
    return png(12_000, 12_000, rows=bytes(12_001) * 12_000)


CONTENTS: dict[str, Data] = {
    "eps": lambda place: eps(f"touch {place.canary}"),
    "eps-binary": b"\xc5\xd0\xd3\xc6" + struct.pack("<IIII", 32, 100, 0, 0) + bytes(12) + eps("x"),
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>x</script></svg>",
    "wmf": b"\xd7\xcd\xc6\x9a" + bytes(200),
    "fits": b"SIMPLE  =                    T" + bytes(2880),
    "grib": b"GRIB" + bytes(100),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "psd": b"8BPS\x00\x01" + bytes(40),
    "mpeg": b"\x00\x00\x01\xb3" + bytes(40),
    "icns": b"icns" + struct.pack(">I", 2**32 - 1),
    "tiff": saved("TIFF"),
    "gif": saved("GIF"),
    "tiff-endless": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
    "jpeg2000": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40),
    "dds": b"DDS " + bytes(124),
    "xbm": b"#define x_width 2\n#define x_height 2\nstatic char x_bits[] = {\n0x00};",
    "xpm": b'/* XPM */\nstatic char *x[] = {\n"2 2 1 1",\n"a c #000000",\n"aa",\n"aa"};',
    "msp": b"DanM" + bytes(40),
    "mcidas": b"\x00" * 4 + b"\x00\x00\x00\x04" + bytes(256),
    "im": b"Image type: L\r\n" + bytes(512),
    "pixels-14000": png(14_000, 14_000),
    "pixels-2-31": png(2**31 - 1, 2**31 - 1),
    "pixels-wide": png(2**31 - 1, 1),
    "pixels-zero": png(0, 0),
    "bomb": bomb,
    "depth-3": png(2, 2, depth=3),
    "colour-9": png(2, 2, colour=9),
    "text-bomb": lambda place: png(
        2, 2, rows=bytes(6), more=chunk(b"zTXt", b"a\x00\x00" + zlib.compress(bytes(2**27)))
    ),
    "many-texts": lambda place: png(2, 2, rows=bytes(6), more=chunk(b"tEXt", b"a\x00b") * 100_000),
    "profile-bomb": lambda place: png(
        2, 2, rows=bytes(6), more=chunk(b"iCCP", b"a\x00\x00" + zlib.compress(bytes(2**27)))
    ),
    "chunk-length": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31) + b"IHDR",
    "no-data": png(2, 2)[:-12],
    "wrong-checksum": png(2, 2, rows=bytes(6))[:-1] + b"x",
    "short-rows": png(200, 200, rows=bytes(10)),
    "animated": lambda place: animated(200),
    "palette-broken": png(2, 2, colour=3, rows=b"\x00\xff\xff" * 2),
    "cmyk": saved("JPEG", "CMYK"),
    "sixteen-bit": saved("PNG", "I;16"),
    "float": saved("TIFF", "F"),
    "alpha": saved("PNG", "RGBA"),
    "palette": saved("PNG", "P"),
    "one-bit": saved("PNG", "1"),
    "jpeg-cut": saved("JPEG")[:80],
    "jpeg-huge": saved("JPEG").replace(
        b"\xff\xc0\x00\x0b\x08\x00\x02\x00\x02", b"\xff\xc0\x00\x0b\x08\xff\xff\xff\xff"
    ),
    "jpeg-markers": b"\xff\xd8" + b"\xff" * 1_000_000,
    "jpeg-progressive-scans": lambda place: scans(),
    "bmp-huge": b"BM"
    + struct.pack("<IHHI", 54, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    "bmp-negative": b"BM"
    + struct.pack("<IHHI", 54, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, -2, -(2**31), 1, 24, 0, 0, 0, 0, 0, 0),
    "bmp-rle": b"BM"
    + struct.pack("<IHHI", 54, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 10_000, 10_000, 1, 8, 1, 0, 0, 0, 0, 0)
    + b"\xff\x01" * 100,
    "ppm-huge": b"P6 99999999 99999999 255\n",
    "ppm-comment": b"P6 " + b"#" * 1_000_000,
    "ppm-maxval": b"P6 2 2 0\n" + bytes(12),
    "ppm-text": b"P3 2 2 255\n" + b"9" * 100_000,
    "webp-huge": b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WEBPVP8 ",
    "webp-empty": b"RIFF\x04\x00\x00\x00WEBP",
    "png-then-zip": lambda place: saved() + zipped(),
    "zip": lambda place: zipped(),
    "gif-then-html": saved("GIF") + b"<script>",
    "empty": b"",
    "one-byte": b"\x89",
    "text": b"a picture",
    "html": b"<!doctype html><script>x</script>",
    "elf": b"\x7fELF" + bytes(100),
    "other-size": saved(size=(3, 3)),
    "other-mode": saved("PNG", "RGB"),
    "pickle": b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.",
}
READABLE = {
    "cmyk",
    "sixteen-bit",
    "alpha",
    "palette",
    "one-bit",
    "animated",
    "many-texts",
    "png-then-zip",
    "wrong-checksum",
    "palette-broken",
    "text-bomb",
    "profile-bomb",
    "jpeg-progressive-scans",
    "tiff",
    "gif",
    "gif-then-html",
    "float",
    "bmp-rle",
    "ppm-maxval",
    "xbm",
    "xpm",
    "im",
    "other-mode",
}


def animated(frames: int) -> bytes:
    """A GIF of many frames."""
    stream = io.BytesIO()
    first, *others = (Image.fromarray(np.full((2, 2), number, np.uint8)) for number in range(frames))
    first.save(stream, "GIF", save_all=True, append_images=others)
    return stream.getvalue()


def scans() -> bytes:
    """A progressive JPEG whose scans come again and again."""
    whole = saved("JPEG", "L", (2000, 2000), progressive=True)
    start = whole.rindex(b"\xff\xda")
    return whole[:start] + whole[start:-2] * 500 + b"\xff\xd9"


def zipped() -> bytes:
    """An archive of a picture."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a/x.png", saved())
    return stream.getvalue()


@family
def contents() -> Iterator[HostileInput]:
    """Files named as pictures that are something else, or too much."""
    for name, data in CONTENTS.items():
        exits = ANY if name in READABLE else REFUSED
        yield hostile(
            f"pictures/named-png/{name}",
            folder("x.png", data),
            commands.data,
            "x.png|b/0.png",
            exits,
            quick=name in ("eps", "bomb"),
        )
        yield hostile(
            f"pictures/first-and-alone/{name}",
            folder("0.jpg", data, also=False),
            commands.data,
            "expected one folder|0.jpg|set",
            REFUSED,
        )


@family
def many() -> Iterator[HostileInput]:
    """Many pictures, each allowed, together too much."""

    def large(place: Place) -> str:
        data = png(8000, 8000, rows=bytes(8001) * 8000)
        for name in "ab":
            for number in range(40):
                place.file(f"set/{name}/{number}.png", data)
        return str(place.root / "set")

    yield hostile(
        "pictures/together/80-of-64-megapixels", large, commands.data, "set", frozenset({0, 1, 3}), seconds=30
    )

    def small(place: Place) -> str:
        for name in "ab":
            for number in range(1000):
                place.file(f"set/{name}/{number}.png", saved())
        place.file("set/b/z.png", b"x")
        return str(place.root / "set")

    yield hostile("pictures/together/the-last-of-2001", small, commands.data, "z.png", seconds=10)
    for count in (0, 1):

        def few(place: Place, count: int = count) -> str:
            (place.root / "set").mkdir()
            for number in range(count):
                place.file(f"set/c{number}/x.png", saved())
            return str(place.root / "set")

        yield hostile(f"pictures/together/{count}-classes", few, commands.data, "expected one folder|no data set")


@family
def places() -> Iterator[HostileInput]:
    """Things in the folder that are no files."""
    for kind in ("fifo", "zero", "random", "loop", "dangling", "secret", "folder", "socket", "stdin", "proc-mem"):

        def make(place: Place, kind: str = kind) -> str:
            honest = folder("0.png", saved())(place)
            path = place.root / "set" / "a" / "x.png"
            targets = {
                "zero": "/dev/zero",
                "random": "/dev/urandom",
                "loop": "x.png",
                "dangling": "nothing",
                "secret": str(place.secret),
                "stdin": "/dev/stdin",
                "proc-mem": "/proc/self/mem",
            }
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            elif kind == "socket":
                import socket

                server = socket.socket(socket.AF_UNIX)
                place.stack.callback(server.close)
                os.chdir(path.parent)
                server.bind("x.png")
            else:
                path.symlink_to(targets[kind])
            return honest

        yield hostile(f"pictures/places/{kind}", make, commands.data, "x.png", quick=kind == "fifo")

    def circle(place: Place) -> str:
        honest = folder("0.png", saved())(place)
        (place.root / "set" / "c").symlink_to(place.root / "set")
        return honest

    yield hostile("pictures/places/class-folder-in-a-circle", circle, commands.data, "", ANY)


@family
def names() -> Iterator[HostileInput]:
    """Names of files and classes with escapes and markup."""
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        odd = escape.replace("/", "")
        if "\x00" in odd:
            continue
        yield hostile(f"pictures/file-names/{name}", folder(f"x{odd}.png", b"x"), commands.data, "png")

        def classes(place: Place, odd: str = odd) -> str:
            place.file(f"set/c{odd}/0.png", saved())
            return folder("0.png", saved())(place)

        yield hostile(f"pictures/class-names/{name}", classes, commands.data, "", READ)


@family
def damage() -> Iterator[HostileInput]:
    """Whole pictures with damage, one size each."""
    for kind in ("PNG", "JPEG", "BMP", "WEBP", "PPM"):
        suffix = {"PNG": "png", "JPEG": "jpg", "PPM": "ppm"}.get(kind, kind.lower())

        def whole(place: Place, kind: str = kind) -> bytes:
            stream = io.BytesIO()
            Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(stream, kind)
            return stream.getvalue()

        for entry in damaged(f"pictures/damaged-{suffix}", f"set/a/x.{suffix}", whole, commands.data, 2):

            def make(place: Place, entry: HostileInput = entry) -> str:
                place.file("set/b/0.png", saved(size=(8, 8)))
                entry.make(place)
                return str(place.root / "set")

            yield hostile(entry.name, make, commands.data, "", ANY)
