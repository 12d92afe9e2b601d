"""Attacks on networks of series: what keeps the function keeps it, and one-dimensional layers are found."""

from __future__ import annotations

import pytest
import torch

from modelprint.attacks import run_attack
from modelprint.attacks.prune import prunable
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import predict
from modelprint.training.recipes import TrainRecipe
from modelprint.training.train import spec_for, train_model

World = tuple[Normalized, ModelSpec, LabelledSet]


@pytest.fixture(scope="module")
def world(one_thread: None) -> World:
    owner = load_data("control-charts:owner[0:300]")
    spec = spec_for(owner, "series-cnn", {"width": 8})
    trained = train_model(owner, spec, TrainRecipe(epochs=6, lr=0.1, augment="none"), seed=0)
    return trained.model, spec, load_data("control-charts:attacker[0:100]")


def answers(model: Normalized, data: LabelledSet) -> torch.Tensor:
    return predict(model, torch.from_numpy(data.stored), modality=data.modality).double()


@pytest.mark.parametrize("kind", ["permute", "permute-rescale", "onnx-round-trip"])
def test_the_same_function_by_other_weights(world: World, kind: str) -> None:
    model, spec, data = world
    copied = run_attack(kind, {}, model, spec, data, seed=1)
    assert torch.allclose(answers(copied.model, data), answers(model, data), atol=1e-3)
    before, after = (prunable(one)[1].weight for one in (model, copied.model))
    assert before.ndim == 3
    assert not torch.equal(before, after)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("prune", {"rate": "0.5"}),
        ("prune-channels", {"rate": "0.25", "finetune_epochs": "1"}),
        ("quantise", {"to": "int8"}),
        ("low-rank", {}),
        ("lora", {"epochs": "1"}),
        ("ftal", {"epochs": "1"}),
        ("rtll", {"epochs": "1"}),
        ("fine-prune", {}),
        ("extract-labels", {"epochs": "1", "arch": "series-mlp"}),
        ("jbda", {"epochs": "1", "rounds": "1", "round_epochs": "1", "seeds": "50"}),
        ("adversarial", {"epochs": "1", "epsilon": "0.05", "steps": "1"}),
        ("chain", {"steps": "extract-soft epochs=1 > prune rate=0.2"}),
    ],
)
def test_copies_are_made(world: World, kind: str, settings: dict[str, str]) -> None:
    model, spec, data = world
    copied = run_attack(kind, settings, model, spec, data, seed=1)
    assert copied.model.body is not model.body
    assert not torch.equal(answers(copied.model, data), answers(model, data))
    if kind == "prune":
        weights = [layer.weight for layer in prunable(copied.model)]
        assert sum(int((weight == 0).sum()) for weight in weights) > 0.45 * sum(weight.numel() for weight in weights)
    if kind == "prune-channels":
        assert copied.card.spec.arch_args["width"] == 6
