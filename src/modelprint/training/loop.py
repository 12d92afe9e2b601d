"""One loop trains everything: sources, strangers, shadow models, and what attackers make.

What differs between them is the recipe, the targets (labels, or a teacher's probabilities), which parameters move, and
an optional hook that perturbs each batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.batches import images_at_once
from modelprint.core.errors import ModelError

Augment = Literal["none", "shift", "shift-flip"]
Loss = Callable[[Tensor, Tensor], Tensor]
Perturb = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """How a network is trained; its repr is the recipe.

    Attributes:
        epochs: passes over the data.
        lr: the peak ("one-cycle") or constant learning rate of SGD with Nesterov momentum.
        schedule: "one-cycle" rises for a quarter of the run, then falls to zero (Smith and Topin, 2019).
        augment: "shift" moves each image by up to `shift` pixels, "shift-flip" mirrors half of them, too.
        label_smoothing: share of the target spread over all classes.
        bn_eval: keep BatchNorm's statistics as they are (fine-tuning of the last layer).
    """

    epochs: int = 10
    lr: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    augment: Augment = "shift"
    shift: int = 2
    label_smoothing: float = 0.0
    bn_eval: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What training did.

    Attributes:
        losses: mean training loss of each epoch.
        images_per_second: training throughput, augmentation included.
        seconds: wall-clock time.
    """

    losses: tuple[float, ...]
    images_per_second: float
    seconds: float


def fit(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    recipe: TrainRecipe,
    *,
    generator: torch.Generator,
    loss: Loss | None = None,
    parameters: Iterable[nn.Parameter] | None = None,
    perturb: Perturb | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
) -> TrainReport:
    """Train a model in place.

    Args:
        model: takes inputs in [0, 1], returns logits; it and the images stay on the model's device.
        images: uint8 (n, c, h, w) in 0..255, or floats as the model takes them (of any shape without augmentation).
        targets: labels (n,), or probabilities (n, classes) of a teacher.
        loss: of logits and targets; cross-entropy unless given.
        parameters: what moves; everything unless given.
        perturb: replaces each batch of inputs (adversarial training).
        on_epoch: called with the epoch (from 1) and its mean loss.

    Raises:
        ModelError: the loss became NaN or infinite.
    """
    device = next(model.parameters()).device
    moving = list(model.parameters() if parameters is None else parameters)
    criterion = loss or _smoothed(recipe.label_smoothing)
    optimizer = torch.optim.SGD(
        moving, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.momentum > 0
    )
    batches = max(1, -(-len(images) // recipe.batch_size))
    steps = max(2, recipe.epochs * batches)
    scheduler = (
        torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.lr, total_steps=steps, pct_start=max(0.25, 1.25 / steps), cycle_momentum=False
        )
        if recipe.schedule == "one-cycle"
        else None
    )
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    if recipe.bn_eval:
        _freeze_batchnorm(model)
    padded = pad(images, recipe.shift) if recipe.augment != "none" else images
    losses: list[float] = []
    started = time.perf_counter()
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for index in torch.split(order, recipe.batch_size):
            if len(index) == 1 and len(images) > 1:
                continue  # BatchNorm has no variance of one image
            inputs = augmented(padded, index, recipe, images.shape[-2:], generator).to(device)
            target = targets[index].to(device)
            if perturb is not None:
                inputs = perturb(model, inputs, target)
            value = criterion(model(inputs), target)
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            total += float(value.detach()) * len(index)
        losses.append(total / len(images))
        if not np.isfinite(losses[-1]):
            raise ModelError(
                f"the training loss became {losses[-1]} in epoch {epoch + 1} at learning rate {recipe.lr}: lower it"
            )
        if on_epoch is not None:
            on_epoch(epoch + 1, losses[-1])
    seconds = time.perf_counter() - started
    model.eval()
    return TrainReport(
        losses=tuple(losses),
        images_per_second=recipe.epochs * len(images) / max(seconds, 1e-9),
        seconds=seconds,
    )


def _smoothed(smoothing: float) -> Loss:
    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets, label_smoothing=smoothing)

    return criterion


def _freeze_batchnorm(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def pad(images: UInt8[Tensor, "n c h w"], shift: int) -> UInt8[Tensor, "n c h2 w2"]:
    """Images with a black frame of `shift` pixels, so that shifting is cropping."""
    return functional.pad(images, (shift, shift, shift, shift))


def augmented(
    padded: UInt8[Tensor, "n c h2 w2"],
    index: Tensor,
    recipe: TrainRecipe,
    size: torch.Size,
    generator: torch.Generator,
) -> Float[Tensor, "b c h w"]:
    """A batch in [0, 1], each image shifted (and perhaps mirrored) on its own."""
    if recipe.augment == "none":
        return to_unit(padded[index])
    count, (height, width) = len(index), size
    offsets = torch.randint(0, 2 * recipe.shift + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)
    columns = offsets[1] + torch.arange(width)
    if recipe.augment == "shift-flip":
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    batch = padded[index[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # (b, h, w, c)
    return to_unit(batch.permute(0, 3, 1, 2))


def to_unit(images: Tensor) -> Tensor:
    """8-bit images as floats in [0, 1]; floats stay what they are. Images lie channels last in memory."""
    unit = images.float().div_(255.0) if images.dtype == torch.uint8 else images.float()
    return unit.contiguous(memory_format=torch.channels_last) if unit.ndim == 4 else unit


@torch.inference_mode()
def predict(model: nn.Module, images: Tensor, *, batch_size: int | None = None) -> Float[Tensor, "n classes"]:
    """Logits, on the CPU, for 8-bit images or floats in [0, 1], in batches.

    The model must be in evaluation mode; it is asked on the device where its parameters lie.

    Args:
        batch_size: None: 512, or fewer where images are large.
    """
    batch_size = batch_size or images_at_once(images.shape[1:], most=512)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    outputs = [
        model(
            to_unit(batch).to(device)
            if batch.dtype == torch.uint8
            else batch.to(device, memory_format=torch.channels_last)
        ).cpu()
        for batch in torch.split(images, batch_size)
    ]
    return torch.cat(outputs)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images classified rightly."""
    return float((predict(model, images).argmax(1) == labels).float().mean())
