"""DeepFool against the closed form of a linear model, and what it promises of a real one."""

from __future__ import annotations

import torch
from torch import nn

from modelprint.perturb.deepfool import deepfool
from tests.conftest import Digits


def linear(weights: torch.Tensor) -> nn.Module:
    layer = nn.Linear(weights.shape[1], len(weights), bias=False)
    layer.weight.data.copy_(weights)
    return nn.Sequential(nn.Flatten(), layer)


def test_of_a_linear_model_it_is_the_distance_to_the_nearest_hyperplane() -> None:
    generator = torch.Generator().manual_seed(0)
    weights, inputs = torch.randn(5, 12, generator=generator), torch.randn(40, 3, 2, 2, generator=generator)
    logits = inputs.flatten(1) @ weights.T
    label = logits.argmax(1)
    ways = weights[None] - weights[label][:, None]
    distances = (logits - logits.gather(1, label[:, None])).abs() / ways.norm(dim=2)
    nearest = distances.masked_fill(distances.isnan(), torch.inf).amin(1)
    found = deepfool(linear(weights), inputs, overshoot=0.02)
    assert found.crossed.all()
    torch.testing.assert_close(found.shift.flatten(1).norm(dim=1), 1.02 * nearest, rtol=1e-3, atol=1e-5)
    assert (found.iterations == 1).all()


def test_it_changes_labels_of_a_trained_model_and_leaves_the_model_alone(digits: Digits) -> None:
    model = digits.source.train()
    images = torch.from_numpy(digits.queries.stored[:60]).float() / 255
    found = deepfool(model, images)
    assert model.training
    model.eval()
    before, after = model(images).argmax(1), model(images + found.shift).argmax(1)
    assert found.crossed.float().mean() > 0.95
    assert torch.equal(found.crossed, before != after)
    halfway = model(images + found.shift / 2).argmax(1)
    assert (halfway == before).float().mean() > 0.9  # it does not overshoot by much


def test_iterations_that_do_not_suffice_are_told(digits: Digits) -> None:
    images = torch.from_numpy(digits.queries.stored[:60]).float() / 255
    few, many = deepfool(digits.source, images, iterations=1), deepfool(digits.source, images, iterations=50)
    assert few.crossed.sum() < many.crossed.sum()
    assert (few.iterations == 1).all()
