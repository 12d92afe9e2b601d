"""Train an architecture on a data set, from scratch or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelprint.core.devices import resolve_device
from modelprint.data.labelled import LabelledSet
from modelprint.data.on_disk import block_rows, is_large
from modelprint.nn.architectures import Normalized
from modelprint.nn.description import normalisation
from modelprint.nn.files import ModelCard
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.init import start_from
from modelprint.training.loop import OnEpoch, TrainReport, accuracy
from modelprint.training.outcome import check_trained
from modelprint.training.recipes import Recipe, TrainRecipe
from modelprint.training.run import train


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model in evaluation mode, its card, and what training did."""

    model: Normalized
    card: ModelCard
    report: TrainReport


def default_recipe(data: LabelledSet, *, epochs: int | None = None) -> TrainRecipe:
    """A short recipe that suits a data set: one-cycle, shifts, mirrored only where that keeps the class (colour)."""
    channels, _, width = data.shape
    if width < 16:
        return TrainRecipe(epochs=epochs or 20, lr=0.1, batch_size=64, augment="shift", shift=1)
    if channels == 1:
        return TrainRecipe(epochs=epochs or 10, lr=0.1, augment="shift-flip", shift=2)
    return TrainRecipe(epochs=epochs or 24, lr=0.1, augment="shift-flip", shift=4)


def spec_for(
    data: LabelledSet,
    arch: str,
    arch_args: Mapping[str, Any] | None = None,
    *,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> ModelSpec:
    """A spec that fits a data set, normalised as said, or by the mean and spread of the data's own channels.

    Raises:
        ModelError: a mean without a std, or the other way round.
    """
    said = normalisation(mean, std, who=arch)
    if said is not None:
        return ModelSpec(
            arch=arch,
            arch_args=dict(arch_args or {}),
            channels=data.shape[0],
            size=data.shape[2],
            classes=data.classes,
            mean=said.mean,
            std=said.std,
        )
    channels, _, width = data.shape
    mean_of, std_of = _channels(data)
    return ModelSpec(
        arch=arch,
        arch_args=dict(arch_args or {}),
        channels=channels,
        size=width,
        classes=data.classes,
        mean=tuple(round(float(value), 4) for value in mean_of),
        std=tuple(round(max(float(value), 1e-3), 4) for value in std_of),
    )


def _channels(data: LabelledSet) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each channel, on the [0, 1] scale; of large sets in blocks."""
    flat = data.stored.reshape(len(data), data.shape[0], -1)
    if not is_large(data.stored.shape, data.stored.dtype):
        unit = flat.astype(np.float32) / 255.0
        return unit.mean(axis=(0, 2)), unit.std(axis=(0, 2))
    total, squares = np.zeros((2, data.shape[0]))
    size = block_rows(data.shape, data.stored.dtype)
    for start in range(0, len(data), size):
        block = flat[start : start + size].astype(np.float64) / 255.0
        total += block.sum(axis=(0, 2))
        squares += np.square(block).sum(axis=(0, 2))
    count = len(data) * flat.shape[2]
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))


def train_model(
    data: LabelledSet,
    spec: ModelSpec,
    recipe: Recipe,
    *,
    seed: int,
    init: str | Path | None = None,
    holdout: LabelledSet | None = None,
    device: torch.device | str = "cpu",
    on_epoch: OnEpoch | None = None,
) -> TrainedModel:
    """Train a model; the same data, spec, recipe, seed, machine and thread count give the same weights.

    Args:
        init: weights to start from; the last layer starts anew where their classes differ.
        device: auto, cpu, cuda, cuda:N or mps. Random numbers are drawn on the CPU in any case.

    Raises:
        ModelError: training diverged or did nothing, the recipe's code failed, or `init` does not fit.
        DeviceError: there is no such device, or it has too little memory.
    """
    place = resolve_device(device)
    model = build(spec, seed=seed)
    start = None if init is None else start_from(model, init, arch=spec.arch)
    model.to(place)
    stored, labels = torch.from_numpy(data.stored), torch.from_numpy(data.labels)
    report = train(
        model,
        stored,
        labels,
        recipe,
        classes=spec.classes,
        seed=seed,
        generator=torch.Generator().manual_seed(seed),
        on_epoch=on_epoch,
    )
    check_trained(model, stored, labels, classes=spec.classes)
    measured = (
        accuracy(model, torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels))
        if holdout is not None
        else None
    )
    made: dict[str, Any] = {"kind": "train", "data": data.name, "data_sha256": data.identity, "seed": seed}
    if start is not None:
        made["init"] = asdict(start)
    card = ModelCard(spec=spec, recipe={**made, **recipe.card()}, accuracy=measured)
    return TrainedModel(model=model, card=card, report=report)
