"""A folder of every kind of picture: each is read to the right pixels, by a formula or by Pillow, or named."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from modelprint.core.errors import DataError
from modelprint.data.folders import list_image_folder
from modelprint.data.references import Reading
from modelprint.modalities.image.preparing import Preparation
from modelprint.modalities.image.reading import read_picture

GREY = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (6, 9, 3), dtype=np.uint8)
DEEP = np.random.default_rng(2).integers(0, 65536, (6, 9), dtype=np.uint16)
ALPHA = np.random.default_rng(3).integers(0, 256, (6, 9), dtype=np.uint8)
ROUND = np.rint(DEEP / 257).astype(np.uint8)
FLAT = Image.new("RGB", (9, 6), (40, 90, 200))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def png16(colour: int, samples: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, which Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], 16, colour, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def over_white(levels: np.ndarray) -> np.ndarray:
    """Levels laid on white by ALPHA, as a formula."""
    alpha = ALPHA[..., None] / 255 if levels.ndim == 3 else ALPHA / 255
    return levels * alpha + 255 * (1 - alpha)


def as_pillow(content: bytes, mode: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert(mode))


def with_exif(turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return saved(Image.fromarray(COLOUR), "PNG", exif=exif)


def palette_with_hole() -> tuple[bytes, np.ndarray]:
    """A palette whose first colour is transparent."""
    image = Image.fromarray((GREY % 3).astype(np.uint8))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    table = np.array([[255, 255, 255], [0, 255, 0], [0, 0, 255]])
    return saved(image, "PNG", transparency=0), table[GREY % 3]


def float_tiff() -> bytes:
    return saved(Image.fromarray(GREY.astype(np.float32) / 255), "TIFF")


def multi_page() -> bytes:
    pages = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    return saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def moving() -> bytes:
    frames = [Image.fromarray(GREY // 2), Image.fromarray(GREY)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


JPEG = saved(Image.fromarray(COLOUR), "JPEG")
CMYK = saved(Image.fromarray(COLOUR).convert("CMYK"), "JPEG")
WEBP = saved(Image.fromarray(COLOUR), "WEBP", lossless=True)
HOLED, HOLED_PIXELS = palette_with_hole()
PALETTE = saved(FLAT.quantize(4), "PNG")
RGBA = np.dstack([COLOUR, ALPHA])
LA = np.dstack([GREY, ALPHA])

# What is in the file, which pixels it shows, and how many levels these may be off by rounding.
KINDS: dict[str, tuple[bytes, np.ndarray, float]] = {
    "grey.png": (saved(Image.fromarray(GREY), "PNG"), GREY, 0),
    "colour.png": (saved(Image.fromarray(COLOUR), "PNG"), COLOUR, 0),
    "one-bit.png": (saved(Image.fromarray(GREY > 99), "PNG"), 255 * (GREY > 99), 0),
    "sixteen.png": (saved(Image.fromarray(DEEP), "PNG"), ROUND, 0),
    "sixteen-colour.png": (png16(2, (COLOUR.astype(np.uint16) * 257).reshape(6, 27).reshape(6, 9, 3)), COLOUR, 0),
    "sixteen.tif": (saved(Image.fromarray(DEEP), "TIFF"), ROUND, 0),
    "sixteen.pgm": (b"P5 9 6 65535\n" + DEEP.astype(">u2").tobytes(), ROUND, 0),
    "alpha.png": (saved(Image.fromarray(RGBA), "PNG"), over_white(COLOUR), 1),
    "grey-alpha.png": (saved(Image.fromarray(LA, "LA"), "PNG"), np.repeat(over_white(GREY)[..., None], 3, 2), 1),
    "palette.png": (PALETTE, as_pillow(PALETTE, "RGB"), 0),
    "palette-hole.png": (HOLED, HOLED_PIXELS, 0),
    "colour-key.png": (
        saved(FLAT, "PNG", transparency=(40, 90, 200)),
        np.full((6, 9, 3), 255),
        0,
    ),
    "photo.jpg": (JPEG, as_pillow(JPEG, "RGB"), 0),
    "photo.jfif": (JPEG, as_pillow(JPEG, "RGB"), 0),
    "print.jpeg": (CMYK, as_pillow(CMYK, "RGB"), 0),
    "turned.png": (with_exif(6), np.rot90(COLOUR, -1), 0),
    "mirrored.png": (with_exif(2), COLOUR[:, ::-1], 0),
    "transposed.png": (with_exif(5), COLOUR.transpose(1, 0, 2), 0),
    "pages.tiff": (multi_page(), GREY, 0),
    "deflated.tif": (saved(Image.fromarray(COLOUR), "TIFF", compression="tiff_adobe_deflate"), COLOUR, 0),
    "lzw.tif": (saved(Image.fromarray(COLOUR), "TIFF", compression="tiff_lzw"), COLOUR, 0),
    "moving.gif": (moving(), np.repeat((GREY // 2)[..., None], 3, 2), 0),
    "lossless.webp": (WEBP, COLOUR, 0),
    "raw.bmp": (saved(Image.fromarray(COLOUR), "BMP"), COLOUR, 0),
    "raw.ppm": (saved(Image.fromarray(COLOUR), "PPM"), COLOUR, 0),
    "grey.dat": (saved(Image.fromarray(GREY), "PNG"), GREY, 0),
    "no-suffix": (saved(Image.fromarray(GREY), "BMP"), GREY, 0),
}
if "avif" in features.modules and features.check("avif"):
    AVIF = saved(Image.fromarray(COLOUR), "AVIF")
    KINDS["photo.avif"] = (AVIF, as_pillow(AVIF, "RGB"), 0)
REFUSED: dict[str, tuple[bytes, str]] = {
    "floats.tif": (float_tiff(), "holds floating-point numbers"),
    "integers.tif": (saved(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), "holds numbers of 32 bits"),
    "colours.tif": (saved(Image.new("LAB", (9, 6)), "TIFF"), "holds colours as LAB"),
    "cut.png": (saved(Image.fromarray(COLOUR), "PNG")[:80], "cannot be read as an image"),
    "page.png": (b"<!doctype html>", "it is none of PNG, JPEG"),
    "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40), "it is HEIC, as phones write it"),
    "empty.jpg": (b"", "it is none of PNG, JPEG"),
}
NO_PICTURES = {"notes.txt": b"cats", "._grey.png": b"\0\5\x16\7", "Thumbs.db": b"\xd0\xcf", "labels.json": b"{}"}


@pytest.mark.parametrize("name", KINDS)
def test_the_pixels_are_right(name: str, tmp_path: Path) -> None:
    content, expected, off = KINDS[name]
    (tmp_path / name).write_bytes(content)
    pixels = read_picture(tmp_path / name).transpose(1, 2, 0).squeeze()
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(float) - expected).max() <= off


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_by_name(name: str, tmp_path: Path) -> None:
    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name.replace('.', '[.]')}.*{reason}"):
        read_picture(tmp_path / name)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of two classes with every kind that is read, and what file managers and people leave beside them."""
    root = tmp_path / "photos"
    for number, (name, (content, _, _)) in enumerate(KINDS.items()):
        folder = root / ("cat" if number % 2 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name, content in NO_PICTURES.items():
        (root / "cat" / name).write_bytes(content)
    (root / "__MACOSX").mkdir()
    return root


def test_a_folder_of_all_kinds_is_one_set(mixed: Path, caplog: pytest.LogCaptureFixture) -> None:
    how = Preparation(size=(6, 9), mode="rgb", crop="none")
    listed = list_image_folder(mixed, Reading(preparation=how))
    assert listed.class_names == ("cat", "dog")
    assert {file.place.name for file in listed.files} == set(KINDS)
    images = listed.read(np.arange(len(listed)))
    assert images.shape == (len(KINDS), 3, 6, 9)
    for file, image in zip(listed.files, images, strict=True):
        _, expected, off = KINDS[file.place.name]
        if expected.shape[:2] == (6, 9):
            pixels = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, 2)
            assert np.abs(image.transpose(1, 2, 0).astype(float) - pixels).max() <= off, file.name
    assert "2 files are no pictures and are left out: cat/labels.json, cat/notes.txt" in caplog.text


