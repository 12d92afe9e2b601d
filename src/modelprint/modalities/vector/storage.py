"""Vectors in memory: steps above the least value of each column where stored, floats in [0, 1] for models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int32

from modelprint.core.errors import DataError
from modelprint.modalities.vector.spec import Column

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STORED = np.dtype(np.int32)
POINTS = np.dtype(np.float32)


def spans(columns: Sequence[Column]) -> Float[np.ndarray, " columns"]:
    """Steps from the least value of each column to the largest; half a step where there is one value only.

    So every point of such a column is rounded to that value.

    >>> spans([Column(name="a", levels=11), Column(name="b", levels=1)]).tolist()
    [10.0, 0.5]
    """
    return np.array([max(0.5, column.levels - 1) for column in columns], dtype=np.float64)


def as_points(inputs: np.ndarray, span: np.ndarray) -> Float[np.ndarray, "n columns"]:
    """Float32 in [0, 1]; floats are points already."""
    if inputs.dtype.kind == "f":
        return np.ascontiguousarray(inputs, dtype=POINTS)
    points: np.ndarray = (inputs / span).astype(POINTS)
    return points


def as_levels(inputs: np.ndarray, span: np.ndarray) -> Int32[np.ndarray, "n columns"]:
    """The nearest levels of points; integers are levels already."""
    if inputs.dtype.kind != "f":
        return np.ascontiguousarray(inputs, dtype=STORED)
    levels: np.ndarray = np.rint(inputs.astype(np.float64) * span).astype(STORED)
    return levels


def to_model(
    inputs: np.ndarray | Tensor, span: np.ndarray, *, device: torch.device | str | None, dtype: torch.dtype | None
) -> Float[Tensor, "n columns"]:
    """Points on a device, in a precision: float32 unless named."""
    import torch

    tensor = torch.as_tensor(inputs)
    wanted = dtype or torch.float32
    if tensor.is_floating_point():
        return tensor.to(device=device, dtype=wanted)
    divided = tensor.to(device=device, dtype=torch.float64 if tensor.device.type != "mps" else torch.float32)
    return (divided / torch.as_tensor(span, dtype=divided.dtype, device=divided.device)).to(wanted)


def to_stored(points: Tensor, span: np.ndarray) -> Int32[Tensor, "n columns"]:
    """The nearest levels of points, which must lie in [0, 1]."""
    import torch

    steps = torch.as_tensor(span, dtype=torch.float64, device=points.device)
    return (points.double() * steps).round().to(torch.int32)


def check_vectors(inputs: np.ndarray, columns: Sequence[Column]) -> None:
    """Refuse what is neither levels of these columns nor points.

    Raises:
        DataError: another type or number of columns, NaN, or a cell beyond its column.
    """
    if inputs.ndim != 2 or (columns and inputs.shape[1] != len(columns)) or inputs.dtype.kind not in "if":
        wanted = len(columns) or "columns"
        raise DataError(f"expected vectors (n, {wanted}) of int32 or floats, got {inputs.dtype} {inputs.shape}")
    most = np.ones(inputs.shape[1])
    if inputs.dtype.kind == "i" and columns:
        most = np.array([column.levels - 1 for column in columns])
    elif inputs.dtype.kind == "i":
        most = np.full(inputs.shape[1], np.inf)
    beyond = ~((inputs >= 0) & (inputs <= most))  # NaN is beyond
    if beyond.any():
        row, place = (int(value) for value in np.argwhere(beyond)[0])
        name = columns[place].name if columns else f"number {place + 1}"
        raise DataError(
            f"vector {row}, column {name}: {inputs[row, place]} is beyond 0 to {most[place]:g}: cells are counted in "
            "steps from the least value of their column, or lie in [0, 1]"
        )
