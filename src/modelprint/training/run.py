"""The one way to train by any recipe: by the built-in loop, or by the owner's own code."""

from __future__ import annotations

import time
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.architectures import Fitted
from modelprint.training.loop import Loss, OnEpoch, TrainReport, as_taken, fit
from modelprint.training.own_recipe import OwnRecipe, TrainingData, fit_by_code
from modelprint.training.recipes import BuiltIn, Recipe


def train(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    recipe: Recipe,
    *,
    classes: int,
    seed: int,
    generator: torch.Generator,
    loss: Loss | None = None,
    probabilities: Tensor | None = None,
    parameters: Iterable[nn.Parameter] | None = None,
    on_epoch: OnEpoch | None = None,
    modality: Modality | None = IMAGE,
) -> TrainReport:
    """Train a model in place; arguments as of `modelprint.training.loop.fit`.

    Args:
        seed: of the owner's own code; the built-in loop draws from the generator.
        loss: of the built-in loop; the owner's code has its own.
        probabilities: what the owner's code learns where the targets only mean something to `loss`.

    Raises:
        ModelError: training diverged, or the owner's code failed.
        DeviceError: the device has too little memory.
    """
    body = getattr(model, "body", model)
    if isinstance(body, Fitted):
        return _fitted(model, body, images, targets, seed=seed, modality=modality)
    if isinstance(recipe, BuiltIn):
        return fit(
            model,
            images,
            targets,
            recipe,
            generator=generator,
            loss=loss,
            parameters=parameters,
            on_epoch=on_epoch,
            modality=modality,
        )
    assert isinstance(recipe, OwnRecipe)
    taught = targets if probabilities is None else probabilities
    data = TrainingData(
        stored=images.numpy(), labels=taught.numpy(), classes=classes, device=device_of(model), modality=modality
    )
    return fit_by_code(model, data, recipe, seed=seed, parameters=parameters, on_epoch=on_epoch)


def _fitted(
    model: nn.Module, body: Fitted, inputs: Tensor, targets: Tensor, *, seed: int, modality: Modality | None
) -> TrainReport:
    """Fit a model that no gradients train; of a teacher's outputs the largest counts, whatever the recipe."""
    started = time.perf_counter()
    points = as_taken(inputs, modality, device=torch.device("cpu")).float()
    labels = targets.argmax(1) if targets.ndim == 2 else targets
    body.fit(points.numpy(), labels.numpy(), seed=seed)
    model.eval()
    seconds = time.perf_counter() - started
    return TrainReport(losses=(), images_per_second=len(inputs) / max(seconds, 1e-9), seconds=seconds)
