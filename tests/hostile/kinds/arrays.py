"""Archives of arrays, as data sets and as recordings."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from tests.hostile import commands
from tests.hostile.commands import verify
from tests.hostile.corpus import ANY, REFUSED, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import npz

SAYS = r"d\.npz|a\.npz"
IMAGES = np.arange(48, dtype=np.uint8).reshape(12, 2, 2)
LABELS = np.arange(12) % 3


def npy(header: object, body: bytes = b"", *, version: bytes = b"\x01\x00") -> bytes:
    """An array's file with that header."""
    text = header if isinstance(header, bytes) else str(header).encode()
    length = struct.pack("<H", len(text)) if version[0] == 1 else struct.pack("<I", len(text))
    return b"\x93NUMPY" + version + length + text + body


def shaped(shape: object, descr: object = "<f8", body: bytes = bytes(8)) -> bytes:
    """An array that claims a shape and a type."""
    return npy({"descr": descr, "fortran_order": False, "shape": shape}, body)


def zipped(parts: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return stream.getvalue()


HEADERS: dict[str, bytes] = {
    "huge": shaped((10**12,)),
    "overflow": shaped((2**62, 4)),
    "three-dimensions": shaped((2**31,) * 3),
    "more": shaped((3,)),
    "fewer": shaped((0,)),
    "negative": shaped((-1,)),
    "fraction": shaped((1.5,)),
    "text": shaped("(1,)"),
    "no-tuple": shaped(1),
    "dimensions": shaped((1,) * 5000),
    "objects": shaped((1,), "|O"),
    "objects-within": shaped((1,), [("a", "|O")]),
    "structure-deep": shaped((1,), [("a", [("b", [("c", "<f8")])])]),
    "structure-wide": shaped((1,), [(f"f{n}", "<f8") for n in range(2000)]),
    "type-unknown": shaped((1,), "<z9"),
    "type-huge": shaped((1,), f"<U{2**28}"),
    "type-zero": shaped((10**9,), "<U0", b""),
    "type-void": shaped((10**9,), "|V0", b""),
    "no-header": b"\x93NUMPY",
    "code": npy("__import__('os').system('x')"),
    "nested": npy("(" * 5000),
    "long": npy(b"#" * 60_000),
    "version-9": npy({}, version=b"\x09\x00"),
    "version-2": npy("{", version=b"\x02\x00"),
    "length": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1),
    "empty": b"",
    "pickle": b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.",
    "not-utf8": npy(b"\xff" * 20),
    "fortran": npy({"descr": "<f8", "fortran_order": True, "shape": (1,)}, bytes(8)),
}
ODD_HEADERS = {"more", "fewer"}


@family
def headers() -> Iterator[HostileInput]:
    """Arrays whose headers do not fit, in data sets and in recordings."""
    for name, data in HEADERS.items():
        yield hostile(
            f"arrays/headers-data/{name}",
            content("d.npz", zipped({"x_train.npy": data, "y_train.npy": data})),
            commands.data,
            SAYS,
        )
        yield hostile(
            f"arrays/headers-recording/{name}",
            content("a.npz", zipped({"header.npy": data, "label.npy": data, "query.npy": data, "index.npy": data})),
            verify(),
            SAYS,
        )
        yield hostile(f"arrays/headers-npy/{name}", content("d.npy", data), commands.data, "d.npy")


