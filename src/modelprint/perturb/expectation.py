"""A model seen through what may happen to inputs on the way: the mean of its logits over transforms.

A. Athalye, L. Engstrom, A. Ilyas, K. Kwok, "Synthesizing Robust Adversarial Examples", ICML 2018 (expectation over
transformation). Where a transform has no gradient, that of the identity stands for it: A. Athalye, N. Carlini,
D. Wagner, "Obfuscated Gradients Give a False Sense of Security", ICML 2018 (BPDA).

Differs from the papers: few transforms of one strength, each taken whole, in place of draws from a distribution; the
input as it is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from modelprint.core.errors import UsageError
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.transform import Transform


def transforms_named(text: str, modality: Modality = IMAGE) -> tuple[Transform, ...]:
    """The transforms of a list of names with commas between them, with their usual strengths.

    >>> transforms_named("jpeg, resize")
    (Jpeg(quality=30), Resize(scale=1.1428571428571428))

    Raises:
        UsageError: there is none of that name, or one is named twice.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"transform {twice[0]!r} is named twice")
    return tuple(modality.transforms[name]() for name in names)


class Expected(nn.Module):
    """The mean of a model's logits over an input and its transforms.

    Args:
        model: in evaluation mode; returns logits.
    """

    def __init__(self, model: nn.Module, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.model = model
        self.transforms = tuple(transforms)
        self.eval()

    def forward(self, points: Float[Tensor, "n ..."]) -> Float[Tensor, "n classes"]:
        """Mean logits; gradients go back through every transform."""
        through: Callable[[Tensor, Transform], Tensor] = _Through.apply
        views = [points, *(through(points, transform) for transform in self.transforms)]
        return torch.stack([self.model(view) for view in views]).mean(0)


class Behind(nn.Module):
    """A model whose inputs pass a transform first; gradients go back through it.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: nn.Module, transform: Transform) -> None:
        super().__init__()
        self.model = model
        self.transform = transform
        self.eval()

    def forward(self, points: Float[Tensor, "n ..."]) -> Tensor:
        """What the model says of the transformed inputs."""
        through: Callable[[Tensor, Transform], Tensor] = _Through.apply
        logits: Tensor = self.model(through(points, self.transform))
        return logits


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, transform: Transform) -> Tensor:
        ctx.transform = transform
        return torch.from_numpy(transform(_array(points))).to(points)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.transform.back(_array(gradient))).to(gradient), None


def stable(
    model: nn.Module,
    inputs: np.ndarray,
    labels: np.ndarray,
    transforms: Sequence[Transform],
    *,
    modality: Modality = IMAGE,
) -> Bool[np.ndarray, " n"]:
    """Where the model gives the label to the input behind every transform, too.

    Args:
        inputs: as they are stored, or as models take them.
        labels: those of the inputs as they are.
    """
    points = modality.as_points(inputs)
    kept = np.ones(len(labels), dtype=bool)
    with torch.inference_mode():
        for transform in transforms:
            for part in np.array_split(np.arange(len(points)), max(1, len(points) // 512)):
                seen = torch.from_numpy(transform(points[part])).to(next(model.parameters()).device)
                kept[part] &= model(seen).argmax(1).cpu().numpy() == labels[part]
    return kept


def _array(points: Tensor) -> np.ndarray:
    kept = torch.promote_types(points.dtype, torch.float32)
    return np.ascontiguousarray(points.detach().cpu().to(kept).numpy())
