"""One form for a weight, however a file lays it out and however its channels are scaled.

A form is (rows, columns, kernel): output channels, input channels, and the places that one pair of them shares: those
of a convolution's window, or, where a linear layer reads flattened feature maps, those of a map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Form = Float[Tensor, "rows columns kernel"]
Layout = Literal["torch", "keras", "tflite"]
LAYOUTS: tuple[Layout, ...] = ("torch", "keras", "tflite")
_ITERATIONS = 8


@dataclass(frozen=True, kw_only=True)
class Balanced:
    """A form whose rows and columns all have a root mean square of 1, and the factors that made it so.

    Attributes:
        form: as given, times both factors.
        rows, columns: positive; 1 where a row or column is all zero.
    """

    form: Form
    rows: Float[Tensor, " rows"]
    columns: Float[Tensor, " columns"]


def torch_shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """A weight's shape as torch lays it out: (outputs, inputs, window ...).

    Keras writes (window ..., inputs, outputs), TFLite (outputs, window ..., inputs); both have depthwise
    convolutions of one input for each output, with the channels where others have the inputs.

    >>> torch_shape((3, 3, 8, 16), "keras"), torch_shape((1, 3, 3, 8), "tflite"), torch_shape((10, 64), "tflite")
    ((16, 8, 3, 3), (8, 1, 3, 3), (10, 64))
    """
    order = _axes(shape, layout)
    return tuple(shape[axis] for axis in order)


def as_torch(weight: Tensor, layout: Layout) -> Tensor:
    """A weight as torch lays it out."""
    return weight.permute(_axes(tuple(weight.shape), layout))


def _axes(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    axes, last = tuple(range(len(shape))), len(shape) - 1
    if layout == "torch" or last < 1:
        return axes
    if layout == "keras":
        depthwise = last > 1 and shape[last] == 1 and shape[last - 1] > 1
        ends = (last - 1, last) if depthwise else (last, last - 1)
        return (*ends, *axes[: last - 1])
    depthwise = last > 1 and shape[0] == 1 and shape[last] > 1
    ends = (last, 0) if depthwise else (0, last)
    return (*ends, *axes[1:last])


def form_of(weight: Tensor, *, run: int, channels_last: bool) -> Form:
    """A weight in torch's layout as (rows, columns, kernel).

    Args:
        run: how many inputs of a linear layer belong to one channel, 1 unless it reads flattened feature maps.
        channels_last: whether flattened maps come place by place, as in Keras, and not channel by channel.

    >>> form_of(torch.zeros(10, 12), run=4, channels_last=False).shape
    torch.Size([10, 3, 4])
    """
    rows, inputs = weight.shape[:2]
    if run == 1:
        return weight.reshape(rows, inputs, -1)
    if channels_last:
        return weight.reshape(rows, run, inputs // run).transpose(1, 2)
    return weight.reshape(rows, inputs // run, run)


def balanced(form: Form) -> Balanced:
    """A form with rows and columns brought to a root mean square of 1 in turn, until both hold.

    What scales a channel, at its output or where it is read, cancels: BatchNorm folded or not, scales of quantised
    channels, and a positive factor moved from one layer to the next. R. Sinkhorn, P. Knopp, "Concerning Nonnegative
    Matrices and Doubly Stochastic Matrices", Pacific J. Math. 1967, on the squares. Rows and columns of zeros stay.

    >>> form = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(0)) + 0.1
    >>> scaled = form * torch.tensor([1.0, 2.0, 9.0]).view(3, 1, 1) * torch.tensor([5.0, 1.0, 2.0, 3.0]).view(1, 4, 1)
    >>> bool(torch.allclose(balanced(form).form, balanced(scaled).form, atol=1e-4))
    True
    """
    first_rows = _inverse(largest(form, axis=0))
    form = form * first_rows[:, None, None]
    first_columns = _inverse(largest(form, axis=1))
    form.mul_(first_columns[None, :, None])  # squares of far scales would underflow
    squares = form[:, :, 0].square() if form.shape[2] == 1 else form.square().mean(2)
    rows, columns = torch.ones(squares.shape[0]), torch.ones(squares.shape[1])
    for _ in range(_ITERATIONS):
        rows = _inverse(squares @ columns / squares.shape[1])
        columns = _inverse(rows @ squares / squares.shape[0])
    scale_rows, scale_columns = rows.sqrt(), columns.sqrt()
    return Balanced(
        form=form.mul_(scale_rows[:, None, None]).mul_(scale_columns[None, :, None]),
        rows=scale_rows * first_rows,
        columns=scale_columns * first_columns,
    )


def largest(form: Form, *, axis: int) -> Float[Tensor, " channels"]:
    """The largest absolute value of each row (axis 0) or column (axis 1).

    >>> largest(torch.tensor([[[1.0], [-3.0]], [[2.0], [0.0]]]), axis=1).tolist()
    [2.0, 3.0]
    """
    flat = form.flatten(1) if axis == 0 else form[:, :, 0] if form.shape[2] == 1 else form
    ends = torch.maximum(flat.amax(1 - axis), -flat.amin(1 - axis))  # no abs: a copy costs more than both
    return ends.amax(1) if ends.ndim > 1 else ends


def _inverse(values: Tensor) -> Tensor:
    return torch.where(values > 0, 1 / values.clamp_min(torch.finfo(values.dtype).tiny), torch.ones_like(values))


def by_channel(form: Form, axis: int) -> Float[Tensor, "channels n"]:
    """One row for each row (axis 0) or column (axis 1) of a form, of all its numbers."""
    return form.movedim(axis, 0).reshape(form.shape[axis], -1)


def dot(one: Tensor, other: Tensor) -> float:
    """The sum of products of all numbers."""
    return float(torch.dot(one.reshape(-1), other.reshape(-1)))
