"""A source, an honest stranger, and the attacker's images, all of digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, spec_for, train_model


@dataclass(frozen=True, kw_only=True)
class World:
    source: Normalized
    stranger: Normalized
    spec: ModelSpec
    attacker: LabelledSet
    holdout: LabelledSet
    mixtures: Tensor

    def agreement(self, model: Normalized) -> float:
        """With the source, on mixtures of two images: where honest models differ."""
        return float(
            (predict(model, self.mixtures).argmax(1) == predict(self.source, self.mixtures).argmax(1)).double().mean()
        )

    def accuracy(self, model: Normalized) -> float:
        labels = predict(model, torch.from_numpy(self.holdout.stored)).argmax(1)
        return float((labels == torch.from_numpy(self.holdout.labels)).double().mean())


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def world(one_thread: None) -> World:
    owner, attacker, holdout = (load_data(f"digits:{part}") for part in ("owner", "attacker", "holdout"))
    spec = spec_for(owner, "cnn", {"width": 8})
    recipe = default_recipe(owner, epochs=12)
    source, stranger = (train_model(owner, spec, recipe, seed=seed).model for seed in (1, 2))
    images = torch.from_numpy(load_data("digits:queries").stored).float() / 255
    other = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))]
    return World(
        source=source,
        stranger=stranger,
        spec=spec,
        attacker=attacker,
        holdout=holdout,
        mixtures=0.5 * images + 0.5 * other,
    )
