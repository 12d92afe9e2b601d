"""Adam on the coordinates of inputs, each input on its own, as it will be stored.

D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1.

The loss sees inputs as they will be stored, its gradient passes the rounding as if there were none, so that what ends
as a stored input is what was optimised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from modelprint.core.unfinished import NOT_KEPT, LoopState
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE

Loss = Callable[[Float[Tensor, "k ..."], Int[Tensor, " k"]], Float[Tensor, " k"]]
_BETAS, _TINY = (0.9, 0.999), 1e-8


@dataclass(frozen=True, kw_only=True)
class Descent:
    """Where it ended.

    Attributes:
        stored: (n, ...), rounded.
        losses: of these, (n,).
        steps: how many each input took, (n,).
    """

    stored: Shaped[Tensor, "n ..."]
    losses: Float[Tensor, " n"]
    steps: Int[Tensor, " n"]


def descend(
    inputs: Float[Tensor, "n ..."],
    loss: Loss,
    *,
    steps: int,
    rate: float,
    epsilon: float | None = None,
    until: float | None = None,
    modality: Modality = IMAGE,
    loop: LoopState = NOT_KEPT,
) -> Descent:
    """Stored inputs of low loss.

    Args:
        inputs: stored ones as points, of the precision in which to walk.
        loss: of k inputs as stored, and their numbers among the n; one value for each, on its own.
        steps: at most.
        rate: Adam's, on the scale of points.
        epsilon: the largest change of a coordinate, taken down to whole steps; none bounds nothing.
        until: an input stops where its loss is as low as this.
        modality: of the inputs.
        loop: where its state is kept; nowhere unless given.
    """
    points = inputs.detach().clone()
    low, high = _bounds(inputs, epsilon, modality)
    mean, square = torch.zeros_like(points), torch.zeros_like(points)
    losses = torch.full((len(points),), torch.inf).to(points)
    taken = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    going = torch.arange(len(points), device=points.device)
    first = 1
    begun = loop.latest()
    if begun is not None:
        points, mean, square, losses, taken, going = (
            torch.from_numpy(begun[name].copy()).to(points.device)
            for name in ("points", "mean", "square", "losses", "taken", "going")
        )
        first = int(begun["step"])

    def state() -> dict[str, np.ndarray]:
        tensors = {"points": points, "mean": mean, "square": square, "losses": losses, "taken": taken, "going": going}
        return {**{name: value.cpu().numpy().copy() for name, value in tensors.items()}, "step": np.array(step + 1)}

    for step in range(first, steps + 2):  # the last round only looks
        values, gradient = _ascent(points[going], going, loss, modality)
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
        loop.offer(state)
    return Descent(stored=modality.to_stored(points), losses=losses, steps=taken)


def _ascent(points: Tensor, rows: Tensor, loss: Loss, modality: Modality) -> tuple[Tensor, Tensor]:
    """The losses of points as stored, and the gradient of each at its point."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        values = loss(points + (modality.rounded(points.detach()) - points.detach()), rows)
        (gradient,) = torch.autograd.grad(values.sum(), points)
    return values.detach(), gradient


def _bounds(inputs: Tensor, epsilon: float | None, modality: Modality) -> tuple[Tensor, Tensor]:
    """The least and largest value of each coordinate, such that rounding leaves none."""
    if epsilon is None:
        return torch.full_like(inputs, modality.box.low), torch.full_like(inputs, modality.box.high)
    return modality.within(inputs, epsilon)
