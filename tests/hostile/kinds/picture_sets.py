"""Archives, lists and columns of pictures: bombs, names that lead elsewhere, claims, damage, odd text."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from tests.hostile import commands
from tests.hostile.corpus import ANY, OWN, READ, REFUSED, HostileInput, Place, content, family, hostile
from tests.hostile.kinds.pictures import png, saved
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

GOOD = {"a/0.png": saved(), "a/1.png": saved(), "b/0.png": saved(), "b/1.png": saved(), "b/2.png": saved()}


def zipped(parts: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, good: bool = True) -> bytes:
    """An archive of these members, beside good ones."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in {**(GOOD if good else {}), **parts}.items():
            archive.writestr(name, data)
    return stream.getvalue()


def twice() -> bytes:
    """An archive with two members of one name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("a/0.png", "b/0.png", "b/0.pn2"):
            archive.writestr(name, saved())
    return stream.getvalue().replace(b"b/0.pn2", b"b/0.png")


def link() -> bytes:
    """An archive with a symbolic link to a file outside, called like a picture."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in GOOD.items():
            archive.writestr(name, data)
        entry = zipfile.ZipInfo("a/x.png")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return stream.getvalue()


ARCHIVES: dict[str, bytes | Callable[[Place], bytes]] = {
    "empty": b"",
    "no-members": zipped({}, good=False),
    "text": b"PK no archive",
    "leads-out": zipped({"../a/x.png": saved()}),
    "absolute": zipped({"/tmp/a/x.png": saved()}),
    "drive": zipped({"c:\\a\\x.png": saved()}),
    "deep": zipped({"a/" * 2000 + "x.png": saved()}),
    "deep-alone": zipped({"a/" * 2000 + "x.png": saved()}, good=False),
    "twice": twice(),
    "link": link(),
    "zeros": lambda place: zipped({"a/x.png": bytes(2**28)}),
    "bomb-picture": lambda place: zipped({"a/x.png": png(12_000, 12_000, rows=bytes(12_001) * 12_000)}),
    "zip-in-zip": zipped({"a/x.png": zipped({})}),
    "encrypted": zipped({}).replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
    "unknown-method": zipped({}, method=zipfile.ZIP_STORED).replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63\x00"
    ),
    "lzma-damaged": zipped({"a/x.png": saved() * 50}, method=zipfile.ZIP_LZMA)[:90] + bytes(200),
    "cut-directory": zipped({})[:-10],
    "many": lambda place: zipped({f"a/{number}.txt": b"" for number in range(30_000)}),
    "many-classes": lambda place: zipped({f"c{number}/x.png": saved() for number in range(3_000)}),
    "one-is-bad": zipped({"a/x.png": b"x"}),
    "executable": zipped({"a/x.png": b"\x7fELF" + bytes(100)}),
}
HARMLESS = {"bzip2", "many", "many-classes", "deep", "encrypted"}


@family
def archives() -> Iterator[HostileInput]:
    """Zip archives of pictures."""
    for name, data in ARCHIVES.items():
        exits = ANY if name in HARMLESS else REFUSED
        yield hostile(
            f"pictures/zip/{name}", content("s.zip", data), commands.data, r"s\.zip", exits, seconds=20,
            quick=name in ("leads-out", "zeros"),
        )  # fmt: skip
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        odd = escape.replace("/", "").replace("\x00", "")
        yield hostile(
            f"pictures/zip-names/{name}", content("s.zip", zipped({f"a/x{odd}.png": b"x"})), commands.data, "png"
        )
        yield hostile(
            f"pictures/zip-left-out/{name}", content("s.zip", zipped({f"a/x{odd}.doc": b"x"})), commands.data, "", ANY
        )
    yield from damaged("pictures/zip-damaged", "s.zip", lambda place: zipped({}), commands.data, 3)


def listed(text: str | bytes | Callable[[Place], str]) -> Callable[[Place], str]:
    """A list beside good pictures."""

    def make(place: Place) -> str:
        for name, data in GOOD.items():
            place.file(name, data)
        return place.file("s.csv", text(place) if callable(text) else text)

    return make


