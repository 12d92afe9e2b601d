"""AdamW as published, recipes by name, and models that no recipe trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

from modelprint.core.errors import ModelError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.choice import default_adamw, recipe_fields, recipe_named
from modelprint.training.outcome import check_trained
from modelprint.training.recipes import AdamW, TrainRecipe
from modelprint.training.train import default_recipe, train_model

SPEC = ModelSpec(arch="mlp", arch_args={"width": 16}, channels=1, size=8, classes=10, mean=(0.3,), std=(0.4,))


@pytest.fixture(scope="module")
def owner() -> LabelledSet:
    return load_data("digits:owner")


def rates(recipe: AdamW, steps: int) -> list[float]:
    optimizer = recipe.optimizer(nn.Linear(1, 1), list(nn.Linear(1, 1).parameters()))
    scheduler = recipe.scheduler(optimizer, steps)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_the_rate_rises_in_a_line_and_falls_by_a_cosine():
    """Against torch's own two schedules, one after the other."""
    seen = rates(AdamW(lr=0.5, warmup=0.25), 40)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    rise = LinearLR(optimizer, start_factor=1 / 11, total_iters=10)
    expected = SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, 30)], milestones=[10])
    for number, rate in enumerate(seen):
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-6), number
        optimizer.step()
        expected.step()
    assert max(seen) == seen[10] == 0.5
    assert seen[-1] < 0.01


def test_without_warm_up_the_first_step_has_the_highest_rate():
    assert rates(AdamW(lr=0.5, warmup=0.0), 10)[0] == 0.5


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_warm_up_beyond_the_run_is_refused(share):
    with pytest.raises(ValueError, match=f"got {share}"):
        AdamW(warmup=share)


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.LayerNorm([4, 2])  # this norm's weight is a matrix
        self.places, self.head = nn.Parameter(torch.zeros(1, 4, 8)), nn.Linear(8, 2)


def test_norms_and_biases_do_not_decay():
    model = Mixed()
    optimizer = AdamW(weight_decay=0.3).optimizer(model, list(model.parameters()))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(value)]: group["weight_decay"] for group in optimizer.param_groups for value in group["params"]}
    assert {name for name, value in decay.items() if value == 0.3} == {"conv.weight", "places", "head.weight"}
    assert {name for name, value in decay.items() if value == 0.0} == {
        "conv.bias", "norm.weight", "norm.bias", "head.bias"
    }  # fmt: skip


def test_only_what_moves_is_handed_to_the_optimizer():
    model = Mixed()
    optimizer = AdamW().optimizer(model, [model.head.bias])
    assert [group["params"] for group in optimizer.param_groups] == [[model.head.bias]]


def test_one_step_of_adamw_is_the_published_update(owner):
    """Against the arithmetic written out: the first step moves each weight by its decay and the gradient's sign."""
    from modelprint.training.loop import fit

    data = owner.take(slice(0, 64))
    recipe = AdamW(epochs=1, lr=0.01, batch_size=64, weight_decay=0.1, warmup=0.0, clip=1e9, augment="none")
    model, by_hand = build(SPEC), build(SPEC)
    stored, labels = torch.from_numpy(data.stored), torch.from_numpy(data.labels)
    fit(model, stored, labels, recipe, generator=torch.Generator().manual_seed(0))
    loss = nn.functional.cross_entropy(by_hand(stored.float() / 255), labels)
    gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
    for after, before, gradient in zip(model.parameters(), by_hand.parameters(), gradients, strict=True):
        decay = 0.1 if before.ndim > 1 else 0.0
        expected = before - 0.01 * (decay * before + gradient / (gradient.abs() + 1e-8))
        clear = gradient.abs() > 1e-5  # of smaller ones the order of adding decides the sign
        torch.testing.assert_close(after[clear], expected[clear], atol=2e-5, rtol=1e-4)


def test_long_gradients_are_shortened(owner):
    from modelprint.training.loop import fit

    class Norm(AdamW):
        def optimizer(self, model, moving):
            chosen = super().optimizer(model, moving)
            chosen.register_step_pre_hook(
                lambda *_: lengths.append(math.sqrt(sum(float((p.grad**2).sum()) for p in moving)))
            )
            return chosen

    lengths: list[float] = []
    data = owner.take(slice(0, 64))
    recipe = Norm(epochs=2, clip=0.01, augment="none")
    fit(
        build(SPEC),
        torch.from_numpy(data.stored),
        torch.from_numpy(data.labels),
        recipe,
        generator=torch.Generator().manual_seed(0),
    )
    assert lengths == pytest.approx([0.01, 0.01], rel=1e-3)


