"""Images brought to what a model was made for: size, channels, mean and spread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from modelprint.modalities.image.storage import LEVELS, to_bytes


def brought(images: UInt8[np.ndarray, "n c1 h1 w1"], shape: tuple[int, int, int]) -> UInt8[np.ndarray, "n c h w"]:
    """Images of another size (bilinear, antialiased) and another number of channels.

    Grey is the mean of colours, colour repeats grey.
    """
    import torch
    from torch.nn import functional

    channels, *sides = shape
    pixels = torch.from_numpy(images).float()
    if images.shape[2:] != tuple(sides):
        pixels = functional.interpolate(pixels, tuple(sides), mode="bilinear", antialias=True)
    if images.shape[1] != channels:
        pixels = pixels.mean(1, keepdim=True).expand(-1, channels, -1, -1)
    eight_bit: np.ndarray = pixels.round().clamp(0, LEVELS).to(torch.uint8).contiguous().numpy()
    return eight_bit


def stretched(
    images: UInt8[np.ndarray, "n c h w"], mean: Sequence[float], std: Sequence[float]
) -> UInt8[np.ndarray, "n c h w"]:
    """Images, each with that mean and spread in every channel (on the [0, 1] scale, before clipping to 8 bits)."""
    wanted_mean, wanted_std = (np.asarray(value, np.float32)[None, :, None, None] for value in (mean, std))
    unit = images.astype(np.float32) / LEVELS
    axes = (1, 2, 3)
    standard = (unit - unit.mean(axes, keepdims=True)) / unit.std(axes, keepdims=True).clip(0.02)
    return to_bytes(((standard * wanted_std) + wanted_mean).clip(0, 1))


def mean_and_spread(
    images: UInt8[np.ndarray, "n c h w"], *, block: int | None = None
) -> tuple[Float[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Mean and standard deviation of each channel on the [0, 1] scale.

    Args:
        block: so many images are looked at at a time, in double precision; all at once, in single, unless given.
    """
    flat = images.reshape(len(images), images.shape[1], -1)
    if block is None:
        unit = flat.astype(np.float32) / float(LEVELS)
        return unit.mean(axis=(0, 2)), unit.std(axis=(0, 2))
    total, squares = np.zeros((2, images.shape[1]))
    for start in range(0, len(images), block):
        part = flat[start : start + block].astype(np.float64) / float(LEVELS)
        total += part.sum(axis=(0, 2))
        squares += np.square(part).sum(axis=(0, 2))
    count = len(images) * flat.shape[2]
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))
