"""A model seen through what may happen to images on the way: the mean of its logits over transforms.

A. Athalye, L. Engstrom, A. Ilyas, K. Kwok, "Synthesizing Robust Adversarial Examples", ICML 2018 (expectation over
transformation). Where a transform has no gradient, that of the identity stands for it: A. Athalye, N. Carlini,
D. Wagner, "Obfuscated Gradients Give a False Sense of Security", ICML 2018 (BPDA).

Differs from the papers: few transforms of one strength, each taken whole, in place of draws from a distribution; the
image as it is among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from modelprint.core.errors import UsageError
from modelprint.perturb.transforms import TRANSFORMS, Transform, as_unit


def transforms_named(text: str) -> tuple[Transform, ...]:
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
    return tuple(TRANSFORMS[name]() for name in names)


class Expected(nn.Module):
    """The mean of a model's logits over an image and its transforms.

    Args:
        model: in evaluation mode; takes inputs in [0, 1], returns logits.
    """

    def __init__(self, model: nn.Module, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.model = model
        self.transforms = tuple(transforms)
        self.eval()

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Mean logits; gradients go back through every transform."""
        through: Callable[[Tensor, Transform], Tensor] = _Through.apply
        views = [images, *(through(images, transform) for transform in self.transforms)]
        return torch.stack([self.model(view) for view in views]).mean(0)


class Behind(nn.Module):
    """A model whose images pass a transform first; gradients go back through it.

    Args:
        model: in evaluation mode; takes inputs in [0, 1].
    """

    def __init__(self, model: nn.Module, transform: Transform) -> None:
        super().__init__()
        self.model = model
        self.transform = transform
        self.eval()

    def forward(self, images: Float[Tensor, "n c h w"]) -> Tensor:
        """What the model says of the transformed images."""
        through: Callable[[Tensor, Transform], Tensor] = _Through.apply
        told: Tensor = self.model(through(images, self.transform))
        return told


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, transform: Transform) -> Tensor:
        ctx.transform = transform
        return torch.from_numpy(transform(_array(images))).to(images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return torch.from_numpy(ctx.transform.back(_array(gradient))).to(gradient), None


def stable(
    model: nn.Module, images: np.ndarray, labels: np.ndarray, transforms: Sequence[Transform]
) -> Bool[np.ndarray, " n"]:
    """Where the model gives the label to the image behind every transform, too.

    Args:
        images: uint8, or floats in [0, 1].
        labels: those of the images as they are.
    """
    unit = as_unit(images)
    kept = np.ones(len(labels), dtype=bool)
    with torch.inference_mode():
        for transform in transforms:
            for part in np.array_split(np.arange(len(unit)), max(1, len(unit) // 512)):
                seen = torch.from_numpy(transform(unit[part])).to(next(model.parameters()).device)
                kept[part] &= model(seen).argmax(1).cpu().numpy() == labels[part]
    return kept


def _array(images: Tensor) -> np.ndarray:
    kept = torch.promote_types(images.dtype, torch.float32)
    return np.ascontiguousarray(images.detach().cpu().to(kept).numpy())
