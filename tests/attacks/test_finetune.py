"""Fine-tuning moves what it says, and keeps the source's worth."""

from __future__ import annotations

import pytest
import torch

from modelprint.attacks.finetune import FTAL, FTLL, RTAL, RTLL
from modelprint.nn.architectures import Normalized
from modelprint.training.loop import predict
from tests.attacks.conftest import World


def moved(before: Normalized, after: Normalized) -> set[str]:
    other = after.state_dict()
    return {name for name, tensor in before.state_dict().items() if not torch.equal(tensor, other[name])}


@pytest.mark.parametrize("attack", [FTLL(), RTLL(), FTLL(augment="shift", epochs=2)])
def test_last_layer_alone_moves(attack: FTLL | RTLL, world: World) -> None:
    made = attack.run(world.source, world.spec, world.attacker, seed=0).model
    assert moved(world.source, made) == {"body.head.weight", "body.head.bias"}


@pytest.mark.parametrize("attack", [FTAL(), RTAL()])
def test_all_layers_move(attack: FTAL | RTAL, world: World) -> None:
    made = attack.run(world.source, world.spec, world.attacker, seed=0).model
    assert {name for name, _ in made.named_parameters()} <= moved(world.source, made)
    assert "body.features.0.1.running_mean" in moved(world.source, made)


@pytest.mark.parametrize("attack", [FTLL(), FTAL(), RTLL(), RTAL()])
def test_copies_keep_accuracy_and_agree_more_than_a_stranger(attack: FTLL, world: World) -> None:
    made = attack.run(world.source, world.spec, world.attacker, seed=0).model
    assert world.accuracy(made) > world.accuracy(world.source) - 0.1
    assert world.agreement(made) > world.agreement(world.stranger)


def test_kept_features_train_the_same_head_as_the_whole_network(world: World) -> None:
    """The short cut is exact: a model whose body is no `Net` takes the long way, to the same weights."""
    mean, std = (tuple(value.flatten().tolist()) for value in (world.source.mean, world.source.std))
    long_way = Normalized(torch.nn.Sequential(world.source.body), mean, std)
    images = torch.from_numpy(world.holdout.stored)
    short, long = (
        predict(FTLL(epochs=3).run(model, world.spec, world.attacker, seed=0).model, images)
        for model in (world.source, long_way)
    )
    assert torch.allclose(short, long, atol=1e-3)
