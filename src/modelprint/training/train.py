"""Train a registered architecture from scratch on a data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe, TrainReport, accuracy, fit


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


def spec_for(data: LabelledSet, arch: str, arch_args: Mapping[str, Any] | None = None) -> ModelSpec:
    """A spec that fits a data set, normalised by the mean and spread of its own channels."""
    channels, _, width = data.shape
    unit = data.stored.reshape(len(data), channels, -1).astype(np.float32) / 255.0
    return ModelSpec(
        arch=arch,
        arch_args=dict(arch_args or {}),
        channels=channels,
        size=width,
        classes=data.classes,
        mean=tuple(round(float(value), 4) for value in unit.mean(axis=(0, 2))),
        std=tuple(round(max(float(value), 1e-3), 4) for value in unit.std(axis=(0, 2))),
    )


def train_model(
    data: LabelledSet,
    spec: ModelSpec,
    recipe: TrainRecipe,
    *,
    seed: int,
    holdout: LabelledSet | None = None,
    device: torch.device | str = "cpu",
    on_epoch: Callable[[int, float], None] | None = None,
) -> TrainedModel:
    """Train from scratch; the same data, spec, recipe, seed, machine and thread count give the same weights."""
    model = build(spec, seed=seed).to(device)
    report = fit(
        model,
        torch.from_numpy(data.stored),
        torch.from_numpy(data.labels),
        recipe,
        generator=torch.Generator().manual_seed(seed),
        on_epoch=on_epoch,
    )
    measured = (
        accuracy(model, torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels))
        if holdout is not None
        else None
    )
    card = ModelCard(
        spec=spec,
        recipe={"kind": "train", "data": data.name, "data_sha256": data.identity, "seed": seed, **asdict(recipe)},
        accuracy=measured,
    )
    return TrainedModel(model=model, card=card, report=report)
