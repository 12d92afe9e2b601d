"""ModelDiff: its vectors against scipy, its bound against all corners, its twins on digits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import distance

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import UNANSWERED, Answers
from modelprint.modalities.image import IMAGE
from modelprint.ownership.craft import craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.modeldiff import ModelDiff, least_cosine, spread_of
from modelprint.stats.cosine import cosine

GROUP = np.repeat(np.arange(6), 2)


def answers(seed: int) -> Answers:
    scores = np.random.default_rng(seed).dirichlet(np.full(4, 0.5), size=12).astype(np.float32)
    return Answers(labels=scores.argmax(1), scores=scores)


def test_the_score_is_the_cosine_of_cosine_distances() -> None:
    source, suspect = answers(0), answers(1)
    vectors = [
        [distance.cosine(model.scores[2 * pair], model.scores[2 * pair + 1]) for pair in range(6)]
        for model in (source, suspect)
        if model.scores is not None
    ]
    expected = 1 - distance.cosine(*vectors)
    assert ModelDiff().score({"group": GROUP}, source, suspect) == pytest.approx(expected, abs=1e-6)
    assert ModelDiff().score({"group": GROUP}, source, source) == pytest.approx(1.0)


def test_labels_say_whether_the_class_changes() -> None:
    source = Answers(labels=np.array([0, 1, 0, 0]), scores=np.eye(2, dtype=np.float32)[[0, 1, 0, 0]])
    state = {"group": np.array([0, 0, 1, 1])}
    assert ModelDiff().score(state, source, Answers(labels=np.array([1, 0, 1, 1]))) == pytest.approx(1.0)
    assert ModelDiff().score(state, source, Answers(labels=np.array([0, 0, 0, 1]))) == 0.0


def test_the_bound_is_reached_at_a_corner_and_nothing_inside_is_lower() -> None:
    draw = np.random.default_rng(2)
    for _ in range(50):
        own, theirs, hidden = draw.random(4), draw.random(4), draw.random(5)
        whole = np.concatenate([own, hidden])
        corners = [
            cosine(whole, np.concatenate([theirs, corner])) for corner in itertools.product((0.0, 1.0), repeat=5)
        ]
        inside = [cosine(whole, np.concatenate([theirs, draw.random(5)])) for _ in range(100)]
        assert least_cosine(own, theirs, hidden) == pytest.approx(min(corners))
        assert least_cosine(own, theirs, hidden) <= min(inside)


def test_a_pair_counts_whole_or_not_at_all() -> None:
    source, suspect = answers(0), answers(1)
    first = suspect.take(np.arange(12))
    first.labels[11] = UNANSWERED
    state = {"group": GROUP}
    shorter = ModelDiff().score({"group": GROUP[:10]}, source.take(np.arange(10)), suspect.take(np.arange(10)))
    assert ModelDiff().score(state, source, first) == pytest.approx(shorter)
    assert ModelDiff().details(state, source, first)["pairs"] == 5


def test_spread_is_divergence_times_diversity() -> None:
    draw = np.random.default_rng(4)
    one, before, others = draw.random((5, 3)), draw.random((5, 3)), draw.random((7, 3))
    expected = np.linalg.norm(one - before, axis=1) * distance.cdist(one, others).mean(axis=1)
    assert spread_of(one, before, others) == pytest.approx(expected)


def test_twins_are_near_and_answered_differently(enrollment: Enrollment) -> None:
    scheme = ModelDiff(queries=40)
    made = craft(scheme, enrollment, seed=1)
    stored = made.queries.stored
    change = np.abs(stored[0::2].astype(int) - stored[1::2].astype(int))
    assert 0 < change.max() <= scheme.epsilon * 255
    assert IMAGE.codec(stored) == "uint8-image"
    assert made.source.scores is not None
    distances = scheme.details(made.state, made.source, made.source)
    assert distances["pairs"] == 20
    assert distances["distance"] > 0.3  # a mean of 1 is another class, for sure, in every pair
    assert made.queries.report["spread"] > 0.3


def test_a_budget_of_one_holds_no_pair(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="holds no pair"):
        craft(ModelDiff(), replace(enrollment, budget=1), seed=1)
