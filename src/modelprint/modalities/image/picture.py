"""Images as files and as what a report shows."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num, UInt8

from modelprint.core.errors import FingerprintError
from modelprint.modalities.image.storage import to_bytes

if TYPE_CHECKING:
    from PIL import Image

LARGEST_SIDE = 96  # pixels of a picture in a report


def png(image: UInt8[np.ndarray, "c h w"]) -> bytes:
    """One 8-bit image of 1 or 3 channels as PNG, lossless.

    Raises:
        FingerprintError: another number of channels.
    """
    if image.shape[0] not in (1, 3):
        raise FingerprintError(f"PNG holds 1 or 3 channels, the queries have {image.shape[0]}")
    stream = io.BytesIO()
    pil(image).save(stream, format="PNG")
    return stream.getvalue()


def png_uri(image: Num[np.ndarray, "c h w"]) -> str:
    """An image, 8-bit or in [0, 1], as a PNG's data URI; shrunk where a side is longer than 96 pixels.

    Channels other than one or three are averaged.
    """
    pixels = image if image.dtype == np.uint8 else to_bytes(np.clip(image, 0, 1))
    picture = pil(pixels if len(pixels) in (1, 3) else pixels.mean(0, keepdims=True).astype(np.uint8))
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def pil(pixels: UInt8[np.ndarray, "c h w"]) -> Image.Image:
    """Pillow's image of 1 or 3 channels."""
    from PIL import Image

    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
