"""Images from files and from arrays of any layout, brought to what is stored."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from modelprint.core.errors import DataError
from modelprint.modalities.image.storage import STORED, to_bytes

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"})


def to_uint8_nchw(images: Shaped[np.ndarray, ...], *, who: str) -> UInt8[np.ndarray, "n c h w"]:
    """Images as uint8 (n, c, h, w), from uint8 or float in [0, 1], NHWC, NHW or NCHW.

    >>> to_uint8_nchw(np.ones((2, 4, 4, 3), np.float32), who="x").shape
    (2, 3, 4, 4)

    Raises:
        DataError: a float outside [0, 1], another type, or no axis of 1 or 3 channels.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[-1] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(f"{who}: expected NHWC, NHW or NCHW images with 1 or 3 channels, got shape {images.shape}")
    if images.dtype == STORED:
        return np.ascontiguousarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{who}: expected uint8, or float in [0, 1], got {images.dtype}")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"{who}: expected inputs in [0, 1], got min {low:.4g}, max {high:.4g}: divide by 255 first")
    return np.ascontiguousarray(to_bytes(images))


def read_picture(path: Path) -> UInt8[np.ndarray, "c h w"]:
    """The image in a file, grey or RGB.

    Raises:
        DataError: no image.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            grey = image.mode in ("1", "L", "I;16")
            picture = np.asarray(image.convert("L" if grey else "RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(f"{path} cannot be read as an image ({error}): remove it or make it again") from error
    stored: np.ndarray = to_uint8_nchw(picture[None], who=str(path))[0]
    return stored


@contextmanager
def small_enough() -> Iterator[None]:
    """Inside, a picture of very many pixels is an error, in every thread."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
