"""Seconds and memory of crafting, measured on a few inputs, and said before it starts where it is long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of, inputs_at_once
from modelprint.core.durations import duration
from modelprint.nn.outputs import logits_of
from modelprint.ownership.ahead import WORTH_SAYING, Notice, size, unheard
from modelprint.perturb.evaluate import GRADIENT_PASSES, frozen
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.base import Effort, Enrollment, Scheme
from modelprint.training.loop import MOST_AT_ONCE

MEASURED = 4  # inputs, after one that is not


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one input takes of a network, about.

    Attributes:
        answer: seconds until it is answered.
        gradient: seconds until its gradient is there, the answer included; None where that was not measured.
        kept: bytes that are kept for the gradient of one input.
        weights: bytes of the network in the precision of the walk.
    """

    answer: float
    gradient: float | None
    kept: int
    weights: int

    def seconds(self, effort: Effort) -> float:
        """Of all that an effort asks."""
        return self.answer * effort.answers + (self.gradient or 0.0) * effort.gradients

    def memory(self, effort: Effort, *, together: int) -> int:
        """Bytes of network and gradients at once, besides what the program takes anyway."""
        return self.weights + self.kept * min(effort.together, together)


def announce_crafting(
    scheme: Scheme, context: Enrollment, *, calibration: int, notice: Notice, kept_in: Path | None
) -> None:
    """Say how many queries are crafted, for how long and in how much memory, where it takes more than a minute.

    Args:
        calibration: models that answer every query afterwards.
        kept_in: where what is finished lies if it is cut off; None: nowhere.

    Raises:
        FingerprintError: the context lacks what the scheme needs.
    """
    if notice is unheard:  # nor is anything measured
        return
    scheme.needs.check(scheme.name, context)
    effort = scheme.effort(context)
    if effort is None:
        return
    precision: Precision = getattr(scheme, "precision", "single")
    measured = measure(context, precision, gradients=effort.gradients > 0)
    seconds = measured.seconds(effort) + measured.answer * effort.queries * (1 + calibration)
    if seconds <= WORTH_SAYING:
        return
    device = device_of(context.source)
    together = inputs_at_once(
        context.seeds.shape, device=device, most=MOST_AT_ONCE, passes=GRADIENT_PASSES if effort.gradients else 1.0
    )
    memory = size(measured.memory(effort, together=together))
    advice = "" if kept_in is None else f"; what is finished is kept in {kept_in} if you stop it"
    notice(
        f"{scheme.name}: up to {effort.queries} queries are crafted, about {duration(seconds)} and {memory} of memory "
        f"on {device} (measured on {MEASURED} {context.seeds.modality.plural}){advice}"
    )


def measure(context: Enrollment, precision: Precision, *, gradients: bool) -> Measured:
    """What one input takes of the source, measured on a few."""
    modality, device = context.seeds.modality, device_of(context.source)
    model = in_precision(context.source, precision, shape=context.seeds.shape)
    points = modality.to_model(np.asarray(context.seeds.stored[:MEASURED]), device=device, dtype=DTYPES[precision])
    own = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    kept: list[int] = []

    def counted(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept.append(_bytes([tensor]))
        return tensor

    def answer() -> None:
        with torch.inference_mode():
            logits_of(model(points)).sum().item()  # waits until the device is done

    def gradient() -> None:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(counted, lambda tensor: tensor):
            inputs = points.detach().requires_grad_()
            value = logits_of(model(inputs)).sum()
        torch.autograd.grad(value, inputs)[0].sum().item()

    each = None
    with frozen(model):
        answer()
        seconds = _timed(answer) / len(points)
        if gradients and points.is_floating_point():  # tokens have none
            gradient()
            kept.clear()
            each = _timed(gradient) / len(points)
    weights = _bytes(list(model.parameters()))
    return Measured(answer=seconds, gradient=each, kept=sum(kept) // len(points), weights=weights)


def _timed(work: Callable[[], None]) -> float:

    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _bytes(tensors: Sequence[Tensor | nn.Parameter]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