@family
def archives() -> Iterator[HostileInput]:
    """Archives that unpack to too much, or lead elsewhere."""
    one = shaped((1,))

    def zeros(place: Place) -> bytes:
        return zipped({"x_train.npy": npy({"descr": "|u1", "fortran_order": False, "shape": (2**28,)}, bytes(2**28))})

    cases: dict[str, bytes | Callable[[Place], bytes]] = {
        "zeros": zeros,
        "no-suffix": zipped({"x_train": one, "y_train": one}),
        "no-suffix-huge": zipped({"x_train": bytes(2**22)}),
        "leads-out": zipped({"../x_train.npy": one}),
        "absolute": zipped({"/etc/x.npy": one}),
        "drive": zipped({"c:\\x.npy": one}),
        "nul": zipped({"x\x00y.npy": one}),
        "folder": zipped({"x_train.npy/": b""}),
        "empty-name": zipped({".npy": one}),
        "empty": zipped({}),
        "many": zipped({f"a{n}.npy": one for n in range(5000)}),
        "pickle": zipped({"x_train.npy": shaped((1,), "|O", b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.")}),
        "zip-in-zip": zipped({"x_train.npy": zipped({"x_train.npy": one})}),
        "npy-named-npz": one,
        "text": b"x_train",
        "empty-file": b"",
        "gzip": b"\x1f\x8b" + bytes(100),
        "cut-directory": zipped({"x_train.npy": one})[:-10],
        "encrypted": zipped({"x_train.npy": one}).replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"
        ),
        "bzip2": zipped({"x_train.npy": one}, method=zipfile.ZIP_BZIP2),
        "lzma": zipped({"x_train.npy": one}, method=zipfile.ZIP_LZMA),
        "lzma-damaged": zipped({"x_train.npy": one * 50}, method=zipfile.ZIP_LZMA)[:60] + bytes(200),
        "unknown-method": zipped({"x_train.npy": one}, method=zipfile.ZIP_STORED).replace(
            b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63\x00"
        ),
        "two-directories": zipped({"x_train.npy": one}) * 2,
    }
    for name, data in cases.items():
        yield hostile(f"arrays/archives-data/{name}", content("d.npz", data), commands.data, SAYS)
        yield hostile(f"arrays/archives-recording/{name}", content("a.npz", data), verify(), SAYS)


@family
def data_sets() -> Iterator[HostileInput]:
    """Well-formed arrays that are no data set."""
    cases: dict[str, Callable[[], dict[str, object]]] = {
        "nothing": dict,
        "no-labels": lambda: {"x_train": IMAGES},
        "no-images": lambda: {"y_train": LABELS},
        "other-names": lambda: {"a": IMAGES, "b": LABELS},
        "counts": lambda: {"x_train": IMAGES, "y_train": LABELS[:5]},
        "labels-text": lambda: {"x_train": IMAGES, "y_train": LABELS.astype("U1")},
        "labels-fractions": lambda: {"x_train": IMAGES, "y_train": LABELS / 2},
        "labels-negative": lambda: {"x_train": IMAGES, "y_train": LABELS - 5},
        "labels-huge": lambda: {"x_train": IMAGES, "y_train": LABELS + 2**62},
        "labels-billion": lambda: {"x_train": IMAGES, "y_train": LABELS * 10**9},
        "labels-two-dimensions": lambda: {"x_train": IMAGES, "y_train": np.zeros((12, 5), int)},
        "labels-nan": lambda: {"x_train": IMAGES, "y_train": np.full(12, np.nan)},
        "images-text": lambda: {"x_train": IMAGES.astype("U3"), "y_train": LABELS},
        "images-nan": lambda: {"x_train": np.full((12, 2, 2), np.nan), "y_train": LABELS},
        "images-infinite": lambda: {"x_train": np.full((12, 2, 2), np.inf), "y_train": LABELS},
        "images-of-255": lambda: {"x_train": IMAGES * 255.0, "y_train": LABELS},
        "images-negative": lambda: {"x_train": -IMAGES / 255.0 - 1, "y_train": LABELS},
        "images-complex": lambda: {"x_train": IMAGES.astype(complex), "y_train": LABELS},
        "images-flat": lambda: {"x_train": IMAGES.reshape(12, 4), "y_train": LABELS},
        "images-scalar": lambda: {"x_train": np.array(3), "y_train": LABELS},
        "images-five-dimensions": lambda: {"x_train": IMAGES.reshape(12, 1, 1, 2, 2), "y_train": LABELS},
        "images-empty": lambda: {"x_train": IMAGES[:0], "y_train": LABELS[:0]},
        "images-of-no-pixels": lambda: {"x_train": np.zeros((12, 0, 0), np.uint8), "y_train": LABELS},
        "images-int64": lambda: {"x_train": IMAGES.astype(np.int64), "y_train": LABELS},
        "images-bool": lambda: {"x_train": IMAGES > 3, "y_train": LABELS},
        "images-dates": lambda: {"x_train": IMAGES.astype("M8[s]"), "y_train": LABELS},
        "one-image": lambda: {"x_train": IMAGES[:1], "y_train": LABELS[:1]},
        "test-of-another-size": lambda: {
            "x_train": IMAGES,
            "y_train": LABELS,
            "x_test": np.zeros((3, 5, 5), np.uint8),
            "y_test": np.arange(3),
        },
        "test-of-more-classes": lambda: {
            "x_train": IMAGES,
            "y_train": LABELS,
            "x_test": IMAGES[:3],
            "y_test": np.array([7, 8, 9]),
        },
        "class-names-few": lambda: {"x_train": IMAGES, "y_train": LABELS, "class_names": np.array(["a"])},
        "class-names-numbers": lambda: {"x_train": IMAGES, "y_train": LABELS, "class_names": np.arange(3)},
        "class-names-equal": lambda: {"x_train": IMAGES, "y_train": LABELS, "class_names": np.array(["a", "a", "a"])},
        "class-names-long": lambda: {
            "x_train": IMAGES,
            "y_train": LABELS,
            "class_names": np.array(["a" * 10**5, "b", "c"]),
        },
    }
    harmless = {
        "images-bool",
        "images-int64",
        "test-of-more-classes",
        "class-names-numbers",
        "class-names-equal",
        "class-names-long",
        "images-of-255",
        "one-image",
    }
    for name, arrays in cases.items():
        yield hostile(
            f"arrays/data-sets/{name}",
            lambda place, arrays=arrays: place.file("d.npz", npz(**arrays())),
            commands.data,
            SAYS,
            ANY if name in {*harmless, "labels-text"} else REFUSED,
        )
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():

        def named(place: Place, escape: str = escape) -> str:
            names = np.array([f"a{escape}", "b", "c"])
            return place.file("d.npz", npz(x_train=IMAGES, y_train=LABELS, class_names=names))

        yield hostile(f"arrays/class-names/{name}", named, commands.data, "", ANY)
        if name not in ("newlines", "nul"):
            yield hostile(
                f"arrays/member-names/{name}",
                content("d.npz", zipped({f"x{escape}.npy": shaped((1,))})),
                commands.data,
                SAYS,
            )


@family
def references() -> Iterator[HostileInput]:
    """Words that should name a data set."""
    words = {
        "unknown": "no-such-set",
        "empty": "",
        "colon": ":",
        "slice": "digits[0:",
        "slice-huge": f"digits[0:{10**30}]",
        "slice-negative": "digits[-5:3]",
        "split": "digits:../../x",
        "traversal": "../../../../etc/passwd",
        "device": "/dev/zero",
        "url": "http://127.0.0.1:1/x",
        "escape": "digits:\x1b[2J",
        "rich": "digits:[/x]",
        "brackets": "[" * 5000,
        "long": "x" * 100_000,
        "folder": "/etc",
        "proc": "/proc/self",
    }
    for name, word in words.items():
        yield hostile(
            f"arrays/references/{name}", lambda place, word=word: word, commands.data, "", frozenset({1, 2, 3})
        )

    def special(name: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            path = place.root / "d.npz"
            if name == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to({"zero": "/dev/zero", "loop": "d.npz", "secret": str(place.secret)}[name])
            return str(path)

        return make

    for name in ("fifo", "zero", "loop", "secret"):
        yield hostile(f"arrays/places/{name}", special(name), commands.data, "", quick=name == "fifo")


@family
def damage() -> Iterator[HostileInput]:
    """A whole data set with damage."""
    yield from damaged("arrays/damaged", "d.npz", lambda place: place.seeds.data_archive, commands.data)
