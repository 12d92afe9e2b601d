"""Pruning reaches its rate, takes the smallest weights, and fine-tuning does not bring them back."""

from __future__ import annotations

import pytest
import torch

from modelprint.attacks.prune import Prune, prunable, sparsity
from modelprint.nn.architectures import Normalized
from tests.attacks.conftest import World


def magnitudes(model: Normalized) -> torch.Tensor:
    return torch.cat([module.weight.detach().abs().flatten() for module in prunable(model)])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_smallest_weights_of_the_whole_network_become_zero(rate: float, world: World) -> None:
    made = Prune(rate=rate).run(world.source, world.spec, world.attacker, seed=0).model
    before, after = magnitudes(world.source), magnitudes(made)
    assert sparsity(made) == pytest.approx(rate, abs=1e-3)
    assert before[after == 0].max() <= before[after > 0].min()
    assert torch.equal(before[after > 0], after[after > 0])


def test_pruned_weights_stay_zero_and_accuracy_returns(world: World) -> None:
    bare = Prune(rate=0.8).run(world.source, world.spec, world.attacker, seed=0).model
    tuned = Prune(rate=0.8, finetune_epochs=10, lr=0.01).run(world.source, world.spec, world.attacker, seed=0).model
    assert torch.equal(magnitudes(bare) == 0, magnitudes(tuned) == 0)
    assert world.accuracy(tuned) > world.accuracy(bare)
    assert world.accuracy(tuned) > 0.85
    assert set(tuned.state_dict()) == set(world.source.state_dict())