HEAD = "path,label\na/0.png,a\na/1.png,a\nb/0.png,b\nb/1.png,b\n"
LISTS: dict[str, str | bytes | Callable[[Place], str]] = {
    "empty": "",
    "no-rows": "path,label\n",
    "no-columns": "\n\n\n",
    "binary": bytes(range(256)) * 100,
    "utf-16-cut": b"\xff\xfea",
    "outside": HEAD + "../../../etc/passwd,a\n",
    "absolute": HEAD + "/etc/passwd,a\n",
    "secret": lambda place: HEAD + f"{place.secret},a\n",
    "device": HEAD + "/dev/zero,a\n",
    "nul": HEAD + "a\x00b.png,a\n",
    "missing": HEAD + "a/none.png,a\n",
    "folder": HEAD + "a,a\n",
    "itself": HEAD + "s.csv,a\n",
    "two-labels": HEAD + "a/0.png,b\n",
    "open-quote": HEAD + '"a/0.png,a\n' * 1000,
    "long-field": HEAD + "a/" + "x" * 1_000_000 + ".png,a\n",
    "long-name": HEAD + "a/" + "x" * 5000 + ".png,a\n",
    "commas": HEAD + "," * 1_000_000 + "\n",
    "many-columns": ",".join(f"c{number}" for number in range(50_000)) + "\n",
    "same-columns": "path,path,label\na,b,c\n",
    "negative": "path,label\na/0.png,-1\nb/0.png,x\nb/0.png,-2\n",
    "large-label": "path,label\na/0.png,999999999999\nb/0.png,0\n",
    "label-of-five-digits": "path,label\na/0.png,99999\nb/0.png,0\n",
}


