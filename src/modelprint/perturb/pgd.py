"""L-infinity projected gradient steps, written once.

A. Madry, A. Makelov, L. Schmidt, D. Tsipras, A. Vladu, "Towards Deep Learning Models Resistant to Adversarial Attacks",
ICLR 2018, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from modelprint.modalities.image import IMAGE
from modelprint.modalities.space import Box
from modelprint.perturb.evaluate import frozen


def pgd(
    model: nn.Module,
    inputs: Float[Tensor, "n ..."],
    labels: Tensor,
    *,
    epsilon: float,
    steps: int,
    step_size: float | None = None,
    generator: torch.Generator | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    space: Box = IMAGE.space,
) -> Float[Tensor, "n ..."]:
    """Points of the space within epsilon of the inputs at which the loss is high.

    The model is asked in evaluation mode and without gradients of its parameters; both are as before afterwards.

    Args:
        labels: what the loss compares logits with; class numbers for the default, summed cross-entropy.
        epsilon: the largest change of a coordinate.
        step_size: 2.5 epsilon / steps unless given, as in the paper's experiments.
        generator: draws a random start in the ball; the inputs themselves are the start without it.
        loss: of logits and labels, to be ascended; negate it to aim at a target.
        space: where the inputs lie.
    """
    size = 2.5 * epsilon / max(steps, 1) if step_size is None else step_size
    ascend = loss or (lambda logits, target: functional.cross_entropy(logits, target, reduction="sum"))
    points = inputs.detach().clone()
    if generator is not None:
        noise = torch.rand(points.shape, generator=generator).to(points) * 2 - 1
        points = space.clip(points + epsilon * noise)
    with frozen(model), torch.enable_grad():
        for _ in range(steps):
            points.requires_grad_()
            (gradient,) = torch.autograd.grad(ascend(model(points), labels), points)
            moved = points.detach() + size * gradient.sign()
            points = space.clip(torch.max(torch.min(moved, inputs + epsilon), inputs - epsilon))
    return points.detach()
