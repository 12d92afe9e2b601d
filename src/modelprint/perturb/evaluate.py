"""Labels and input gradients of a source model, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.batches import GRADIENT_VALUES, images_at_once

TargetLoss = Literal["cross-entropy", "logit"]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The way to a target class from each of n points.

    Attributes:
        labels: top-1 labels at the points, (n,).
        sign: sign of the gradient of the loss towards the target, (n, c, h, w), in {-1, 0, 1}.
    """

    labels: Int[np.ndarray, " n"]
    sign: Float[Tensor, "n c h w"]


class Evaluator:
    """Asks a model for labels and gradients, and counts both.

    Args:
        model: in evaluation mode; takes inputs in [0, 1].
        loss: "cross-entropy" of the target, or "logit" (minus the target's logit).

    Attributes:
        forwards, backwards: evaluations performed, in images.
    """

    def __init__(self, model: nn.Module, *, loss: TargetLoss = "cross-entropy") -> None:
        self.model = model
        self.loss = loss
        self.forwards = 0
        self.backwards = 0

    @torch.inference_mode()
    def labels(self, points: Float[Tensor, "n c h w"]) -> Int[np.ndarray, " n"]:
        """Top-1 labels."""
        self.forwards += len(points)
        step = images_at_once(points.shape[1:], most=max(1, len(points)))
        labels: np.ndarray = torch.cat([self.model(part).argmax(1) for part in torch.split(points, step)]).cpu().numpy()
        return labels

    def aim(
        self,
        points: Float[Tensor, "n c h w"],
        choose: Callable[[slice, Int[np.ndarray, " k"]], Int[np.ndarray, " k"]],
    ) -> Aim:
        """Labels, and gradient signs towards the targets that are chosen once the labels are known.

        Args:
            choose: gets which of the points, and their labels; the targets of these. Large images go a few at a time.
        """
        self.forwards += len(points)
        self.backwards += len(points)
        step = images_at_once(points.shape[1:], most=max(1, len(points)), values=GRADIENT_VALUES)
        parts = [slice(start, start + step) for start in range(0, len(points), step)]
        aims = [self._aim(points[part], partial(choose, part)) for part in parts]
        if len(aims) == 1:
            return aims[0]
        return Aim(labels=np.concatenate([aim.labels for aim in aims]), sign=torch.cat([aim.sign for aim in aims]))

    def _aim(
        self, points: Float[Tensor, "n c h w"], choose: Callable[[Int[np.ndarray, " n"]], Int[np.ndarray, " n"]]
    ) -> Aim:
        with torch.enable_grad():
            inputs = points.detach().requires_grad_()
            logits = self.model(inputs)
            labels = logits.detach().argmax(1).cpu().numpy()
            targets = torch.from_numpy(choose(labels)).to(logits.device)
            value = (
                functional.cross_entropy(logits, targets, reduction="sum")
                if self.loss == "cross-entropy"
                else -logits.gather(1, targets[:, None]).sum()
            )
            (gradient,) = torch.autograd.grad(value, inputs)
        return Aim(labels=labels, sign=gradient.sign_())


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
