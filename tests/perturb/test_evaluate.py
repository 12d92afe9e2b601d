"""Labels, logits and gradients of a model, and what of them is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import DeviceError
from modelprint.perturb.evaluate import Evaluator, frozen


def network() -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 36, 5)).double().eval()
    for parameter in model.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64) / 4
    return model


@pytest.fixture
def points() -> torch.Tensor:
    return torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_rows_without_a_target_get_no_gradient_and_change_no_other(points: torch.Tensor) -> None:
    with frozen(network()) as model:
        whole = Evaluator(model).aim(points, lambda part, logits: np.array([1, 2, 3, 4])[part])
        some = Evaluator(model).aim(points, lambda part, logits: np.array([1, -1, 3, -1])[part])
        np.testing.assert_array_equal(some.logits, model(points).numpy())
    assert (some.labels == some.logits.argmax(1)).all()
    assert (some.sign[[0, 2]] == whole.sign[[0, 2]]).all()
    assert (some.sign[[1, 3]] == 0).all()
    assert (whole.sign != 0).any(dim=(1, 2, 3)).all()


def test_where_nobody_wants_a_gradient_none_is_computed(points: torch.Tensor) -> None:
    with frozen(network()) as model:
        evaluator = Evaluator(model)
        aim = evaluator.aim(points, lambda part, logits: np.full(len(logits), -1))
        assert (evaluator.forwards, evaluator.backwards) == (4, 0)
        assert not aim.sign.any()


def test_large_images_go_one_by_one_to_spare_gradients() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2, bias=False))
    model[1].weight.data = torch.linspace(-1, 1, 2 * 3 * 224 * 224).view(2, -1)
    images = torch.rand(3, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with frozen(model) as source:
        counts = {}
        for sparing in (False, True):
            evaluator = Evaluator(source, sparing=sparing)
            aim = evaluator.aim(images, lambda part, logits: np.array([0, -1, -1])[part])
            counts[sparing] = (evaluator.forwards, evaluator.backwards)
            assert aim.sign.flatten(1).any(1).tolist() == [True, False, False]
    assert counts == {False: (3, 3), True: (3, 1)}


class Small(nn.Module):
    """A network that has memory for two points at once, in the forward or in the backward pass."""

    def __init__(self, model: nn.Module, *, backward: bool) -> None:
        super().__init__()
        self.model = model
        self.backward = backward

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        if self.backward and points.requires_grad:
            points.register_hook(self.full)
        elif not self.backward:
            self.full(points)
        return self.model(points)

    @staticmethod
    def full(values: torch.Tensor) -> None:
        if len(values) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize("backward", [False, True])
def test_a_batch_that_does_not_fit_is_halved_and_its_targets_are_drawn_once(backward: bool) -> None:
    points = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    asked: list[int] = []

    def choose(part: slice, logits: np.ndarray) -> np.ndarray:
        assert len(logits) == part.stop - part.start
        asked.extend(range(part.start, part.stop))
        return (logits.argmax(1) + 1) % 5

    with frozen(network()) as model:
        whole = Evaluator(model).aim(points, lambda part, logits: (logits.argmax(1) + 1) % 5)
        evaluator = Evaluator(Small(model, backward=backward))
        aim = evaluator.aim(points, choose)
        labels = evaluator.labels(points)
    assert asked == list(range(7))
    assert (evaluator.forwards, evaluator.backwards) == (14, 7)
    assert (aim.labels == whole.labels).all()
    assert (labels == whole.labels).all()
    np.testing.assert_allclose(aim.logits, whole.logits, rtol=1e-12)
    assert (aim.sign == whole.sign).all()


def test_a_point_that_never_fits_is_one_clear_error(points: torch.Tensor) -> None:
    class Full(nn.Module):
        def forward(self, points: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    for work in (
        lambda evaluator: evaluator.labels(points),
        lambda evaluator: evaluator.aim(points, lambda part, logits: logits.argmax(1)),
    ):
        with pytest.raises(DeviceError, match="the source model runs out of memory with a single input"):
            work(Evaluator(Full()))
