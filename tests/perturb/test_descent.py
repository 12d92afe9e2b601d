"""Adam on pixels: against torch's own, within bounds, each image on its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from modelprint.perturb.descent import descend


def target_loss(points: Tensor, rows: Tensor) -> Tensor:
    goal = torch.tensor([0.2, 0.9, 0.5])[rows, None, None, None]
    return (points - goal).abs().sum((1, 2, 3)) * torch.tensor([1.0, 10.0, 100.0])[rows]


def start() -> Tensor:
    return torch.full((3, 1, 2, 2), 128 / 255)


def test_it_is_torchs_adam_where_rounding_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn((3, 1, 2, 2), generator=generator)

    def linear(points: Tensor, rows: Tensor) -> Tensor:
        return (points * weights[rows]).sum((1, 2, 3))  # the gradient does not depend on the point

    found = descend(start(), linear, steps=20, rate=0.01)
    points = start().requires_grad_()
    optimiser = torch.optim.Adam([points], lr=0.01)
    for _ in range(20):
        optimiser.zero_grad()
        linear(points, torch.arange(3)).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert (found.stored.float() - points.detach() * 255).abs().max() <= 0.51
    assert found.steps.tolist() == [20, 20, 20]


def test_losses_are_those_of_the_stored_images() -> None:
    found = descend(start(), target_loss, steps=30, rate=0.02)
    again = target_loss(found.stored.float() / 255, torch.arange(3))
    assert torch.allclose(found.losses, again)
    assert (found.losses < target_loss(start(), torch.arange(3)))[:2].all()


def test_an_image_stops_alone_where_its_loss_is_low_enough() -> None:
    found = descend(start(), target_loss, steps=200, rate=0.01, until=0.1)
    steps, losses = found.steps.tolist(), found.losses.tolist()
    assert 0 < steps[0] < 200
    assert losses[0] <= 0.1
    alone = descend(start()[:1], target_loss, steps=200, rate=0.01, until=0.1)
    assert (alone.stored == found.stored[:1]).all()
    assert alone.steps.tolist() == steps[:1]


@pytest.mark.parametrize("epsilon", [0.15, 10 / 255, 1 / 255])
def test_no_stored_pixel_leaves_the_ball(epsilon: float) -> None:
    found = descend(start(), target_loss, steps=50, rate=0.05, epsilon=epsilon)
    change = (found.stored.float() / 255 - start()).abs().max()
    assert change <= epsilon + 1e-6
    assert change >= epsilon - 1 / 255


def test_no_step_leaves_the_images_as_they_are() -> None:
    found = descend(start(), target_loss, steps=0, rate=0.05)
    assert (found.stored == 128).all()
    assert torch.allclose(found.losses, target_loss(start(), torch.arange(3)))