@family
def lists() -> Iterator[HostileInput]:
    """Lists of pictures."""
    for name, text in LISTS.items():
        exits = ANY if name in ("large-label", "label-of-five-digits", "commas") else REFUSED
        yield hostile(f"pictures/csv/{name}", listed(text), commands.data, r"s\.csv|\.png|etc|/a ", exits)
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        odd = json.dumps(escape)[1:-1] if "\n" in escape or "\r" in escape else escape.replace('"', '""')
        yield hostile(f"pictures/csv-labels/{name}", listed(HEAD + f'b/2.png,"x{odd}"\n'), commands.data, "", ANY)
        yield hostile(
            f"pictures/csv-paths/{name}", listed(HEAD + f'"x{odd}.png",a\n'), commands.data, "cannot be read|csv"
        )
        yield hostile(f"pictures/csv-columns/{name}", listed(f'"x{odd}",b\n1,2\n'), commands.data, "column|csv")

    def special(kind: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            path = place.root / "s.csv"
            if kind == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to({"zero": "/dev/zero", "loop": "s.csv", "secret": str(place.secret)}[kind])
            return str(path)

        return make

    for kind in ("fifo", "zero", "loop", "secret"):
        yield hostile(f"pictures/csv-places/{kind}", special(kind), commands.data, "", quick=kind == "fifo")


def with_classes(place: Place, made: str) -> list[str]:
    """A set whose classes a file lists."""
    for name, data in GOOD.items():
        place.file(f"set/{name}", data)
    return ["data", str(place.root / "set"), "--classes", made]


@family
def class_lists() -> Iterator[HostileInput]:
    """Lists of classes."""
    cases: dict[str, str | bytes] = {
        "empty": "",
        "nested": "[" * 100_000,
        "objects": '[{"a": 1}]',
        "numbers": '{"0": "a", "99999999999": "b"}',
        "key-infinite": '{"Infinity": "a"}',
        "binary": bytes(range(256)),
        "many": "\n".join(map(str, range(200_000))),
        "long": "a\n" + "b" * 2**25,
        "twice": "a\nb\na\n",
        "others": "x\ny\n",
    }
    for name, text in cases.items():
        yield hostile(f"pictures/class-lists/{name}", content("classes", text), with_classes, "classes|class")

    def fifo(place: Place) -> str:
        os.mkfifo(place.root / "classes")
        return str(place.root / "classes")

    yield hostile("pictures/class-lists/fifo", fifo, with_classes, "classes cannot be read")


@family
def references() -> Iterator[HostileInput]:
    """What DATA say of their reading."""
    for number, text in enumerate(
        (
            "size=99999x99999",
            "size=0",
            "size=1&size=2",
            "crop=x",
            "mode=",
            "background=%00",
            "classes=/dev/zero",
            "label=%1b[2J",
        )
    ):
        yield hostile(
            f"pictures/references/{number}",
            lambda place, text=text: listed(HEAD)(place) + f"?{text}",
            commands.data,
            "",
            REFUSED | OWN,
        )


def parquet(columns: dict[str, Any], metadata: dict[bytes, bytes] | None = None, **options: Any) -> bytes:
    """A Parquet file."""
    import pyarrow
    from pyarrow import parquet as files

    stream = io.BytesIO()
    table = pyarrow.table(columns)
    files.write_table(table.replace_schema_metadata(metadata) if metadata else table, stream, **options)
    return stream.getvalue()


def whole() -> bytes:
    """Ten good pictures with labels."""
    return parquet({"image": [{"bytes": saved(), "path": None}] * 10, "label": [0, 1] * 5})


def arrow(columns: dict[str, Any]) -> bytes:
    """An Arrow stream."""
    import pyarrow

    stream = io.BytesIO()
    table = pyarrow.table(columns)
    with pyarrow.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return stream.getvalue()


def features(label: object) -> dict[bytes, bytes]:
    """What Hugging Face's library writes of the columns, with something odd."""
    return {b"huggingface": json.dumps({"info": {"features": {"label": label}}}).encode()}


@family
def columns() -> Iterator[HostileInput]:
    """Parquet and Arrow files."""
    if find_spec("pyarrow") is None:
        return
    pictures = [{"bytes": saved(), "path": None}] * 10
    labels = [0, 1] * 5

    def bombs() -> list[dict[str, object]]:
        return [{"bytes": png(12_000, 12_000, rows=bytes(12_001) * 12_000), "path": None}] * 3

    cases: dict[str, Callable[[], bytes]] = {
        "empty": bytes,
        "magic": lambda: b"PAR1" * 3,
        "footer-huge": lambda: b"PAR1" + bytes(20) + struct.pack("<I", 2**31 - 1) + b"PAR1",
        "no-rows": lambda: parquet({"image": pictures[:0], "label": labels[:0]}),
        "rows-million": lambda: parquet({"path": ["a.png"] * 3_000_000, "label": [0] * 3_000_000}),
        "labels-fractions": lambda: parquet({"image": pictures, "label": [0.5] * 10}),
        "labels-huge": lambda: parquet({"image": pictures, "label": [2**62] * 10}),
        "labels-negative": lambda: parquet({"image": pictures, "label": [-1] * 10}),
        "labels-nested": lambda: parquet({"image": pictures, "label": [[[0]]] * 10}),
        "labels-long": lambda: parquet({"image": pictures, "label": ["x" * 2**24] * 9 + ["y"]}),
        "paths-outside": lambda: parquet({"path": ["../../etc/passwd"] * 10, "label": labels}),
        "paths-within": lambda: parquet({"image": [{"bytes": None, "path": "/etc/passwd"}] * 10, "label": labels}),
        "no-pictures": lambda: parquet({"image": [{"bytes": b"%!PS", "path": None}] * 10, "label": labels}),
        "bomb": lambda: parquet({"image": bombs(), "label": [0, 1, 0]}),
        "names-nested": lambda: parquet({"image": pictures, "label": labels}, features({"names": [[["a"]] * 9]})),
        "names-few": lambda: parquet({"image": pictures, "label": labels}, features({"names": ["a"]})),
        "names-deep": lambda: parquet({"image": pictures, "label": labels}, {b"huggingface": b"[" * 100_000}),
        "many-columns": lambda: parquet({f"c{number}": [0] for number in range(5000)}),
        "encryption-flag": lambda: whole()[:-4] + b"PARE",
    }
    read = {"labels-long", "names-nested", "names-deep"}
    for name, data in cases.items():
        yield hostile(
            f"pictures/parquet/{name}", lambda place, data=data: place.file("s.parquet", data()), commands.data,
            r"s\.parquet|etc", ANY if name in read else REFUSED, seconds=15, memory=4 * 2**30,
        )  # fmt: skip
    streams: dict[str, Callable[[], bytes]] = {
        "empty": bytes,
        "length-huge": lambda: b"\xff\xff\xff\xff" + struct.pack("<I", 2**31 - 1) + bytes(64),
        "paths-outside": lambda: arrow({"path": ["../../etc/passwd"] * 10, "label": labels}),
        "bomb": lambda: arrow({"image": bombs(), "label": [0, 1, 0]}),
    }
    for name, data in streams.items():
        yield hostile(
            f"pictures/arrow/{name}", lambda place, data=data: place.file("s.arrow", data()), commands.data,
            r"s\.arrow|etc", seconds=15, memory=4 * 2**30,
        )  # fmt: skip
    yield from damaged("pictures/parquet-damaged", "s.parquet", lambda place: whole(), commands.data, 4)
    yield from damaged(
        "pictures/arrow-damaged", "s.arrow", lambda place: arrow({"image": pictures, "label": labels}), commands.data, 4
    )
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        yield hostile(
            f"pictures/parquet-names/{name}",
            lambda place, escape=escape: place.file(
                "s.parquet", parquet({"image": pictures, "label": [escape, "b"] * 5})
            ),
            commands.data,
            "",
            READ,
        )
