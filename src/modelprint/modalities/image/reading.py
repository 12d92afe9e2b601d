"""Images from files and from arrays of any layout, brought to what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Shaped, UInt8

from modelprint.core.errors import DataError, first_line
from modelprint.core.untrusted import open_regular
from modelprint.modalities.image.storage import STORED, to_bytes

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"})
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "PPM")  # by content, whatever the suffix says
MOST_PIXELS = 89_478_485  # of one picture: a quarter of a gigabyte of colour, as Pillow has it
_DEEPEST, _STEP = 65535, 257  # of 16 bits: the largest number; how many of its steps are one of 8 bits


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
        raise DataError(f"{who}: expected uint8, or float in [0, 1], got {images.dtype}")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"{who}: expected inputs in [0, 1], got min {low:.4g}, max {high:.4g}: divide by 255 first")
    return np.ascontiguousarray(to_bytes(images))


@dataclass(frozen=True, kw_only=True)
class Like:
    """The picture that others of a folder must be like.

    Attributes:
        shape: (channels, height, width).
        name: its path, for messages.
    """

    shape: tuple[int, ...]
    name: str


def read_picture(path: Path, *, name: str | None = None, like: Like | None = None) -> UInt8[np.ndarray, "c h w"]:
    """The image in a file, grey or RGB, of 8 bits; those of 16 bits are divided by 257.

    The formats are those of `FORMATS`, by content: Pillow's readers of others may start programs (Ghostscript).

    Args:
        name: the path as the user wrote it, for messages.
        like: a picture of the same folder; another size is refused before anything is decoded.

    Raises:
        DataError: no image, one of very many pixels, floats, or of another size than `like`.
    """
    from PIL import Image, UnidentifiedImageError

    name = name or str(path)
    try:
        with open_regular(path) as stream, Image.open(stream, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{name} has {image.width} x {image.height} pixels, {MOST_PIXELS:,} may be: shrink it")
            if like is not None and (image.height, image.width) != like.shape[1:]:
                raise _unlike((_channels(image.mode), image.height, image.width), name, like)
            picture = _levels(image, name)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # of damaged files, Pillow raises nearly anything
        reason = f"it is none of {', '.join(FORMATS)}" if type(error) is UnidentifiedImageError else _reason(error)
        raise DataError(f"{name} cannot be read as an image ({reason}): remove it or make it again") from error
    stored: np.ndarray = to_uint8_nchw(picture[None], who=name)[0]
    if like is not None and stored.shape != like.shape:
        raise _unlike(stored.shape, name, like)
    return stored


def _levels(image: Image.Image, name: str) -> UInt8[np.ndarray, ...]:
    """What an open picture shows, (h, w) grey or (h, w, 3)."""
    if image.mode == "F":
        raise DataError(f"{name} holds floating-point numbers: save it as a PNG of 8 or 16 bits")
    if image.mode.startswith("I"):
        deep = np.asarray(image)
        if deep.min(initial=0) < 0 or deep.max(initial=0) > _DEEPEST:
            raise DataError(f"{name} holds numbers of more than 16 bits: save it as a PNG of 8 or 16 bits")
        return ((deep.astype(np.int64) + _STEP // 2) // _STEP).astype(STORED)
    return np.asarray(image.convert("L" if _channels(image.mode) == 1 else "RGB"))


def _channels(mode: str) -> int:
    return 1 if mode in ("1", "L") or mode.startswith(("I", "F")) else 3


def _unlike(shape: tuple[int, ...], name: str, like: Like) -> DataError:
    return DataError(
        f"{name} is {_as_picture(shape)} but {like.name} is {_as_picture(like.shape)}: "
        "bring all images to one size and mode"
    )


def _as_picture(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(h, w), or (h, w, c) of colour."""
    return shape[1:] if shape[0] == 1 else (*shape[1:], shape[0])


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
