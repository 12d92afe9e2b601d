"""Walks of older versions come out again point for point, on any processor: what their fingerprints rest on."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.data.labelled import LabelledSet
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment, Queries

FIRST = {10: ("85410bf1f8f74379", "4ac1e343eebc42f3"), 50: ("b99c3d18574b89e5", "9a395b707ebae401")}
SCHEME = AdvTra(trajectories=6, m=3)


def source(classes: int) -> nn.Module:
    """A network whose weights are drawn, not trained: the same everywhere."""
    generator = torch.Generator().manual_seed(1)
    hidden, last = nn.Linear(64, 48), nn.Linear(48, classes)
    for layer in (hidden, last):
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator) / layer.in_features**0.5 * 4
    hidden.bias.data = -0.5 * hidden.weight.data.sum(1)
    last.bias.data = torch.zeros(classes)
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), last).eval()


def crafted(classes: int, scheme: AdvTra) -> Queries:
    model = source(classes)
    images = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (60, 1, 8, 8), dtype=np.uint8)
    seeds = LabelledSet(
        name="noise",
        stored=images,
        labels=model(torch.from_numpy(images).float() / 255).argmax(1).numpy(),
        class_names=tuple(str(number) for number in range(classes)),
    )
    return scheme.craft(Enrollment(source=model, seeds=seeds), torch.Generator().manual_seed(0))


def short(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("classes", FIRST)
def test_the_first_walk_is_what_it_was(classes: int) -> None:
    made = crafted(classes, replace(SCHEME, walk=1))
    assert (short(made.stored), short(made.columns["target"])) == FIRST[classes]


def test_fingerprints_that_name_no_walk_were_made_by_the_first() -> None:
    assert AdvTra.before_named["walk"] == 1


def test_the_second_walk_is_the_first_where_classes_are_few() -> None:
    made = crafted(10, SCHEME)
    assert (short(made.stored), short(made.columns["target"])) == FIRST[10]
    assert made.report == crafted(10, replace(SCHEME, walk=1)).report


def test_the_second_walk_takes_fewer_evaluations_where_classes_are_many() -> None:
    first, second = crafted(50, replace(SCHEME, walk=1)).report, crafted(50, SCHEME).report
    assert second["steps"] == first["steps"]
    assert second["forward_evaluations"] < first["forward_evaluations"]
    assert second["backward_evaluations"] < second["forward_evaluations"] - second["trajectories"]
