"""One loop: it learns, says how fast, gives the same weights for the same seed, and stops when it diverges."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.errors import ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe, accuracy, fit, predict
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model
from tests.conftest import Digits


@pytest.fixture(scope="module")
def few() -> LabelledSet:
    return load_data("digits:owner[0:129]")


SPEC = ModelSpec(arch="cnn", arch_args={"width": 4}, channels=1, size=8, classes=10, mean=(0.3,), std=(0.4,))
SHORT = TrainRecipe(epochs=2, batch_size=32, shift=1)


def trained(data: LabelledSet, recipe: TrainRecipe = SHORT, *, seed: int = 0) -> TrainedModel:
    return train_model(data, SPEC, recipe, seed=seed)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def fitted(model: nn.Module, data: LabelledSet, recipe: TrainRecipe, **arguments: object) -> list[float]:
    """Losses of a training with a fixed generator."""
    report = fit(
        model,
        torch.from_numpy(data.stored),
        torch.from_numpy(data.labels),
        recipe,
        generator=torch.Generator().manual_seed(0),
        **arguments,  # type: ignore[arg-type]
    )
    return list(report.losses)


def test_it_learns_digits(digits: Digits):
    assert digits.trained.card.accuracy is not None
    assert digits.trained.card.accuracy > 0.9
    holdout = load_data("digits:holdout")
    found = accuracy(digits.source, torch.from_numpy(holdout.stored), torch.from_numpy(holdout.labels))
    assert found == digits.trained.card.accuracy
    losses = digits.trained.report.losses
    assert losses[-1] < losses[0] / 4


def test_the_card_says_how_it_was_made(digits: Digits):
    card = digits.trained.card
    assert card.recipe["data"] == "digits:owner"
    assert card.recipe["data_sha256"] == digits.owner.identity
    assert (card.recipe["kind"], card.recipe["seed"], card.recipe["epochs"]) == ("train", 0, 10)


def test_the_same_seed_gives_the_same_weights(few):
    one, same_again, other = (weights(trained(few, seed=seed).model) for seed in (1, 1, 2))
    assert same(one, same_again)
    assert not same(one, other)


def test_training_leaves_the_global_generator_alone(few):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trained(few)
    assert torch.equal(torch.rand(2), expected)


def test_the_model_is_ready_to_be_asked(few):
    result = trained(few)
    assert not result.model.training
    assert result.report.images_per_second == pytest.approx(2 * 129 / result.report.seconds)
    assert len(result.report.losses) == 2


def test_each_epoch_is_told(few):
    told: list[tuple[int, float]] = []
    losses = fitted(build(SPEC), few, SHORT, on_epoch=lambda epoch: told.append((epoch.number, epoch.loss)))
    assert told == [(1, losses[0]), (2, losses[1])]


def test_divergence_is_an_error_that_says_what_to_do(few):
    with pytest.raises(ModelError, match=r"loss became (nan|inf) in epoch \d at learning rate 1e\+30: lower it"):
        fitted(build(SPEC), few, TrainRecipe(epochs=2, lr=1e30, schedule="constant", shift=1))


def test_one_plain_step_is_gradient_descent(few):
    """Against the arithmetic written out: w - lr (g + wd w), over one batch of all images."""
    recipe = TrainRecipe(epochs=1, lr=0.1, batch_size=129, momentum=0.0, schedule="constant", augment="none")
    spec = ModelSpec(**{**SPEC.model_dump(), "arch": "mlp", "arch_args": {"width": 6}})
    model, by_hand = build(spec), build(spec)
    fitted(model, few, recipe)
    inputs, labels = torch.from_numpy(few.stored).float() / 255, torch.from_numpy(few.labels)
    logits = by_hand(inputs)
    loss = -logits.log_softmax(1)[torch.arange(129), labels].mean()
    gradients = torch.autograd.grad(loss, list(by_hand.parameters()))
    for after, before, gradient in zip(model.parameters(), by_hand.parameters(), gradients, strict=True):
        torch.testing.assert_close(after, before - 0.1 * (gradient + 5e-4 * before), atol=1e-6, rtol=1e-5)


def test_only_the_given_parameters_move(few):
    model = build(SPEC)
    before = weights(model)
    fitted(model, few, TrainRecipe(epochs=1, bn_eval=True, shift=1), parameters=model.body.head.parameters())
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"body.head.weight", "body.head.bias"}


def test_statistics_of_batchnorm_move_unless_they_are_kept(few):
    model = build(SPEC)
    before = weights(model)
    fitted(model, few, TrainRecipe(epochs=1, shift=1), parameters=model.body.head.parameters())
    assert not torch.equal(
        model.state_dict()["body.features.0.1.running_mean"], before["body.features.0.1.running_mean"]
    )


def test_a_teachers_probabilities_are_targets_like_labels(few):
    one, other = build(SPEC), build(SPEC)
    certain = functional.one_hot(torch.from_numpy(few.labels), 10).float()
    report = fit(one, torch.from_numpy(few.stored), certain, SHORT, generator=torch.Generator().manual_seed(0))
    losses = fitted(other, few, SHORT)
    assert report.losses == pytest.approx(losses, rel=1e-3)


def test_another_loss_and_a_perturbation_are_used(few):
    seen: list[float] = []

    def darken(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
        assert inputs.shape[1:] == (1, 8, 8)
        assert len(targets) == len(inputs)
        seen.append(float(inputs.max()))
        return inputs * 0

    def constant(logits: Tensor, targets: Tensor) -> Tensor:
        assert torch.equal(logits[0], logits[-1])  # all inputs were black
        return (logits * 0).sum() + 2.5

    losses = fitted(build(SPEC), few, TrainRecipe(epochs=1, augment="none"), perturb=darken, loss=constant)
    assert losses == [pytest.approx(2.5 * 128 / 129)]  # one image is left over, of which BatchNorm has no variance
    assert max(seen) == 1.0


@pytest.mark.parametrize("count", [1, 2, 33])
def test_sets_of_any_size_are_trained_on(count, few):
    spec = ModelSpec(**{**SPEC.model_dump(), "arch": "mlp", "arch_args": {"width": 4}})
    losses = fitted(build(spec), few.take(slice(0, count)), SHORT)
    assert np.isfinite(losses).all()


def test_predictions_do_not_depend_on_the_batch_or_the_spelling(few, digits: Digits):
    images = torch.from_numpy(few.stored)
    whole = predict(digits.source, images)
    assert whole.shape == (129, 10)
    torch.testing.assert_close(predict(digits.source, images, batch_size=10), whole, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(predict(digits.source, images.float() / 255), whole, atol=1e-4, rtol=1e-4)
    assert not whole.requires_grad


def test_accuracy_is_the_share_of_right_answers(digits: Digits):
    images = torch.from_numpy(digits.queries.stored)
    labels = predict(digits.source, images).argmax(1)
    assert accuracy(digits.source, images, labels) == 1.0
    wrong = labels.clone()
    wrong[:30] = (wrong[:30] + 1) % 10
    assert accuracy(digits.source, images, wrong) == pytest.approx(1 - 30 / len(labels))


def test_fine_tuning_starts_from_where_the_model_is(digits: Digits, few):
    model: Normalized = copy.deepcopy(digits.source)
    losses = fitted(model, few, TrainRecipe(epochs=1, lr=0.001, schedule="constant", shift=1))
    assert losses[0] < 0.7
    assert losses[0] < digits.trained.report.losses[0] / 2


@pytest.mark.parametrize(
    ("shape", "augment", "epochs"),
    [((1, 8, 8), "shift", 20), ((1, 28, 28), "shift-flip", 10), ((3, 32, 32), "shift-flip", 24)],
)
def test_the_default_recipe_suits_the_data(shape, augment, epochs):
    data = LabelledSet(
        name="x", stored=np.zeros((4, *shape), np.uint8), labels=np.zeros(4, np.int64), class_names=("a", "b")
    )
    recipe = default_recipe(data)
    assert (recipe.augment, recipe.epochs) == (augment, epochs)
    assert default_recipe(data, epochs=3).epochs == 3
    assert spec_for(data, "cnn").std == (0.001,) * shape[0]  # of images without any contrast


def test_a_spec_is_normalised_by_its_own_data():
    draw = np.random.default_rng(0)
    images = draw.integers(0, [[[100]], [[200]], [[256]]], (50, 3, 8, 8)).astype(np.uint8)
    data = LabelledSet(name="x", stored=images, labels=np.arange(50) % 2, class_names=("a", "b"))
    spec = spec_for(data, "cnn", {"width": 4})
    assert (spec.channels, spec.size, spec.classes, spec.arch_args) == (3, 8, 2, {"width": 4})
    for channel in range(3):
        assert spec.mean[channel] == pytest.approx((images[:, channel] / 255).mean(), abs=1e-4)
        assert spec.std[channel] == pytest.approx((images[:, channel] / 255).std(), abs=1e-4)
