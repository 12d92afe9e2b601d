"""Weights that hold enough settle a verdict: one order of two stages, and the rate of false positives holds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np

from modelprint.core.access import Access
from modelprint.ownership.decide import Decision
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.kinds import Group
from modelprint.ownership.levels import Level
from modelprint.ownership.staging import after_weights, settled_by_weights
from modelprint.stats.calibration import rank_p_value, ranked_by_kind

ALPHA, N = 0.1, 19


def fingerprint(weights: np.ndarray) -> Fingerprint:
    """What staging reads of one whose calibration models hold this share of the source's weights."""
    groups, families = (Group(),) * len(weights), tuple(map(str, range(len(weights))))
    models = [
        SimpleNamespace(weights=float(share), group=group, family=family)
        for share, group, family in zip(weights, groups, families, strict=True)
    ]
    manifest = SimpleNamespace(calibration=models)
    return cast(Fingerprint, SimpleNamespace(groups=groups, families=families, manifest=manifest))


def decision(scores: np.ndarray) -> Decision:
    """On the first model, by its rank among the others."""
    rank = ranked_by_kind(scores[1:], [Group()] * (len(scores) - 1), ALPHA, score=float(scores[0]))
    assert rank.p_value is not None
    return Decision(
        outcome="derived" if rank.p_value <= ALPHA else "not-shown",
        message="",
        score=float(scores[0]),
        p_value=rank.p_value,
        threshold=rank.threshold,
        false_accusations=None,
        calibration_scores=scores[1:],
        relation="unknown",
    )


def staged(weights: np.ndarray, combined: np.ndarray) -> Decision:
    """On the first model, by its weights if these settle it, else by its combined score."""
    held = fingerprint(weights[1:])
    by_weights = decision(weights)
    level = Level(
        access=Access.WEIGHTS, scheme="lineage", queries=0, resolution=0.01, decision=by_weights,
        calibration=weights[1:],
    )  # fmt: skip
    if settled_by_weights(level, held, alpha=ALPHA):
        return by_weights
    return after_weights(decision(combined), level, held, alpha=ALPHA)


def test_the_rank_in_both_stages_is_exact() -> None:
    """Independent models of which a tenth hold enough of the source's weights, as siblings may."""
    random = np.random.default_rng(0)
    rounds, derived, either = 2000, 0, 0
    for _ in range(rounds):
        weights = np.where(random.random(N + 1) < 0.1, random.uniform(0.5, 1, N + 1), random.normal(0, 0.05, N + 1))
        combined = random.normal(size=N + 1) - 3 * (weights >= 0.5)  # what holds enough is unlike in its answers
        derived += staged(weights, combined).outcome == "derived"
        looks = rank_p_value(float(weights[0]), weights[1:]), rank_p_value(float(combined[0]), combined[1:])
        either += min(looks) <= ALPHA
    assert derived / rounds <= ALPHA + 3 * (ALPHA / rounds) ** 0.5
    assert either / rounds > 1.5 * ALPHA  # two looks would not keep it


def test_models_that_hold_enough_stand_above_a_suspect_that_does_not() -> None:
    weights = np.array([0.1, 0.9, 0.8, *np.zeros(N - 2)])
    combined = np.array([5.0, *np.zeros(N)])
    assert decision(combined).outcome == "derived"
    after = staged(weights, combined)
    assert (after.outcome, after.p_value) == ("not-shown", 3 / 20)
    assert "2 calibration models hold enough" in after.message


def test_weights_settle_nothing_with_too_few_calibration_models() -> None:
    weights = np.array([0.9, *np.zeros(5)])
    level = Level(
        access=Access.WEIGHTS, scheme="lineage", queries=0, resolution=0.01, calibration=weights[1:],
        decision=decision(weights),
    )  # fmt: skip
    assert not settled_by_weights(level, fingerprint(weights[1:]), alpha=ALPHA)
    assert settled_by_weights(level, fingerprint(np.zeros(9)), alpha=ALPHA)
    low = replace(level, decision=decision(np.array([0.4, *np.zeros(9)])))
    assert not settled_by_weights(low, fingerprint(np.zeros(9)), alpha=ALPHA)
