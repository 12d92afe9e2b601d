"""GanFinger: pairs of a natural input and an example near it; what counts as a match."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.ganfinger import GanFinger
from tests.schemes.world import score

SCHEME = GanFinger(queries=20, epsilon=0.5, steps=60, hidden=32, samples=1)


@pytest.fixture(scope="module")
def crafted(enrollment: Enrollment) -> Crafted:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    found = craft(SCHEME, enrollment, seed=0)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's random numbers are left alone
    return found


def test_every_pair_is_a_natural_input_and_an_example_near_it(crafted: Crafted, enrollment: Enrollment) -> None:
    pairs = crafted.queries.stored.reshape(-1, 2, *enrollment.seeds.shape).astype(int)
    seeds = {one.tobytes() for one in enrollment.seeds.stored}
    assert all(one.astype(np.uint8).tobytes() in seeds for one in pairs[:, 0])
    assert np.abs(pairs[:, 1] - pairs[:, 0]).max() <= round(0.5 * 255) + 1
    labels = crafted.source.labels.reshape(-1, 2)
    truth = crafted.queries.labels.reshape(-1, 2)
    assert (labels[:, 0] == truth[:, 0]).all()
    assert (labels[:, 1] != truth[:, 1]).all()
    assert crafted.state["group"].tolist() == np.repeat(np.arange(len(pairs)), 2).tolist()
    assert crafted.queries.report["copies"] > crafted.queries.report["references"]


def test_a_pair_matches_where_both_labels_do(crafted: Crafted) -> None:
    state = {"group": np.array([0, 0, 1, 1, 2, 2])}
    source, suspect = Answers(labels=np.arange(6)), Answers(labels=np.array([0, 1, 2, 0, 0, 5]))
    assert GanFinger().score(state, source, suspect) == pytest.approx(1 / 3)
    assert GanFinger().details(state, source, suspect) == {"matched": 1, "pairs": 3}
    cut = Answers(labels=np.array([0, 1, -1, 3, -1, -1]))
    assert GanFinger().score(state, source, cut) == 1.0  # of the one pair that was answered whole
    assert score(SCHEME, crafted, crafted.source) == 1.0
    assert GanFinger().asker(state, 5).total == 4


def test_one_query_holds_no_pair(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="holds no pair"):
        craft(SCHEME, replace(enrollment, budget=1), seed=0)


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"hidden": 0}, {"epsilon": 0.0}, {"rate": 0.0}, {"margin": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        GanFinger(**wrong)