def test_without_a_size_both_sizes_and_the_option_are_named(mixed: Path) -> None:
    listed = list_image_folder(mixed, Reading(preparation=Preparation(mode="rgb")))
    with pytest.raises(DataError, match=r"d\.png is \(9, 6, 3\) but .* is \(6, 9, 3\): .*--size 224.*--crop center"):
        listed.read(np.arange(len(listed)))


def test_without_a_mode_the_option_is_named(mixed: Path) -> None:
    listed = list_image_folder(mixed, Reading(preparation=Preparation(size=(6, 9))))
    with pytest.raises(DataError, match=r"bring all images to one mode, or give --mode rgb or --mode gray"):
        listed.read(np.arange(len(listed)))


WIDE = Image.fromarray(np.random.default_rng(4).integers(0, 256, (20, 50, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (
            Preparation(size=(10, 10)),
            lambda image: image.resize((10, 10), Image.Resampling.BILINEAR),
        ),
        (
            Preparation(size=(10, 10), crop="center"),
            lambda image: image.resize((10, 10), Image.Resampling.BILINEAR, box=(15, 0, 35, 20)),
        ),
        (Preparation(mode="gray"), lambda image: image.convert("L")),
        (
            Preparation(size=(20, 10), mode="gray", crop="center"),
            lambda image: image.crop((20, 0, 30, 20)).convert("L"),
        ),
    ],
)
def test_sizes_and_modes_are_pillows(
    how: Preparation, expected: Callable[[Image.Image], Image.Image], tmp_path: Path
) -> None:
    WIDE.save(tmp_path / "x.png")
    shown = np.asarray(expected(WIDE))
    pixels = read_picture(tmp_path / "x.png", how=how).transpose(1, 2, 0).squeeze()
    assert pixels.shape == shown.shape
    assert np.abs(pixels.astype(int) - shown).max() <= 1


def test_a_padded_picture_stands_in_the_middle_of_the_background(tmp_path: Path) -> None:
    WIDE.save(tmp_path / "x.png")
    how = Preparation(size=(10, 10), crop="pad", background="#102030")
    pixels = read_picture(tmp_path / "x.png", how=how)
    assert pixels[:, :3].transpose(1, 2, 0).tolist() == [[[16, 32, 48]] * 10] * 3
    shown = np.asarray(WIDE.resize((10, 4), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert np.abs(pixels[:, 3:7].astype(int) - shown).max() <= 1


def test_the_background_is_the_users(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "x.png")
    assert read_picture(tmp_path / "x.png").max(initial=0) == 255
    assert read_picture(tmp_path / "x.png", how=Preparation(background="black")).max() == 0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"size": (0, 5)}, "each side is from 1 to 16384"),
        ({"crop": "center"}, "crop center needs a size: give --size 224"),
        ({"size": (5, 5), "crop": "middle"}, "crop 'middle' is none of none, center, pad"),
        ({"mode": "cmyk"}, "mode 'cmyk' is none of rgb, gray"),
        ({"background": "blurple"}, "background 'blurple' is no colour"),
    ],
)
def test_preparations_that_make_no_sense_are_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Preparation(**fields)  # type: ignore[arg-type]
