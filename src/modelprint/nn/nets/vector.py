"""Networks for the rows of a table: fully connected, with or without shortcuts; categories become one number each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelprint.modalities.vector.spec import VectorSpec
from modelprint.nn.architectures import Features, InputLayer, Net, architecture


class Unfolded(InputLayer):
    """Each category as a number of its own, 1 where it is meant; between two of them, shares of both.

    Columns of numbers come first, then the categories of each listed column: gradients lead from one to the next.
    """

    def __init__(self, inputs: VectorSpec) -> None:
        listed = [place for place, column in enumerate(inputs.columns) if column.categories is not None]
        self.listed = listed
        self.plain = [place for place in range(len(inputs.columns)) if place not in listed]
        self.levels = [inputs.columns[place].levels for place in listed]
        super().__init__(len(self.plain) + sum(self.levels))

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, features)."""
        parts = [inputs[:, self.plain]]
        for place, levels in zip(self.listed, self.levels, strict=True):
            at = inputs[:, place, None] * max(1, levels - 1)
            numbers = torch.arange(levels, dtype=inputs.dtype, device=inputs.device)
            parts.append((1 - (at - numbers).abs()).clamp_min(0))
        return torch.cat(parts, dim=1)


def _unfolded(inputs: VectorSpec) -> tuple[list[nn.Module], int]:
    """The first layer, where there are categories, and how many numbers there are behind it."""
    if all(column.categories is None for column in inputs.columns):
        return [], len(inputs.columns)
    layer = Unfolded(inputs)
    return [layer], layer.features


@architecture("vector-mlp", modality="vector")
def vector_mlp(*, inputs: VectorSpec, width: int = 128, depth: int = 2) -> nn.Module:
    """Fully connected layers with ReLU."""
    layers, size = _unfolded(inputs)
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.ReLU()]
        size = width
    return Net(Features(*layers), size, inputs.classes)


class Shortcut(nn.Module):
    """Two layers around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, width)."""
        hidden: Tensor = torch.relu(inputs + self.inner(inputs))
        return hidden


@architecture("vector-residual", modality="vector")
def vector_residual(*, inputs: VectorSpec, width: int = 64, blocks: int = 2) -> nn.Module:
    """A layer, then blocks of two layers with BatchNorm around shortcuts."""
    layers, size = _unfolded(inputs)
    layers += [nn.Linear(size, width), nn.ReLU(), *(Shortcut(width) for _ in range(blocks))]
    return Net(Features(*layers), width, inputs.classes)
