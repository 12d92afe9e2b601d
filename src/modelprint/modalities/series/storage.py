"""Series as 16-bit integers, and the floats that models take."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int16, Shaped

from modelprint.core.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LEVELS = 2**15  # between 0 and the scale
STORED = np.dtype(np.int16)
POINTS = np.dtype(np.float32)


def scale_for(values: Shaped[np.ndarray, ...]) -> float:
    """The least power of two above every magnitude; steps of int16 are then exact in floats.

    >>> scale_for(np.array([-2.5, 1.0])), scale_for(np.array([0.3])), scale_for(np.zeros(3))
    (4.0, 0.5, 1.0)
    """
    largest = float(np.abs(values).max(initial=0.0))
    return 1.0 if largest == 0 else float(2.0 ** (math.floor(math.log2(largest)) + 1))


def spread_of(stored: Int16[np.ndarray, "n ..."], scale: float) -> float | None:
    """The standard deviation of the values, in units of the scale, to three digits; None where all are alike."""
    spread = float(stored.std(dtype=np.float64)) * scale / LEVELS
    return float(f"{spread:.3g}") if spread > 0 else None


def check_series(series: Shaped[np.ndarray, ...], scale: float) -> None:
    """Refuse what is neither int16 nor floats in [-scale, scale) of shape (n, channels, length).

    >>> check_series(np.full((1, 1, 4), 2.0, np.float32), 1.0)
    Traceback (most recent call last):
    modelprint.core.errors.DataError: expected series in [-1, 1), got min 2, max 2: scale them as the data were
    """
    if series.ndim != 3:
        raise DataError(f"expected series of shape (n, channels, length), got {series.shape}")
    if series.dtype == STORED or not series.size:
        return
    if not np.issubdtype(series.dtype, np.floating):
        raise DataError(f"expected int16 or float series, got {series.dtype}")
    low, high = float(series.min()), float(series.max())
    if not (low >= -scale and high <= scale):  # written so that NaN is refused, too; the bound itself is rounded down
        raise DataError(
            f"expected series in [-{scale:g}, {scale:g}), got min {low:.4g}, max {high:.4g}: scale them as the data "
            "were"
            if np.isfinite([low, high]).all()
            else f"expected series in [-{scale:g}, {scale:g}), got NaN or infinite values: look at how they are made"
        )


def to_model(
    series: np.ndarray | Tensor,
    scale: float,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "n channels length"]:
    """Integers as floats in [-scale, scale); floats stay what they are.

    >>> import torch
    >>> to_model(np.array([[[-16384, 8192]]], np.int16), 4.0)
    tensor([[[-2.,  1.]]])
    """
    import torch

    dtype = dtype or torch.float32
    given = torch.as_tensor(series) if device is None else torch.as_tensor(series).to(device)
    if given.ndim != 3:
        raise DataError(f"expected series of shape (n, channels, length), got {tuple(given.shape)}")
    if given.dtype == torch.int16:
        return given.to(dtype).mul_(scale / LEVELS)
    return given.to(dtype)


def to_stored(points: Float[Tensor, ...], scale: float) -> Int16[Tensor, ...]:
    """The nearest of 65,536 levels.

    >>> import torch
    >>> to_stored(torch.tensor([-1.0, 0.0, 0.5, 1.0]), 1.0).tolist()
    [-32768, 0, 16384, 32767]
    """
    import torch

    return points.mul(LEVELS / scale).round_().clamp_(-LEVELS, LEVELS - 1).to(torch.int16)


def as_points(series: Shaped[np.ndarray, ...], scale: float) -> Float[np.ndarray, ...]:
    """Integers as float32 in [-scale, scale); floats as float32."""
    if series.dtype == STORED:
        return series.astype(POINTS) * np.float32(scale / LEVELS)
    return np.ascontiguousarray(series, dtype=POINTS)


def rounded_series(values: Float[np.ndarray, ...], scale: float) -> Int16[np.ndarray, ...]:
    """Values in [-scale, scale] as they are stored.

    >>> rounded_series(np.array([0.5, -2.0, 2.0]), 2.0).tolist()
    [8192, -32768, 32767]

    Raises:
        DataError: NaN, or values outside.
    """
    if not np.isfinite(values).all():
        raise DataError("series hold NaN or infinite values: fill them, or leave these rows out")
    if (np.abs(values) > scale).any():
        raise DataError(f"series run from {values.min():.4g} to {values.max():.4g}, beyond the scale {scale:g}")
    levels: np.ndarray = np.rint(values * (LEVELS / scale)).clip(-LEVELS, LEVELS - 1).astype(STORED)
    return levels
