"""PGD stays in its ball, finds the optimum where one knows it, and leaves the model alone."""

from __future__ import annotations

import torch
from torch import nn

from modelprint.perturb.pgd import pgd


def linear() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def test_linear_model_is_attacked_optimally() -> None:
    """For a linear model and two classes the worst point of the ball is x - eps sign(w_y - w_other)."""
    model, epsilon = linear(), 0.03
    inputs = 0.2 + 0.6 * torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8) % 2
    weight = model[1].weight.detach()
    direction = (weight[labels] - weight[1 - labels]).sign().view(8, 1, 4, 4)
    found = pgd(model, inputs, labels, epsilon=epsilon, steps=10)
    assert torch.allclose(found, inputs - epsilon * direction, atol=1e-6)


def test_points_stay_in_the_ball_and_in_range() -> None:
    model = linear()
    inputs = torch.rand(32, 1, 4, 4, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    found = pgd(
        model,
        inputs,
        torch.zeros(32, dtype=torch.int64),
        epsilon=0.2,
        steps=7,
        step_size=0.5,
        generator=torch.Generator().manual_seed(2),
    )
    assert (found - inputs).abs().max() <= 0.2 + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1


def test_loss_can_aim_at_a_target() -> None:
    model = linear()
    inputs = torch.rand(16, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    targets = torch.ones(16, dtype=torch.int64)
    found = pgd(
        model,
        inputs,
        targets,
        epsilon=1.0,
        steps=20,
        loss=lambda logits, target: -nn.functional.cross_entropy(logits, target, reduction="sum"),
    )
    assert (model(found).argmax(1) == targets).all()


def test_model_is_as_before() -> None:
    model = nn.Sequential(nn.BatchNorm2d(1), linear())
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    pgd(model, torch.rand(8, 1, 4, 4), torch.zeros(8, dtype=torch.int64), epsilon=0.1, steps=3)
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