def test_adamw_learns_digits_and_its_card_says_so(owner):
    recipe = AdamW(epochs=12, lr=0.01, batch_size=64, augment="none")
    trained = train_model(owner, SPEC, recipe, seed=0, holdout=load_data("digits:holdout"))
    assert trained.card.accuracy > 0.85
    assert trained.card.recipe["recipe"] == "adamw"
    assert (trained.card.recipe["lr"], trained.card.recipe["warmup"]) == (0.01, 0.05)
    assert "init" not in trained.card.recipe


def test_the_card_of_sgd_is_what_it_always_was(owner):
    assert TrainRecipe().card() == {
        "epochs": 10, "lr": 0.1, "batch_size": 128, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "one-cycle",
        "augment": "shift", "shift": 2, "label_smoothing": 0.0, "bn_eval": False,
    }  # fmt: skip


def test_recipes_are_named(owner):
    assert recipe_named(None, owner) == default_recipe(owner)
    assert recipe_named("sgd", owner, settings={"lr": "0.3"}, epochs=2).lr == 0.3
    assert recipe_named("adamw", owner, epochs=7).epochs == 7
    assert recipe_named(None, owner, pretrained=True) == default_adamw(owner, pretrained=True)
    assert default_adamw(owner, pretrained=True).lr < default_adamw(owner).lr


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("adam", {}, "--recipe 'adam': use sgd, adamw, or FILE.py:fit"),
        ("adamw", {"momentum": "0.9"}, "recipe adamw has no parameter 'momentum'"),
        ("sgd", {"lr": "fast"}, "lr='fast' is not a float"),
        ("adamw", {"warmup": "2"}, "recipe adamw: warmup must be"),
        ("mine.py:fit", {"lr": "1"}, "your own code, lr cannot be set"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(name, settings, message, owner):
    with pytest.raises(UsageError, match=message):
        recipe_named(name, owner, settings=settings)


def test_only_fields_of_built_in_recipes_can_be_set():
    assert {"lr", "warmup"} <= recipe_fields("adamw")
    assert "momentum" in recipe_fields("sgd") - recipe_fields("adamw")


class Constant(nn.Module):
    """The same logits for every input."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1)


IMAGES, LABELS = torch.zeros(600, 1, 2, 2, dtype=torch.uint8), torch.arange(600) % 10


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.eye(10)[3], r"did not train: loss 2\.\d+, accuracy 10\.0% on its own data, chance 10\.0%"),
        (torch.full((10,), math.nan), "did not train: loss nan"),
        (torch.zeros(7), r"outputs have shape \(600, 7\) for 600 inputs: expected \(600, 10\)"),
    ],
)
def test_a_model_at_chance_is_an_error(logits, message):
    with pytest.raises(ModelError, match=message):
        check_trained(Constant(logits), IMAGES, LABELS, classes=10)


def test_chance_is_the_most_frequent_class():
    mostly = torch.from_numpy(np.repeat([0, 1], [480, 120]))
    with pytest.raises(ModelError, match=r"accuracy 80\.0% on its own data, chance 80\.0%"):
        check_trained(Constant(torch.tensor([1.0, 0.0])), IMAGES, mostly, classes=2)


def test_a_teachers_probabilities_count_by_their_largest():
    soft = torch.nn.functional.one_hot(LABELS, 10).float() * 0.8 + 0.02
    with pytest.raises(ModelError, match="did not train"):
        check_trained(Constant(torch.eye(10)[3]), IMAGES, soft, classes=10)


def test_of_few_inputs_nobody_can_tell():
    check_trained(Constant(torch.eye(10)[3]), IMAGES[:50], LABELS[:50], classes=10)


def test_a_training_that_did_nothing_is_no_result(owner):
    with pytest.raises(ModelError, match="the recipe did not train"):
        train_model(owner, SPEC, TrainRecipe(epochs=1, lr=0.0, schedule="constant"), seed=0)
