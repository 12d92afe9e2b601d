"""The weights among a model's tensors, in order, and one of them read into its form."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelprint.core.errors import ModelError, first_line
from modelprint.lineage.forms import Form, Layout, as_torch, form_of, torch_shape
from modelprint.lineage.tensors import Tensors

_STATISTIC = ".running_var"  # what a BatchNorm has, and no other layer


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A tensor that links channels to channels: of a convolution, a linear layer, an embedding.

    Attributes:
        shape: in torch's layout, (outputs, inputs, window ...).
        layout: of the file.
        norm: the tensor of factors of the BatchNorm that follows; None where there is none, or it was folded.
    """

    name: str
    shape: tuple[int, ...]
    layout: Layout
    norm: str | None = None

    @property
    def rows(self) -> int:
        """Output channels."""
        return self.shape[0]

    @property
    def inputs(self) -> int:
        """Input channels, times the places of a map where it reads flattened maps."""
        return self.shape[1]

    @property
    def window(self) -> int:
        """Places of a convolution's window; 1 for a linear layer."""
        return int(torch.Size(self.shape[2:]).numel())

    @property
    def numel(self) -> int:
        """How many numbers it holds."""
        return self.rows * self.inputs * self.window


class UnreadableError(ModelError):
    """A weight that cannot be compared: its numbers say nothing, or are none."""


def weights_of(tensors: Tensors, *, layout: Layout = "torch") -> tuple[Weight, ...]:
    """The weights in their order, each with the BatchNorm that follows it.

    A BatchNorm belongs to the nearest weight before it that has as many outputs and no BatchNorm yet; one whose name
    differs by letters of its last part only ("conv1" and "bn1") goes first.
    """
    shapes = tensors.shapes
    weights: list[Weight] = []
    for name, shape in shapes.items():
        if len(shape) >= 2 and all(shape):
            weights.append(Weight(name=name, shape=torch_shape(shape, layout), layout=layout))
        elif name.endswith(_STATISTIC):
            prefix = name.removesuffix(_STATISTIC)
            factors = prefix + ".weight"
            place = _normed(weights, prefix, shape)
            if place is not None and shapes.get(factors) == shape:
                old = weights[place]
                weights[place] = Weight(name=old.name, shape=old.shape, layout=layout, norm=factors)
    return tuple(weights)


def read_form(tensors: Tensors, weight: Weight, *, run: int) -> Form:
    """A weight as float32 (rows, columns, kernel), with the signs of its BatchNorm's factors.

    The sizes of the factors cancel when the form is balanced; a negative one turns its channel round.

    Raises:
        UnreadableError: complex or integer numbers, numbers that are not finite, or one number throughout.
        ModelError: the file cannot be read.
    """
    plain = as_torch(_numbers(tensors, weight.name), weight.layout)
    low, high = (float(end) for end in plain.aminmax())
    if not torch.isfinite(torch.tensor([low, high])).all():
        count = int((~torch.isfinite(plain)).sum())
        raise UnreadableError(f"{count} of its {plain.numel()} numbers are not finite")
    if low == high:
        raise UnreadableError(f"all its numbers are {low:g}")
    form = form_of(plain, run=run, channels_last=weight.layout != "torch")
    if weight.norm is not None:
        factors = _numbers(tensors, weight.norm)
        form = torch.where((factors < 0)[:, None, None], -form, form)
    return form


def _numbers(tensors: Tensors, name: str) -> Tensor:
    try:
        tensor = tensors.read(name)
    except ModelError as error:
        raise UnreadableError(first_line(error)) from error
    if not tensor.is_floating_point():
        kind = str(tensor.dtype).removeprefix("torch.")
        raise UnreadableError(f"it holds {kind} numbers" + ("" if tensor.is_complex() else " without a scale"))
    return tensor.float()


def _normed(weights: list[Weight], prefix: str, shape: tuple[int, ...]) -> int | None:
    fitting = [place for place, weight in enumerate(weights) if weight.norm is None and (weight.rows,) == shape]
    alike = [place for place in fitting if _numbered(weights[place].name.removesuffix(".weight")) == _numbered(prefix)]
    nearest = alike or fitting
    return nearest[-1] if nearest else None


def _numbered(name: str) -> tuple[str, str]:
    """The place of a module, and the digits in its last name."""
    parent, _, last = name.rpartition(".")
    return parent, "".join(character for character in last if character.isdigit())
