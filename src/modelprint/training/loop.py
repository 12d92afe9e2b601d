"""One loop trains everything that no code of the owner's trains: models from scratch, and what attackers make.

What differs between them is the recipe, the targets (labels, or a teacher's probabilities), which parameters move, and
an optional hook that perturbs each batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.devices import device_of, in_parts, inputs_at_once
from modelprint.core.errors import ModelError
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.training.passes import Backward
from modelprint.training.passes import Loss as Loss
from modelprint.training.recipes import Augment as Augment
from modelprint.training.recipes import BuiltIn
from modelprint.training.recipes import TrainRecipe as TrainRecipe

Perturb = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """How far a training is.

    Attributes:
        number: epochs done; `total`: of all.
        loss: the mean training loss of the last one, where it is known.
    """

    number: int
    total: int
    loss: float | None = None


OnEpoch = Callable[[Epoch], None]


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What training did.

    Attributes:
        losses: mean training loss of each epoch; empty after an owner's own recipe, which may have none.
        images_per_second: training throughput, augmentation included; 0 where epochs are not known.
        seconds: wall-clock time.
    """

    losses: tuple[float, ...]
    images_per_second: float
    seconds: float


def fit(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    recipe: BuiltIn,
    *,
    generator: torch.Generator,
    loss: Loss | None = None,
    parameters: Iterable[nn.Parameter] | None = None,
    perturb: Perturb | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainReport:
    """Train a model in place, on the device where it lies; on CUDA, layers compute in half precision.

    Args:
        model: takes inputs in [0, 1], returns logits.
        images: uint8 (n, c, h, w) in 0..255, or floats as the model takes them (of any shape without augmentation).
        targets: labels (n,), or probabilities (n, classes) of a teacher.
        generator: of the CPU, whatever the device.
        loss: of logits and targets, the mean over a batch; cross-entropy unless given.
        parameters: what moves; everything unless given.
        perturb: replaces each batch of inputs (adversarial training).
        on_epoch: called after each epoch.

    Raises:
        ModelError: the loss became NaN or infinite.
        DeviceError: a batch does not fit into the device's memory, and cannot be split.
    """
    device = device_of(model)
    moving = list(model.parameters() if parameters is None else parameters)
    optimizer = recipe.optimizer(model, moving)
    batches = max(1, -(-len(images) // recipe.batch_size))
    scheduler = recipe.scheduler(optimizer, max(2, recipe.epochs * batches))
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    if recipe.bn_eval:
        _freeze_batchnorm(model)
    backward = Backward(model, loss or _smoothed(recipe.label_smoothing), device=device)
    losses: list[float] = []
    started = time.perf_counter()
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator)
        total = 0.0
        for index in torch.split(order, recipe.batch_size):
            if len(index) == 1 and len(images) > 1:
                continue  # BatchNorm has no variance of one image
            inputs = augmented(images[index], recipe, generator).to(device)
            target = targets[index].to(device)
            if perturb is not None:
                inputs = perturb(model, inputs, target)
            optimizer.zero_grad(set_to_none=True)
            total += backward(inputs, target) * len(index)
            backward.step(optimizer, moving, largest=recipe.largest_gradient)
            if scheduler is not None:
                scheduler.step()
        losses.append(total / len(images))
        if not np.isfinite(losses[-1]):
            raise ModelError(
                f"the training loss became {losses[-1]} in epoch {epoch + 1} at learning rate {recipe.lr}: lower it"
            )
        if on_epoch is not None:
            on_epoch(Epoch(number=epoch + 1, total=recipe.epochs, loss=losses[-1]))
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


def augmented(
    images: UInt8[Tensor, "b c h w"], recipe: BuiltIn, generator: torch.Generator
) -> Float[Tensor, "b c h w"]:
    """A batch in [0, 1], each image shifted over black (and perhaps mirrored) on its own."""
    if recipe.augment == "none":
        return to_unit(images)
    count, (height, width) = len(images), images.shape[-2:]
    offsets = torch.randint(0, 2 * recipe.shift + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)
    columns = offsets[1] + torch.arange(width)
    if recipe.augment == "shift-flip":
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = functional.pad(images, (recipe.shift,) * 4)  # shifting is cropping
    which = torch.arange(count)[:, None, None]
    batch = padded[which, :, rows[:, :, None], columns[:, None, :]]  # (b, h, w, c)
    return to_unit(batch.permute(0, 3, 1, 2))


def to_unit(images: Tensor) -> Tensor:
    """8-bit images as floats in [0, 1]; floats stay what they are. Images lie channels last in memory."""
    unit = images.float().div_(255.0) if images.dtype == torch.uint8 else images.float()
    return unit.contiguous(memory_format=torch.channels_last) if unit.ndim == 4 else unit


@torch.inference_mode()
def predict(
    model: nn.Module, inputs: Tensor, *, modality: Modality = IMAGE, batch_size: int | None = None
) -> Float[Tensor, "n classes"]:
    """Logits, on the CPU, for inputs as they are stored or as models take them, in batches.

    A batch that does not fit memory is halved.

    The model must be in evaluation mode; it is asked on the device where its parameters lie.

    Args:
        batch_size: None: 512, or fewer where inputs are large.

    Raises:
        DeviceError: a single input does not fit into memory.
    """
    device = device_of(model)
    size = batch_size or inputs_at_once(inputs.shape[1:], device=device, most=512)

    def ask(part: slice) -> Tensor:
        batch = inputs[part]
        dtype = batch.dtype if batch.dtype.is_floating_point else torch.float32  # floats stay as exact as they are
        outputs: Tensor = model(modality.to_model(batch, device=device, dtype=dtype)).cpu()
        return outputs

    parts = in_parts(ask, len(inputs), size=size, who="the model") if len(inputs) else [ask(slice(0, 0))]
    return torch.cat(parts)


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor, *, modality: Modality = IMAGE) -> float:
    """The share of inputs classified rightly."""
    return float((predict(model, inputs, modality=modality).argmax(1) == labels).float().mean())
