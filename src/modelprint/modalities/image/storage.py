"""8-bit images, and the floats in [0, 1] that models take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from modelprint.core.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEVELS = 255  # of a pixel, above 0
STORED = np.dtype(np.uint8)
POINTS = np.dtype(np.float32)


def check_images(images: np.ndarray) -> None:
    """Refuse images that are not (n, c, h, w) in 8 bits or in [0, 1].

    >>> check_images(np.full((1, 1, 2, 2), 255.0, np.float32))
    Traceback (most recent call last):
    modelprint.core.errors.DataError: expected inputs in [0, 1], got min 255, max 255: divide by 255 or pass uint8
    """
    if images.ndim != 4:
        raise DataError(f"expected images of shape (n, channels, height, width), got {images.shape}")
    if images.dtype == STORED or not images.size:
        return
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"expected uint8 or float images, got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0.0 and high <= 1.0):  # written so that NaN is refused, too
        raise DataError(
            f"expected inputs in [0, 1], got min {low:.4g}, max {high:.4g}: divide by 255 or pass uint8"
            if np.isfinite([low, high]).all()
            else "expected inputs in [0, 1], got NaN or infinite values: look at how the images are made"
        )


def to_model(
    images: np.ndarray | Tensor, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> Float[Tensor, "n c h w"]:
    """8-bit images as floats in [0, 1], as exact as the type is; floats stay what they are.

    They lie channels last in memory. Bytes are moved to the device before they become floats.

    >>> import torch
    >>> to_model(np.array([[[[51]]]], np.uint8), dtype=torch.float64)
    tensor([[[[0.2000]]]], dtype=torch.float64)
    """
    import torch

    dtype = dtype or torch.float32
    given = torch.as_tensor(images) if device is None else torch.as_tensor(images).to(device)
    if given.ndim != 4:
        raise DataError(f"expected images of shape (n, channels, height, width), got {tuple(given.shape)}")
    if given.dtype == torch.uint8:
        return given.to(dtype).div_(LEVELS).contiguous(memory_format=torch.channels_last)
    # Not `contiguous`: strides of an axis of length 1 choose the kernel, and with it the last bits of outputs.
    return given.to(dtype, memory_format=torch.channels_last)


def to_stored(points: Float[Tensor, ...]) -> UInt8[Tensor, ...]:
    """Images in [0, 1] as 8-bit images.

    >>> import torch
    >>> to_stored(torch.tensor([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    """
    import torch

    return points.mul(float(LEVELS)).round_().to(torch.uint8)


def as_unit(images: Shaped[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
    """8-bit images as float32 in [0, 1]; floats as float32.

    >>> as_unit(np.array([[[[255]]]], np.uint8)).item()
    1.0
    """
    if images.dtype == STORED:
        return images.astype(POINTS) / np.float32(LEVELS)
    return np.ascontiguousarray(images, dtype=POINTS)


def to_bytes(images: Shaped[np.ndarray, ...]) -> UInt8[np.ndarray, ...]:
    """Floats in [0, 1] rounded to 8 bits; 8-bit images stay what they are."""
    return images if images.dtype == STORED else np.rint(images * float(LEVELS)).astype(STORED)
