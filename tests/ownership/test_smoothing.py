"""Smoothed scores: noise in the source's units, the same for permuted copies, and certificates that hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.ownership.smoothing import Smoothing


def net(seed: int, width: int = 16) -> nn.Module:
    torch.manual_seed(seed)
    return ARCHITECTURES["mlp"](channels=1, size=4, classes=3, width=width, depth=1).eval()


POINTS = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def agreement(source: nn.Module, other: nn.Module) -> float:
    return float((source(POINTS).argmax(1) == other(POINTS).argmax(1)).float().mean())


def test_noise_has_the_size_that_is_stated() -> None:
    source = net(0)
    smoothing = Smoothing.of(source, sigma=0.1)
    distances = []
    for noisy in smoothing.noisy(source, 20, torch.Generator().manual_seed(1)):
        squares = sum(
            float(((value.detach() - start) / smoothing.units[name]).square().sum())
            for (name, value), start in zip(noisy.named_parameters(), _normal(source), strict=True)
        )
        distances.append(squares)
    size = sum(value.numel() for value in source.parameters())
    assert np.mean(distances) == pytest.approx(0.01 * size, rel=0.1)


def _normal(source: nn.Module) -> list[torch.Tensor]:
    from modelprint.nn.normal_form import normal_form

    return [value.detach() for value in normal_form(source).parameters()]


def test_the_distance_does_not_see_scales_and_sees_moves() -> None:
    source, moved = net(0), net(0)
    smoothing = Smoothing.of(source, sigma=0.1)
    with torch.no_grad():
        moved.features[1].weight[3] *= 7.0
        moved.features[1].bias[3] *= 7.0
        moved.head.weight[:, 3] /= 7.0
    assert smoothing.distance(source, moved) == pytest.approx(0.0, abs=1e-4)
    with torch.no_grad():
        moved.head.bias[0] += 0.3
    assert smoothing.distance(source, moved) == pytest.approx(0.3 / smoothing.units["head.bias"], rel=1e-3)
    assert smoothing.distance(source, net(1, width=8)) is None


def test_within_the_radius_votes_are_above_the_bound() -> None:
    """A copy moved by the certified distance in a random direction: its votes stay above what is certified."""
    source = net(0)
    smoothing = Smoothing.of(source, sigma=0.3)
    draw = torch.Generator().manual_seed(2)

    def score(module: nn.Module) -> float:
        return agreement(source, module)

    certified = smoothing.certify(source, score, threshold=0.6, draws=300, generator=draw)
    assert certified.radius > 0.1
    moved = next(Smoothing.of(source, sigma=certified.radius / sum(p.numel() for p in source.parameters()) ** 0.5)
                 .noisy(source, 1, draw))  # fmt: skip
    assert smoothing.distance(source, moved) == pytest.approx(certified.radius, rel=0.35)
    assert np.median(smoothing.scores(moved, score, draws=101, generator=draw)) > 0.6


def test_independent_models_are_far_and_below() -> None:
    source, other = net(0), net(5)
    smoothing = Smoothing.of(source, sigma=0.2)
    draw = torch.Generator().manual_seed(3)
    scores = smoothing.scores(other, lambda module: agreement(source, module), draws=25, generator=draw)
    assert np.median(scores) < 0.9
    assert smoothing.distance(source, other) > 10  # type: ignore[operator]
    with pytest.raises(ModelError, match="sigma"):
        Smoothing.of(source, sigma=0.0)
