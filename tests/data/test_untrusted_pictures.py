"""Pictures and archives of others: decoded in a child, by content and within limits, or refused by name."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelprint.core.errors import DataError, ModelError, ModelprintError
from modelprint.core.sandbox import Limits, SandboxError, available, client
from modelprint.data import arrays, folders, pictures
from modelprint.data.arrays import read_npz_arrays, read_own_npz
from modelprint.data.folders import read_image_folder
from modelprint.data.splits import load_raw
from modelprint.modalities.image import confined
from modelprint.modalities.image.reading import Like, read_picture
from modelprint.nn.weight_files import read_weights

RAMP = np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)
AS_BYTES = np.rint(RAMP / 257).astype(np.uint8)


def put(root: Path, name: str, content: bytes) -> Path:
    """A picture in class "a" of a folder that holds a good one in "a" and in "b"."""
    for letter in "ab":
        (root / letter).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 7, np.uint8)).save(root / letter / "0.png")
    path = root / "a" / name
    path.write_bytes(content)
    return path


def saved(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.png", saved(Image.fromarray(RAMP), "PNG")),
        ("x.pgm", b"P5 8 8 65535\n" + RAMP.astype(">u2").tobytes()),
    ],
)
def test_sixteen_bits_are_divided_not_cut(name: str, content: bytes, tmp_path: Path) -> None:
    put(tmp_path, name, content)
    images, _, _ = read_image_folder(tmp_path)
    assert np.array_equal(images[1, 0], AS_BYTES)
    assert len(np.unique(images[1])) == 64  # they became 0 and 255


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\nshowpage\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (POSTSCRIPT, "it is none of PNG, JPEG, BMP, WEBP, PPM"),
        (b"II*\x00" + bytes(60), "cannot be read as an image"),
        (saved(Image.new("L", (8, 8)), "ICO"), "it is none of"),
        (b"", "it is none of"),
        (b"Pf\n8 8\n-1.0\n" + np.zeros((8, 8), "<f4").tobytes(), "holds floating-point numbers"),
        (saved(Image.new("L", (8, 8)), "PNG")[:42], "cannot be read as an image"),
    ],
)
def test_by_content_not_by_name(content: bytes, reason: str, tmp_path: Path) -> None:
    put(tmp_path, "x.png", content)
    with pytest.raises(DataError, match=rf"a/x\.png .*{reason}"):
        read_image_folder(tmp_path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [fifo, loop, dangling, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("name", ["!.png", "x.png"])  # the first of all, and another
def test_what_is_no_file_is_refused_at_once(make: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    put(tmp_path, "y.png", saved(Image.new("L", (8, 8)), "PNG"))
    make(tmp_path / "a" / name)
    started = time.monotonic()
    with pytest.raises(DataError, match=rf"{name[0]}\.png cannot be read as an image"):
        read_image_folder(tmp_path)
    assert time.monotonic() - started < 5


def test_another_size_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "x.png", saved(Image.new("L", (9, 9)), "PNG"))

    def decoded(self: Image.Image, *_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", decoded)
    with pytest.raises(DataError, match=r"is \(9, 9\) but first is \(8, 8\)"):
        read_picture(path, like=Like(shape=(1, 8, 8), name="first"))


def test_the_sum_of_pixels_is_limited_by_what_the_files_weigh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = saved(Image.new("RGB", (3000, 3000)), "PNG")
    for letter in "ab":
        (tmp_path / letter).mkdir()
        (tmp_path / letter / "0.png").write_bytes(flat)
    assert pictures.GROWTH * 2 * len(flat) < 2 * 27_000_000
    monkeypatch.setattr(pictures, "FLOOR", 10**7)
    with pytest.raises(DataError, match=r"is refused: its files have [\d,]+ bytes but would unpack to 54,000,000"):
        read_image_folder(tmp_path)


@pytest.mark.skipif(not available(), reason="this system cannot confine a child")
def test_the_picture_that_takes_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "x.png", saved(Image.effect_noise((2600, 2600), 90), "PNG"))
    for letter in "ab":
        (tmp_path / letter / "0.png").unlink()
    (tmp_path / "b" / "z.png").write_bytes((tmp_path / "a" / "x.png").read_bytes())
    monkeypatch.setattr(confined, "LIMITS", Limits(memory=confined.LIMITS.memory, seconds=0.01, answer=2**30))
    found = folders.list_image_folder(tmp_path)
    monkeypatch.setattr(confined, "ALONE", 0.01)
    with pytest.raises(SandboxError, match=r"a/x\.png: it took more than 0\.01 s"):
        found.read(np.arange(2))


@pytest.mark.skipif(not available(), reason="this system cannot confine a child")
def test_the_picture_that_takes_too_much_memory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "!.png", saved(Image.new("1", (9000, 9000)), "PNG"))  # 81 million pixels in 10 kB
    monkeypatch.setattr(confined, "LIMITS", Limits(memory=2**26, seconds=60, answer=2**30))
    with pytest.raises(ModelprintError, match=r"a/!\.png: (it needs more than|reading it ended)"):
        read_image_folder(tmp_path)


def test_without_a_child_the_same_files_are_read_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "available", lambda: False)
    put(tmp_path / "pictures", "x.png", saved(Image.fromarray(RAMP), "PNG"))
    images, _, _ = read_image_folder(tmp_path / "pictures")
    assert np.array_equal(images[1, 0], AS_BYTES)
    fifo(tmp_path / "pictures" / "b" / "y.png")
    with pytest.raises(DataError, match=r"y\.png cannot be read as an image"):
        read_image_folder(tmp_path / "pictures")
    np.savez(tmp_path / "d.npz", x=np.arange(3))
    assert read_npz_arrays(tmp_path / "d.npz")["x"].tolist() == [0, 1, 2]
    torch.save({"w": torch.ones(2)}, tmp_path / "m.pt")
    assert read_weights(tmp_path / "m.pt").state["w"].tolist() == [1, 1]
    (tmp_path / "m.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="not a whole PyTorch checkpoint"):
        read_weights(tmp_path / "m.pt")
    with pytest.raises(SandboxError, match="x: it cannot be read"):
        client.room("tests.core.sandbox_handlers:handler", who="x").call({"do": "raise"})


def test_members_without_npy_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.zeros((4, 1, 2, 2), np.uint8))
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x_train", stream.getvalue())  # numpy lists it as x_train, and read it as bytes
        archive.writestr("y_train.npy", stream.getvalue())
    with pytest.raises(DataError, match=r"x_train is no array"):
        load_raw(str(tmp_path / "d.npz"))


def test_arrays_of_every_plain_type_come_back(tmp_path: Path) -> None:
    kept = {
        "text": np.array("header"),
        "bytes": np.array([b"ab", b"c"]),
        "big": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 3)),
        "one": np.float32(2.5),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "truth": np.array([True, False]),
    }
    np.savez(tmp_path / "d.npz", **kept)
    for read in (read_npz_arrays(tmp_path / "d.npz"), read_own_npz(tmp_path / "d.npz")):
        assert read.keys() == kept.keys()
        for name, value in kept.items():
            assert read[name].shape == value.shape
            assert np.array_equal(read[name], value)


@pytest.mark.parametrize("make", [fifo, loop, dangling, Path.mkdir])
def test_npz_files_that_are_none(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "d.npz")
    with pytest.raises(DataError, match=r"d\.npz (cannot be read|does not exist|is no file)"):
        read_npz_arrays(tmp_path / "d.npz")


@pytest.mark.skipif(not available(), reason="this system cannot confine a child")
def test_archives_are_unpacked_within_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros(2**22))  # 32 MiB
    monkeypatch.setattr(arrays, "LEAST_MEMORY", 2**24)
    monkeypatch.setattr(arrays, "MEMORY_PER_BYTE", 0)
    with pytest.raises(SandboxError, match=r"d\.npz: it needs more than"):
        read_npz_arrays(tmp_path / "d.npz")


@pytest.mark.parametrize("dtype", ["|V0", "<U0", "|S0"])
def test_values_of_no_bytes_are_refused(dtype: str, tmp_path: Path) -> None:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (9999999999999,), }}".encode()
    header += b" " * (118 - len(header) - 1) + b"\n"
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x_train.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    started = time.monotonic()
    with pytest.raises(DataError, match="holds values of no bytes"):
        read_npz_arrays(tmp_path / "d.npz")
    assert time.monotonic() - started < 10


def test_a_header_that_lies_about_the_size(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (9999999999999,), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(10)
    with zipfile.ZipFile(tmp_path / "d.npz", "w") as archive:
        archive.writestr("x_train.npy", member)
    with pytest.raises(DataError, match=r"claims 9,999,999,999,999|claims 10,000,000,000,\d+"):
        read_npz_arrays(tmp_path / "d.npz")
