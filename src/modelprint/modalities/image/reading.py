"""Images from files and from arrays of any layout, brought to what is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Shaped, UInt8

from modelprint.core.errors import DataError, first_line
from modelprint.core.untrusted import open_regular
from modelprint.modalities.image.preparing import AS_THEY_ARE, Preparation, UnreadableError, channels_of, prepared
from modelprint.modalities.image.storage import STORED, to_bytes

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM", "TIFF", "GIF", "AVIF")  # by content, whatever the suffix says
_PLUGINS = ("Png", "Jpeg", "Bmp", "WebP", "Ppm", "Tiff", "Gif", "Avif")  # Pillow's modules of these
_BEGINS = re.compile(rb"\x89PNG|\xff\xd8|BM|RIFF....WEBP|P[1-7fFy]|II[*+]|MM\0[*+]|GIF8|....ftyp", re.DOTALL)
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
MOST_PIXELS = 89_478_485  # of one picture: a quarter of a gigabyte of colour, as Pillow has it

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


def to_uint8_nchw(images: Shaped[np.ndarray, ...], *, who: str) -> UInt8[np.ndarray, "n c h w"]:
    """Images as uint8 (n, c, h, w), from uint8 or float in [0, 1], NHWC, NHW or NCHW.

    >>> to_uint8_nchw(np.ones((2, 4, 4, 3), np.float32), who="x").shape
    (2, 3, 4, 4)

    Raises:
        DataError: a float outside [0, 1], another type, no axis of 1 or 3 channels, or no pixels.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[-1] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(f"{who}: expected NHWC, NHW or NCHW images with 1 or 3 channels, got shape {images.shape}")
    if 0 in images.shape[1:]:
        raise DataError(f"{who}: images of no pixels, of shape {images.shape[1:]}: save them again")
    if images.dtype == STORED:
        return np.ascontiguousarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        way = ": divide 16-bit levels by 65535" if images.dtype == np.uint16 else ""
        raise DataError(f"{who}: expected uint8, or float in [0, 1], got {images.dtype}{way}")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"{who}: expected inputs in [0, 1], got min {low:.4g}, max {high:.4g}: divide by 255 first")
    return np.ascontiguousarray(to_bytes(images))


@dataclass(frozen=True, kw_only=True)
class Like:
    """The picture that others of a folder must be like.

    Attributes:
        shape: (channels, height, width), as it is stored.
        name: its path, for messages.
    """

    shape: tuple[int, ...]
    name: str


def read_picture(
    path: Path,
    *,
    name: str | None = None,
    like: Like | None = None,
    how: Preparation = AS_THEY_ARE,
) -> UInt8[np.ndarray, "c h w"]:
    """The image in a file, as `decoded` reads it.

    Args:
        name: the path as the user wrote it, for messages.

    Raises:
        UnreadableError: no file, or no image.
        DataError: of another size than `like`.
    """
    return decoded(lambda: open_regular(path), name=name or str(path), like=like, how=how)


def decoded(
    opened: Opener, *, name: str, like: Like | None = None, how: Preparation = AS_THEY_ARE
) -> UInt8[np.ndarray, "c h w"]:
    """The image in a stream, grey or RGB, of 8 bits; of several frames or pages, the first.

    The formats are those of `FORMATS`, by content: Pillow's readers of others may start programs (Ghostscript).

    Args:
        opened: opens the stream.
        name: of the picture, for messages.
        like: a picture of the same folder; another size is refused before anything is decoded.
        how: what is done with it.

    Raises:
        UnreadableError: no image, one of very many pixels, or of numbers that no rule makes levels of 8 bits.
        DataError: of another size than `like`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with opened() as stream, Image.open(stream, formats=_formats()) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UnreadableError(
                    f"{name} has {image.width} x {image.height} pixels, {MOST_PIXELS:,} may be: shrink it"
                )
            if like is not None and how.size is None and {image.height, image.width} != set(like.shape[1:]):
                raise _unlike((channels_of(image.mode), image.height, image.width), name, like)
            picture = prepared(image, how, name)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # of damaged files, Pillow raises nearly anything
        reason = _unknown(opened) if type(error) is UnidentifiedImageError else _reason(error)
        raise UnreadableError(f"{name} cannot be read as an image ({reason}): remove it or make it again") from error
    stored: np.ndarray = to_uint8_nchw(picture[None], who=name)[0]
    if like is not None and stored.shape != like.shape:
        raise _unlike(stored.shape, name, like)
    return stored


def begins_as_picture(opened: Opener) -> bool:
    """Whether a stream begins as a picture of one of `FORMATS`; it may be damaged all the same."""
    from PIL import Image

    try:
        with opened() as stream:
            if not _BEGINS.match(stream.read(12)):  # Pillow would try one reader after the other
                return False
            stream.seek(0)
            with Image.open(stream, formats=_formats()):
                return True
    except Exception:  # of what is no picture, Pillow raises nearly anything
        return False


@cache
def _formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow reads."""
    from PIL import Image

    for plugin in _PLUGINS:
        try:
            import_module(f"PIL.{plugin}ImagePlugin")
        except ImportError:  # AVIF, of older ones
            continue
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def _unlike(shape: tuple[int, ...], name: str, like: Like) -> DataError:
    sizes = f"{name} is {_as_picture(shape)} but {like.name} is {_as_picture(like.shape)}"
    if shape[1:] != like.shape[1:]:
        return DataError(
            f"{sizes}: bring all images to one size, or give --size (the side that your model takes, such as "
            "--size 224) and --crop center, pad or none"
        )
    return DataError(f"{sizes}: bring all images to one mode, or give --mode rgb or --mode gray")


def _as_picture(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(h, w), or (h, w, c) of colour."""
    return shape[1:] if shape[0] == 1 else (*shape[1:], shape[0])


def _unknown(opened: Opener) -> str:
    """Why a file is no picture that is read, of which not even the format is known to Pillow."""
    with opened() as stream:
        start = stream.read(12)
    if start[4:8] == b"ftyp" and start[8:12] in _HEIC:
        return "it is HEIC, as phones write it, which is not read: save it as JPEG or PNG"
    return f"it is none of {', '.join(FORMATS)}"


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
