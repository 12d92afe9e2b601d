"""Adam on the pixels of images, each image on its own, as it will be stored.

D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1.

The loss sees images rounded to 8 bits, its gradient passes the rounding as if there were none, so that what ends as
a stored image is what was optimised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from modelprint.perturb.uap import rounded

Loss = Callable[[Float[Tensor, "k c h w"], Int[Tensor, " k"]], Float[Tensor, " k"]]
_BETAS, _TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True, kw_only=True)
class Descent:
    """Where it ended.

    Attributes:
        images: 8-bit, (n, c, h, w).
        losses: of these images, (n,).
        steps: how many each image took, (n,).
    """

    images: UInt8[Tensor, "n c h w"]
    losses: Float[Tensor, " n"]
    steps: Int[Tensor, " n"]


def descend(
    inputs: Float[Tensor, "n c h w"],
    loss: Loss,
    *,
    steps: int,
    rate: float,
    epsilon: float | None = None,
    until: float | None = None,
) -> Descent:
    """8-bit images of low loss, inside [0, 1].

    Args:
        inputs: 8-bit images as floats in [0, 1], of the precision in which to walk.
        loss: of k images as stored, and their numbers among the n; one value for each, on its own.
        steps: at most.
        rate: Adam's, on the [0, 1] scale.
        epsilon: the largest change of a pixel, taken down to whole 8-bit levels; none bounds nothing.
        until: an image stops where its loss is as low as this.
    """
    points = inputs.detach().clone()
    low, high = _bounds(inputs, epsilon)
    mean, square = torch.zeros_like(points), torch.zeros_like(points)
    losses = torch.full((len(points),), torch.inf).to(points)
    taken = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    going = torch.arange(len(points), device=points.device)
    for step in range(1, steps + 2):  # the last round only looks
        values, gradient = _ascent(points[going], going, loss)
        losses[going] = values
        if until is not None:
            still = values > until
            going, gradient = going[still], gradient[still]
        if not len(going) or step > steps:
            break
        mean[going] = _BETAS[0] * mean[going] + (1 - _BETAS[0]) * gradient
        square[going] = _BETAS[1] * square[going] + (1 - _BETAS[1]) * gradient**2
        size = rate / (1 - _BETAS[0] ** step)
        root = (square[going] / (1 - _BETAS[1] ** step)).sqrt_().add_(_TINY)
        moved = points[going] - size * mean[going] / root
        points[going] = torch.minimum(torch.maximum(moved, low[going]), high[going])
        taken[going] += 1
    return Descent(images=rounded(points), losses=losses, steps=taken)


def _ascent(points: Tensor, rows: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """The losses of points as stored, and the gradient of each at its point."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        values = loss(points + (points.detach().mul(255.0).round_().div_(255.0) - points.detach()), rows)
        (gradient,) = torch.autograd.grad(values.sum(), points)
    return values.detach(), gradient


def _bounds(inputs: Tensor, epsilon: float | None) -> tuple[Tensor, Tensor]:
    """The least and largest value of each pixel, on whole 8-bit levels, so that rounding leaves none."""
    if epsilon is None:
        return torch.zeros_like(inputs), torch.ones_like(inputs)
    levels = int(epsilon * 255 + 1e-6)
    stored = inputs.mul(255.0).round_()
    return (stored - levels).clamp_(min=0).div_(255.0), (stored + levels).clamp_(max=255).div_(255.0)
