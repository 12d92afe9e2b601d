"""What is made from the weights: fine-pruning, adversarial training, quantisation, noise, RemovalNet, transfer ..."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from modelprint.attacks.adversarial import AdversarialTraining
from modelprint.attacks.base import Attack
from modelprint.attacks.chain import Chain
from modelprint.attacks.fineprune import FinePrune, mean_activity
from modelprint.attacks.make import make
from modelprint.attacks.noise import WeightNoise
from modelprint.attacks.prune import prunable, sparsity
from modelprint.attacks.quantise import Quantise
from modelprint.attacks.removalnet import RemovalNet
from modelprint.attacks.transfer import Transfer
from modelprint.core.errors import UsageError
from modelprint.nn.architectures import Normalized
from modelprint.nn.heads import head_of
from modelprint.perturb.pgd import pgd
from modelprint.training.loop import predict
from tests.attacks.conftest import World


def made(attack: Attack, world: World) -> Normalized:
    return attack.run(world.source, world.spec, world.attacker, seed=0).model


@pytest.mark.parametrize(
    "attack",
    [
        FinePrune(),
        AdversarialTraining(epsilon=0.01, epochs=5),
        Quantise(to="int8"),
        Quantise(to="min-max", bits=5),
        WeightNoise(),
        RemovalNet(iterations=200),
        Chain(),
        Chain(steps="extract-soft epochs=20 > ftal epochs=3"),
    ],
    ids=lambda attack: attack.name,
)
def test_copies_keep_accuracy_and_agree_more_than_a_stranger(attack: Attack, world: World) -> None:
    copy = made(attack, world)
    assert world.accuracy(copy) > 0.85
    assert world.agreement(copy) > world.agreement(world.stranger)


def test_fine_pruning_takes_the_least_active_units_and_they_stay_gone(world: World) -> None:
    activity = mean_activity(world.source, head_of(world.source, world.spec), torch.from_numpy(world.attacker.stored))
    gone = (made(FinePrune(rate=0.5), world).body.head.weight == 0).all(0)
    assert int(gone.sum()) == 16
    assert activity[gone].max() <= activity[~gone].min()


def test_adversarial_training_makes_the_copy_robust(world: World) -> None:
    images, labels = torch.from_numpy(world.holdout.stored).float() / 255, torch.from_numpy(world.holdout.labels)
    epsilon = 0.15

    def robust(model: Normalized) -> float:
        moved = pgd(model, images, labels, epsilon=epsilon, steps=10)
        return float((predict(model, moved).argmax(1) == labels).float().mean())

    hardened = made(AdversarialTraining(epsilon=epsilon, epochs=10, lr=0.02), world)
    assert robust(hardened) > robust(world.source) + 0.1
    assert world.accuracy(hardened) > 0.8


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (4, 16)])
def test_min_max_leaves_few_values(bits: int, levels: int, world: World) -> None:
    for before, after in zip(
        prunable(world.source), prunable(made(Quantise(to="min-max", bits=bits), world)), strict=True
    ):
        assert len(after.weight.unique()) <= levels
        width = (before.weight.max() - before.weight.min()) / (levels - 1)
        assert (before.weight - after.weight).abs().max() <= width / 2 + 1e-6


def test_int8_is_symmetric_per_channel(world: World) -> None:
    for before, after in zip(prunable(world.source), prunable(made(Quantise(to="int8"), world)), strict=True):
        step = before.weight.abs().flatten(1).amax(1) / 127
        grid = after.weight.flatten(1) / step[:, None]
        assert torch.allclose(grid, grid.round(), atol=1e-3)
        assert ((before.weight - after.weight).flatten(1).abs() <= step[:, None] / 2 + 1e-6).all()


@pytest.mark.parametrize(("to", "dtype"), [("float16", torch.float16), ("bfloat16", torch.bfloat16)])
def test_half_precision_rounds_every_weight(to: str, dtype: torch.dtype, world: World) -> None:
    copy = made(Quantise.configured({"to": to}), world)
    for name, tensor in world.source.body.state_dict().items():
        expected = tensor.to(dtype).to(tensor.dtype) if tensor.is_floating_point() else tensor
        assert torch.equal(copy.body.state_dict()[name], expected)


def test_noise_has_its_scale(world: World) -> None:
    copy = made(WeightNoise(scale=0.1), world)
    for before, after in zip(prunable(world.source), prunable(copy), strict=True):
        ratio = float(((after.weight - before.weight).std() / before.weight.std()).detach())
        assert ratio == pytest.approx(0.1, rel=0.25)


def test_removalnet_pushes_features_away_and_keeps_answers(world: World) -> None:
    copy = made(RemovalNet(), world)
    images = torch.from_numpy(world.holdout.stored).float() / 255
    features = [model.body.features((images - model.mean) / model.std) for model in (world.source, copy)]
    assert functional.cosine_similarity(*features).mean() < 0.6
    assert world.accuracy(copy) > 0.85


@pytest.mark.parametrize("attack", [Transfer(classes=5), Chain(steps="transfer classes=5 > ftll epochs=2")])
def test_transfer_tells_other_classes_apart(attack: Attack, world: World) -> None:
    result = make(attack, world.source, world.spec, world.attacker, seed=0, holdout=world.holdout)
    assert result.card.spec.classes == 5
    assert result.card.accuracy is not None
    assert result.card.accuracy > 0.9  # on its own five classes
    assert result.agreement is None


def test_chain_runs_each_attack_in_order(world: World) -> None:
    result = Chain(steps="prune rate=0.8 > ftll epochs=2").run(world.source, world.spec, world.attacker, seed=0)
    assert [step["attack"] for step in result.report["steps"]] == ["prune", "ftll"]
    assert len(result.report["steps"][1]["losses"]) == 2
    assert sparsity(result.model) > 0.7  # the head alone moved after pruning


def test_chain_names_the_step_that_is_wrong() -> None:
    with pytest.raises(UsageError, match=r"steps='prune > steal'.*unknown attack 'steal'"):
        Chain.configured({"steps": "prune > steal"})
    with pytest.raises(UsageError, match="no parameter 'epoch'"):
        Chain.configured({"steps": "ftal epoch=3"})
