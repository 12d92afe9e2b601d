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
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.devices import device_of, in_parts, inputs_at_once
from modelprint.core.errors import ModelError
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.pieces import learn_vocabularies
from modelprint.training.passes import Backward
from modelprint.training.passes import Loss as Loss
from modelprint.training.recipes import Augment as Augment
from modelprint.training.recipes import BuiltIn
from modelprint.training.recipes import TrainRecipe as TrainRecipe

MOST_AT_ONCE = 512  # inputs that a model is asked, where they are small

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
    modality: Modality | None = IMAGE,
) -> TrainReport:
    """Train a model in place, on the device where it lies; on CUDA, layers compute in half precision.

    Args:
        model: returns logits.
        images: stored inputs of the modality, or what the model takes.
        targets: labels (n,), or probabilities (n, classes) of a teacher.
        generator: of the CPU, whatever the device.
        loss: of logits and targets, the mean over a batch; cross-entropy unless given.
        parameters: what moves; everything unless given.
        perturb: replaces each batch of inputs (adversarial training).
        on_epoch: called after each epoch.
        modality: of the inputs; None where they are what the model takes, such as features of a model below.

    Raises:
        ModelError: the loss became NaN or infinite.
        DeviceError: a batch does not fit into the device's memory, and cannot be split.
    """
    learn_vocabularies(model, images)
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
            batch = images[index]
            if modality is not None:
                batch = modality.augmented(batch, recipe.augment, shift=recipe.shift, generator=generator)
            inputs = as_taken(batch, modality, device=device)
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


def as_taken(batch: Tensor, modality: Modality | None, *, device: torch.device) -> Tensor:
    """Inputs on a device as the model takes them; floats stay as exact as they are.

    Args:
        modality: of the inputs; None leaves them what they are.
    """
    if modality is None:
        return batch.to(device)
    dtype = batch.dtype if batch.dtype.is_floating_point else torch.float32
    return modality.to_model(batch, device=device, dtype=dtype)


@torch.inference_mode()
def predict(
    model: nn.Module, inputs: Tensor, *, modality: Modality | None = IMAGE, batch_size: int | None = None
) -> Float[Tensor, "n classes"]:
    """Logits, on the CPU, for inputs as they are stored or as models take them, in batches.

    A batch that does not fit memory is halved.

    The model must be in evaluation mode; it is asked on the device where its parameters lie.

    Args:
        modality: of the inputs; None where they are what the model takes, such as features of a model below.
        batch_size: None: 512, or fewer where inputs are large.

    Raises:
        DeviceError: a single input does not fit into memory.
    """
    device = device_of(model)
    size = batch_size or inputs_at_once(inputs.shape[1:], device=device, most=MOST_AT_ONCE)

    def ask(part: slice) -> Tensor:
        outputs: Tensor = model(as_taken(inputs[part], modality, device=device)).cpu()
        return outputs

    parts = in_parts(ask, len(inputs), size=size, who="the model") if len(inputs) else [ask(slice(0, 0))]
    return torch.cat(parts)


def accuracy(model: nn.Module, inputs: Tensor, labels: Tensor, *, modality: Modality = IMAGE) -> float:
    """The share of inputs classified rightly."""
    return float((predict(model, inputs, modality=modality).argmax(1) == labels).float().mean())
