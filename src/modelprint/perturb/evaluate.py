"""Labels and input gradients of a source model, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

TargetLoss = Literal["cross-entropy", "logit"]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The way to a target class from each of n points.

    Attributes:
        labels: top-1 labels at the points, (n,).
        targets: the classes aimed at, (n,).
        sign: sign of the gradient of the loss towards the target, (n, c, h, w), in {-1, 0, 1}.
    """

    labels: Int[Tensor, " n"]
    targets: Int[Tensor, " n"]
    sign: Float[Tensor, "n c h w"]


class Evaluator:
    """Asks a model for labels and gradients, and counts both.

    Args:
        model: in evaluation mode; takes inputs in [0, 1].
        loss: "cross-entropy" of the target, or "logit" (minus the target's logit).
        eight_bit: whether points are rounded to 8 bits before the model sees them.

    Attributes:
        forwards, backwards: evaluations performed, in images.
    """

    def __init__(self, model: nn.Module, *, loss: TargetLoss = "cross-entropy", eight_bit: bool = False) -> None:
        self.model = model
        self.loss = loss
        self.eight_bit = eight_bit
        self.forwards = 0
        self.backwards = 0

    def seen(self, points: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The points as the model sees them."""
        return points.mul(255.0).round_().div_(255.0) if self.eight_bit else points

    @torch.inference_mode()
    def labels(self, points: Float[Tensor, "n c h w"]) -> Int[Tensor, " n"]:
        """Top-1 labels."""
        self.forwards += len(points)
        labels: Tensor = self.model(self.seen(points)).argmax(1)
        return labels

    def aim(
        self, points: Float[Tensor, "n c h w"], choose: Tensor | Callable[[Int[Tensor, " n"]], Int[Tensor, " n"]]
    ) -> Aim:
        """Labels and gradient signs towards targets, which may be chosen once the labels are known."""
        self.forwards += len(points)
        self.backwards += len(points)
        with torch.enable_grad():
            inputs = self.seen(points).detach().requires_grad_()
            logits = self.model(inputs)
            labels = logits.detach().argmax(1)
            targets = choose if isinstance(choose, Tensor) else choose(labels)
            value = (
                functional.cross_entropy(logits, targets, reduction="sum")
                if self.loss == "cross-entropy"
                else -logits.gather(1, targets[:, None]).sum()
            )
            (gradient,) = torch.autograd.grad(value, inputs)
        return Aim(labels=labels, targets=targets, sign=gradient.sign_())


@contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """The model in evaluation mode, without gradients of its parameters; both as before afterwards."""
    training = model.training
    moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in moving:
        parameter.requires_grad_(False)
    try:
        yield model
    finally:
        model.train(training)
        for parameter in moving:
            parameter.requires_grad_(True)
