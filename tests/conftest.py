"""One source and its fingerprint on digits, trained once per test process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from hypothesis import settings

from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model

settings.register_profile("any-machine", deadline=None)  # a busy machine is no failure
settings.load_profile("any-machine")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True, kw_only=True)
class Digits:
    """A source trained on digits:owner, and what goes with it."""

    trained: TrainedModel
    strangers: tuple[Normalized, ...]
    owner: LabelledSet
    queries: LabelledSet
    attacker: LabelledSet

    @property
    def source(self) -> Normalized:
        return self.trained.model

    @property
    def spec(self) -> ModelSpec:
        return self.trained.card.spec


@pytest.fixture(scope="session")
def digits(one_thread: None) -> Digits:
    owner, queries, attacker = (load_data(f"digits:{part}") for part in ("owner", "queries", "attacker"))
    spec, recipe = spec_for(owner, "cnn", {"width": 8}), default_recipe(owner, epochs=10)
    return Digits(
        trained=train_model(owner, spec, recipe, seed=0, holdout=load_data("digits:holdout")),
        strangers=tuple(train_model(owner, spec, recipe, seed=seed).model for seed in (1, 2, 3)),
        owner=owner,
        queries=queries,
        attacker=attacker,
    )
