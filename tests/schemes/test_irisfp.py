"""IrisFP: groups near all boundaries, their separation and thresholds, and what counts as a match."""

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
from modelprint.schemes.irisfp import IrisFP, divergence, separation, threshold, tilted
from modelprint.training.loop import predict
from tests.schemes.world import score

SCHEME = IrisFP(queries=42, variants=3, steps=25)


@pytest.fixture(scope="module")
def crafted(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def test_points_are_near_all_boundaries(crafted: Crafted, enrollment: Enrollment) -> None:
    at_points = predict(enrollment.source, torch.from_numpy(crafted.queries.stored)).softmax(1)
    at_seeds = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).softmax(1)
    assert at_points.amax(1).mean() < 0.6 < at_seeds.amax(1).mean()
    goal = tilted(at_points.argmax(1), 10, SCHEME.tau)
    assert divergence(at_points.double().log(), goal).mean() < 0.5


def test_groups_are_whole_and_told_apart(crafted: Crafted) -> None:
    group, limits = crafted.state["group"], crafted.state["threshold"]
    assert np.bincount(group).tolist() == [4] * 10  # 42 queries hold ten groups of four
    assert all(len(np.unique(limits[group == number])) == 1 for number in range(10))
    assert crafted.queries.report["tried"] == 20
    assert crafted.queries.report["separation"] > 0
    assert [SCHEME.asker(crafted.state, budget).total for budget in (None, 100, 11, 3)] == [40, 40, 8, 3]


def test_separation_and_threshold_are_their_formulas() -> None:
    draw = np.random.default_rng(0)
    derived, independent = draw.random((6, 5)), draw.random((4, 5))
    for column in range(5):
        near, far = derived[:, column], independent[:, column]
        d = (near.mean() - far.mean()) / np.sqrt((near.var() + far.var()) / 2)
        theta = (near.mean() / near.std() + far.mean() / far.std()) / (1 / near.std() + 1 / far.std())
        assert separation(derived, independent)[column] == pytest.approx(d)
        assert threshold(derived, independent)[column] == pytest.approx(theta)


def test_the_divergence_is_torch_s() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((3, 4), generator=generator, dtype=torch.float64)
    goal = tilted(torch.tensor([0, 3, 1]), 4, 0.3)
    assert goal.sum(1).tolist() == pytest.approx([1.0] * 3)
    expected = torch.nn.functional.kl_div(goal.log(), logits.softmax(1), reduction="none").sum(1)
    assert divergence(logits, goal).tolist() == pytest.approx(expected.tolist())


def test_a_group_matches_from_its_own_threshold_on() -> None:
    state = {"group": np.array([0, 0, 1, 1]), "threshold": np.array([0.5, 0.5, 0.9, 0.9])}
    source, suspect = Answers(labels=np.array([1, 2, 3, 4])), Answers(labels=np.array([1, 0, 3, 0]))
    assert IrisFP().score(state, source, suspect) == pytest.approx(0.5 + 0.001 * 0.5)
    assert IrisFP().details(state, source, suspect) == {"matched": 1, "groups": 2, "mean_match_rate": 0.5}


def test_the_source_matches_every_group(crafted: Crafted) -> None:
    assert score(SCHEME, crafted, crafted.source) == pytest.approx(1.001)


def test_shadow_models_are_needed(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="learns from shadow models"):
        craft(SCHEME, replace(enrollment, surrogates=()), seed=0)


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"variants": -1}, {"tau": 0.0}, {"tries": 0.5}, {"weight": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        IrisFP(**wrong)
