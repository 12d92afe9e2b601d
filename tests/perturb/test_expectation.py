"""Expectation over transforms: the mean of the logits, with gradients through what has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import UsageError
from modelprint.modalities.image.transforms import TRANSFORMS
from modelprint.modalities.transform import Transform
from modelprint.perturb.expectation import Expected, stable, transforms_named

LINEAR = ("flip", "blur", "resize")
IMAGES = torch.rand((6, 3, 10, 8), generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(240, 5)).eval()


def test_logits_are_the_mean_over_the_views(model: nn.Module) -> None:
    transforms = transforms_named("jpeg,noise,bit-depth")
    seen = [IMAGES, *(torch.from_numpy(transform(IMAGES.numpy())) for transform in transforms)]
    expected = torch.stack([model(view) for view in seen]).mean(0)
    assert torch.allclose(Expected(model, transforms)(IMAGES), expected, atol=1e-6)
    assert torch.equal(Expected(model, ())(IMAGES), model(IMAGES))


@pytest.mark.parametrize("name", LINEAR)
def test_gradients_are_those_of_finite_differences(model: nn.Module, name: str) -> None:
    points = IMAGES[:1].clone().requires_grad_()
    seen = Expected(model, transforms_named(name))
    seen(points)[0, 2].backward()
    assert points.grad is not None
    step = 1e-2
    draw = np.random.default_rng(1)
    for _ in range(12):
        place = (0, int(draw.integers(3)), int(draw.integers(3, 7)), int(draw.integers(3, 5)))  # not at the border
        up, down = IMAGES[:1].clone(), IMAGES[:1].clone()
        up[place] += step
        down[place] -= step
        slope = float((seen(up)[0, 2] - seen(down)[0, 2]).detach()) / (2 * step)
        assert float(points.grad[place]) == pytest.approx(slope, abs=2e-4)


@pytest.mark.parametrize("name", ["resize", "flip"])
def test_back_is_the_transpose(name: str) -> None:
    transform = TRANSFORMS[name]()
    images, gradient = IMAGES.numpy(), np.random.default_rng(2).random(IMAGES.shape).astype(np.float32)
    assert float((transform(images) * gradient).sum()) == pytest.approx(
        float((images * transform.back(gradient)).sum()), rel=1e-5
    )


@pytest.mark.parametrize("name", ["jpeg", "bit-depth", "noise"])
def test_what_has_no_gradient_passes_it_on(name: str) -> None:
    gradient = np.ones((1, 1, 4, 4), np.float32)
    assert TRANSFORMS[name]().back(gradient) is gradient


def test_stable_is_where_every_view_has_the_label() -> None:
    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            left = images[..., 0].mean((1, 2))
            return torch.stack([self.at.expand_as(left), left - 0.5], dim=1)

    images = np.zeros((3, 1, 4, 4), np.uint8)
    images[1, ..., 0] = 255  # bright on the left alone
    images[2, ..., 0] = images[2, ..., -1] = 255
    labels = np.array([0, 1, 1])
    transforms: list[Transform] = list(transforms_named("flip"))
    assert stable(Bright(), images, labels, transforms).tolist() == [True, False, True]
    assert stable(Bright(), images, labels, []).all()


@pytest.mark.parametrize(("text", "message"), [("jpeg,fog", "unknown transform 'fog'"), ("flip,flip", "named twice")])
def test_what_is_misspelt_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        transforms_named(text)
