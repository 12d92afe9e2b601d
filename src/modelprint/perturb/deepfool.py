"""DeepFool: the nearest decision boundary, as if the model were linear, step by step.

S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard, "DeepFool: a simple and accurate method to fool deep neural networks",
CVPR 2016, Algorithm 2.

Differs from the paper: all images of a batch walk at once, each until its label changes; the rows that are done are
left out of later passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from modelprint.perturb.evaluate import frozen


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The way across the nearest boundary.

    Attributes:
        shift: what to add to each input, overshoot included; unbounded, and not clipped to the space.
        crossed: whether the label changed, (n,).
        iterations: gradient steps taken, (n,).
    """

    shift: Float[Tensor, "n ..."]
    crossed: Bool[Tensor, " n"]
    iterations: Int[Tensor, " n"]


def deepfool(
    model: nn.Module,
    inputs: Float[Tensor, "n ..."],
    *,
    overshoot: float = 0.02,
    iterations: int = 50,
    rivals: int = 10,
) -> Crossing:
    """The smallest L2 change, to first order, that gives each input another label.

    Args:
        model: returns logits; asked in evaluation mode, and left as it was.
        overshoot: how far beyond the boundary, as a share of the way to it.
        iterations: at most this many steps for each input.
        rivals: how many classes are looked at: the label and the next ones by logit (the paper's code: 10).
    """
    shift = torch.zeros_like(inputs)
    crossed = torch.zeros(len(inputs), dtype=torch.bool, device=inputs.device)
    taken = torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
    with frozen(model):
        with torch.no_grad():
            order = model(inputs).argsort(1, descending=True)[:, :rivals]
        for _ in range(iterations):
            rows = torch.nonzero(~crossed)[:, 0]
            if not len(rows):
                break
            shift[rows] += _step(model, inputs[rows] + (1 + overshoot) * shift[rows], order[rows])
            taken[rows] += 1
            with torch.no_grad():
                labels = model(inputs[rows] + (1 + overshoot) * shift[rows]).argmax(1)
            crossed[rows] = labels != order[rows, 0]
    return Crossing(shift=(1 + overshoot) * shift, crossed=crossed, iterations=taken)


def _step(model: nn.Module, points: Float[Tensor, "n ..."], order: Int[Tensor, "n k"]) -> Float[Tensor, "n ..."]:
    """To the nearest of the linearised boundaries between the first class of each row and the others."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        logits = model(points).gather(1, order)
        last = order.shape[1] - 1
        gradients = torch.stack(
            [torch.autograd.grad(logits[:, k].sum(), points, retain_graph=k < last)[0] for k in range(last + 1)], 1
        )
    ways = gradients[:, 1:] - gradients[:, :1]  # w'_k, line 7
    gaps = (logits[:, 1:] - logits[:, :1]).detach().abs()  # |f'_k|, line 8
    lengths = ways.flatten(2).norm(dim=2).clamp(min=1e-12)
    nearest = (gaps / lengths).argmin(1)  # line 10
    row = torch.arange(len(points), device=points.device)
    way, length = ways[row, nearest], lengths[row, nearest]
    scale = (gaps[row, nearest] + 1e-6) / length.square()  # line 11; a hair more, lest a step be zero
    moved: Tensor = scale.reshape(-1, *[1] * (way.ndim - 1)) * way
    return moved
