"""Labels, logits and input gradients of a source model, counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.batches import GRADIENT_VALUES
from modelprint.core.devices import in_parts, inputs_at_once

TargetLoss = Literal["cross-entropy", "logit"]
SPARING_VALUES = 2**18  # numbers of one pass: one image of 3 x 224 x 224, 85 of 3 x 32 x 32
GRADIENT_PASSES = 4.0  # memory of a forward and backward pass relative to a forward pass alone
WHO = "the source model"
Choose = Callable[[slice, Float[np.ndarray, "k classes"]], Int[np.ndarray, " k"]]


@dataclass(frozen=True, kw_only=True)
class Aim:
    """The way to a target class from each of n points.

    Attributes:
        labels: top-1 labels at the points, (n,).
        logits: of the points, (n, classes).
        sign: sign of the gradient of the loss towards the target, in {-1, 0, 1}; 0 where none was wanted.
    """

    labels: Int[np.ndarray, " n"]
    logits: Float[np.ndarray, "n classes"]
    sign: Float[Tensor, "n ..."]


class Evaluator:
    """Asks a model for labels and gradients, and counts both.

    Args:
        model: in evaluation mode.
        loss: "cross-entropy" of the target, or "logit" (minus the target's logit).
        sparing: large images go one by one on the CPU, so that no gradient is computed that nobody wants.

    Attributes:
        forwards, backwards: evaluations performed, in points.
    """

    def __init__(self, model: nn.Module, *, loss: TargetLoss = "cross-entropy", sparing: bool = False) -> None:
        self.model = model
        self.loss = loss
        self.values = SPARING_VALUES if sparing else GRADIENT_VALUES
        self.forwards = 0
        self.backwards = 0

    @torch.inference_mode()
    def labels(self, points: Float[Tensor, "n ..."]) -> Int[np.ndarray, " n"]:
        """Top-1 labels."""
        self.forwards += len(points)
        size = inputs_at_once(points.shape[1:], device=points.device, most=max(1, len(points)))

        def ask(part: slice) -> Tensor:
            top: Tensor = self.model(points[part]).argmax(1)
            return top

        parts = in_parts(ask, len(points), size=size, who=WHO) if len(points) else [ask(slice(0, 0))]
        labels: np.ndarray = torch.cat(parts).cpu().numpy()
        return labels

    def aim(
        self,
        points: Float[Tensor, "n ..."],
        choose: Choose,
    ) -> Aim:
        """Labels, logits, and gradient signs towards the targets that are chosen once the logits are known.

        Args:
            choose: gets which of the points, and their logits; gives the targets of these, -1 where no gradient is
                wanted. Large images go a few at a time; where none of these wants one, none is computed. It is asked
                once for each point, also where a batch runs out of memory and is done again in halves.

        Raises:
            DeviceError: a single point is too large for the device's memory.
        """
        self.forwards += len(points)
        size = inputs_at_once(
            points.shape[1:],
            device=points.device,
            most=max(1, len(points)),
            values=self.values,
            passes=GRADIENT_PASSES,
        )
        targets = np.full(len(points), -1, dtype=np.int64)
        chosen = 0  # points whose targets are settled

        def towards(part: slice) -> Aim:
            def settle(logits: Float[np.ndarray, "k classes"]) -> Int[np.ndarray, " k"]:
                nonlocal chosen
                if part.stop > chosen:
                    first = max(part.start, chosen)
                    targets[first : part.stop] = choose(slice(first, part.stop), logits[first - part.start :])
                    chosen = part.stop
                return targets[part]

            return self._aim(points[part], settle)

        aims = in_parts(towards, len(points), size=size, who=WHO)
        if len(aims) == 1:
            return aims[0]
        return Aim(
            labels=np.concatenate([aim.labels for aim in aims]),
            logits=np.concatenate([aim.logits for aim in aims]),
            sign=torch.cat([aim.sign for aim in aims]),
        )

    def _aim(
        self,
        points: Float[Tensor, "n ..."],
        choose: Callable[[Float[np.ndarray, "n classes"]], Int[np.ndarray, " n"]],
    ) -> Aim:
        with torch.enable_grad():
            inputs = points.detach().requires_grad_()
            logits = self.model(inputs)
            labels = logits.detach().argmax(1).cpu().numpy()
            values = logits.detach().cpu().numpy()
            targets = choose(values)
            wanted = np.flatnonzero(targets >= 0)
            sign = torch.zeros_like(points)
            if len(wanted):
                sign = self._gradient(inputs, logits, targets, wanted).sign_()
                self.backwards += len(points)
        return Aim(labels=labels, logits=values, sign=sign)

    def _gradient(
        self,
        inputs: Float[Tensor, "n ..."],
        logits: Float[Tensor, "n classes"],
        targets: Int[np.ndarray, " n"],
        wanted: Int[np.ndarray, " k"],
    ) -> Float[Tensor, "n ..."]:
        """The gradient of the loss towards the targets of the rows that want one; 0 for the others."""
        chosen = torch.from_numpy(targets[wanted]).to(logits.device)
        if len(wanted) < len(logits):
            logits = logits[torch.from_numpy(wanted).to(logits.device)]
        value = (
            functional.cross_entropy(logits, chosen, reduction="sum")
            if self.loss == "cross-entropy"
            else -logits.gather(1, chosen[:, None]).sum()
        )
        (gradient,) = torch.autograd.grad(value, inputs)
        return gradient


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
