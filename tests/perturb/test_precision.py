"""Double precision: what a model says, and what becomes of models that have none."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from modelprint.core.errors import FingerprintError
from modelprint.modalities.image import IMAGE
from modelprint.modalities.image.transforms import Blur, Jpeg, Noise, Resize
from modelprint.perturb.expectation import Expected
from modelprint.perturb.precision import Double, in_precision

SHAPE = (1, 8, 8)


def small() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()


def points(count: int = 100) -> Tensor:
    return torch.rand((count, *SHAPE), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_a_model_in_double_says_what_it_says_in_single_and_more_exactly() -> None:
    model, images = small(), points()
    told = in_precision(model, "double", shape=SHAPE)(images)
    assert told.dtype == torch.float64
    assert torch.allclose(told, copy.deepcopy(model).double()(images), rtol=0, atol=1e-14)
    off = (told - model(images.float())).abs().max()
    assert 0 < off < 1e-5


def test_the_model_stays_as_it_was_and_single_is_itself() -> None:
    model = small()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.train()
    double = in_precision(model, "double", shape=SHAPE)
    assert double.training
    assert model.training
    assert all(tensor.dtype == before[name].dtype for name, tensor in model.state_dict().items())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert in_precision(model, "single", shape=SHAPE) is model


def test_gradients_come_through_the_parts_as_through_the_whole() -> None:
    model = small()
    images = points().requires_grad_()
    (parts,) = torch.autograd.grad(Double(model)(images).square().sum(), images)
    (whole,) = torch.autograd.grad(copy.deepcopy(model).double()(images).square().sum(), images)
    assert torch.allclose(parts, whole, rtol=0, atol=1e-12)


class Casting(nn.Module):
    """A model that insists on single precision: on the way in, or on the way out."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__()
        self.body = small()
        self.at_once = at_once

    def forward(self, images: Tensor) -> Tensor:
        told: Tensor = self.body(images.float()) if self.at_once else self.body(images).float()
        return told


@pytest.mark.parametrize("at_once", [True, False])
def test_a_model_that_cannot_is_refused_with_the_way_out(at_once: bool) -> None:
    with pytest.raises(FingerprintError, match=r"does not compute in double precision .*precision=single"):
        in_precision(Casting(at_once=at_once), "double", shape=SHAPE)


def test_points_are_levels_of_255_exactly() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8)
    found = IMAGE.to_model(images, dtype=torch.float64)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found.flatten(), torch.arange(256, dtype=torch.float64) / 255)
    assert IMAGE.to_model(images).dtype == torch.float32


@pytest.mark.parametrize("transform", [Blur(), Jpeg(), Noise(), Resize()])
def test_expected_transforms_do_the_same_in_double(transform: Blur | Jpeg | Noise | Resize) -> None:
    seen = Expected(small(), [transform])
    images = IMAGE.to_model(torch.randint(0, 256, (5, *SHAPE), dtype=torch.uint8), dtype=torch.float64).requires_grad_()
    double = in_precision(seen, "double", shape=SHAPE)(images)
    (exact,) = torch.autograd.grad(double.square().sum(), images)
    single = images.detach().float().requires_grad_()
    told = seen(single)
    (near,) = torch.autograd.grad(told.square().sum(), single)
    assert exact.dtype == torch.float64
    assert torch.allclose(told.double(), double, atol=1e-5)
    assert torch.allclose(near.double(), exact, atol=1e-4)
