"""Sketches of weights: the form of a file does not count, other weights do."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from modelprint.nn.likeness import SAMPLE, WeightSketch, sketch_of, weight_distance


def net(seed: int, width: int = 40) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(30, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.Linear(width, 5),
    )


class Renamed(nn.Module):
    """The layers of `net` under other names, in another order."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        first, second, third, last = (copy.deepcopy(layer) for layer in inner if isinstance(layer, nn.Linear))  # type: ignore[attr-defined]
        self.classifier, self.c, self.b, self.a = last, third, second, first


def sketched(module: nn.Module) -> WeightSketch:
    sketch = sketch_of(module)
    assert sketch is not None
    return sketch


def changed(module: nn.Module, dtype: torch.dtype | None = None, noise: float = 0.0) -> nn.Module:
    other = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in other.parameters():
            tensor.add_(noise * tensor.std() * torch.randn(tensor.shape, generator=generator))
            if dtype is not None:
                tensor.copy_(tensor.to(dtype).float())
    return other


def test_names_order_prefix_and_float16_do_not_count() -> None:
    module = net(0)
    same = [Renamed(module), nn.Sequential(OrderedDict(module=module)), changed(module, torch.float16)]
    assert {sketched(one).values for one in same} == {sketched(module).values}
    for one in same:
        distance = weight_distance(sketched(module), sketched(one))
        assert distance is not None
        assert distance.same


def test_bfloat16_is_the_same_network_and_a_little_noise_is_not() -> None:
    module = net(0)
    rounded = weight_distance(sketched(module), sketched(changed(module, torch.bfloat16)))
    noisy = weight_distance(sketched(module), sketched(changed(module, noise=0.01)))
    assert rounded is not None
    assert noisy is not None
    assert (rounded.same, noisy.same) == (True, False)
    assert sketched(module).values != sketched(changed(module, noise=0.01)).values


def test_networks_apart_are_far_and_a_tuned_one_is_near() -> None:
    apart = weight_distance(sketched(net(0)), sketched(net(1)))
    near = weight_distance(sketched(net(0)), sketched(changed(net(0), noise=0.1)))
    assert apart is not None
    assert near is not None
    assert apart.overall > 1.2
    assert near.overall == pytest.approx(0.1, rel=0.1)


def test_the_sample_estimates_the_distance_of_all_numbers() -> None:
    module = net(0, width=600)  # 750,000 numbers
    other = changed(module, noise=0.2)
    sketch = sketched(module)
    assert sum(map(len, sketch.samples)) <= SAMPLE
    mine, theirs = (
        torch.cat([tensor.detach().flatten() for tensor in one.parameters() if tensor.ndim == 2])
        for one in (module, other)
    )
    exact = float((mine - theirs).norm() / (mine.norm() * theirs.norm()).sqrt())
    estimated = weight_distance(sketch, sketched(other))
    assert estimated is not None
    assert estimated.overall == pytest.approx(exact, rel=0.03)


def test_other_shapes_have_no_distance_and_a_common_trunk_has_one() -> None:
    assert weight_distance(sketched(net(0)), sketched(net(0, width=41))) is None
    headless = nn.Sequential(*copy.deepcopy(net(0))[:-1])  # type: ignore[index]
    trunk = weight_distance(sketched(net(0)), sketched(headless))
    assert trunk is not None
    assert trunk.overall == 0.0
    assert not trunk.same


def test_networks_with_other_numbers_of_tensors_are_compared_where_they_are_alike() -> None:
    torch.manual_seed(0)
    trunk = nn.Linear(300, 300)
    few, many = nn.Sequential(trunk), nn.Sequential(copy.deepcopy(trunk), *(nn.Linear(10, 10) for _ in range(20)))
    assert len(sketched(few).samples[0]) > len(sketched(many).samples[0])
    distance = weight_distance(sketched(few), sketched(many))
    assert distance is not None
    assert distance.overall == 0.0


def test_networks_without_weights_or_of_zeros() -> None:
    assert sketch_of(nn.Flatten()) is None
    zero = copy.deepcopy(net(0))
    with torch.no_grad():
        for tensor in zero.parameters():
            tensor.zero_()
    nothing = weight_distance(sketched(zero), sketched(zero))
    other = weight_distance(sketched(zero), sketched(net(0)))
    assert nothing is not None
    assert other is not None
    assert (nothing.overall, nothing.same) == (0.0, True)
    assert other.overall == pytest.approx(math.sqrt(2))
