"""IPGuard: its points really lie within k of the boundary, as they are stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.core.errors import FingerprintError
from modelprint.ownership.craft import Crafted, craft
from modelprint.schemes.base import Enrollment
from modelprint.schemes.ipguard import IPGuard, aruc, boundary_loss
from modelprint.training.loop import predict
from tests.schemes.world import missing, score

SCHEME = IPGuard(queries=40, k=4.0)


@pytest.fixture(scope="module")
def made(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def margins(made: Crafted) -> tuple[np.ndarray, np.ndarray]:
    """Z_j - Z_i, and Z_i - max Z_t, of the stored points."""
    assert made.source.scores is not None
    logits, row = made.source.scores.astype(float), np.arange(len(made.source))
    own, target = made.state["start"], made.state["target"]
    others = logits.copy()
    others[row, own] = others[row, target] = -np.inf
    return logits[row, target] - logits[row, own], logits[row, own] - others.max(1)


@pytest.mark.parametrize("k", [4.0, 0.5])
def test_points_are_within_k_of_the_boundary_of_two_classes(made: Crafted, enrollment: Enrollment, k: float) -> None:
    made = made if k == SCHEME.k else craft(replace(SCHEME, k=k), enrollment, seed=0)
    across, above = margins(made)
    assert (across >= k - 1e-4).all()
    assert np.median(across) < k + 0.5  # the last step goes a little further
    assert (across < k + 2.5).all()
    assert (above >= -1e-4).all()
    assert (made.source.labels == made.state["target"]).all()


def test_a_smaller_rate_ends_nearer_to_k(enrollment: Enrollment) -> None:
    fast, slow = (margins(craft(replace(SCHEME, rate=rate), enrollment, seed=0))[0] for rate in (0.01, 0.001))
    assert slow.mean() - 4 < fast.mean() - 4
    assert slow.max() < 4.5


def test_k_may_be_a_share_of_the_logit_spread(enrollment: Enrollment) -> None:
    spread = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).numpy().std(axis=1, ddof=1).mean()
    made = craft(replace(SCHEME, k=0.5, k_unit="spread"), enrollment, seed=0)
    assert made.queries.report["k_in_logits"] == pytest.approx(0.5 * spread, rel=1e-4)
    assert (margins(made)[0] >= 0.5 * spread - 1e-3).all()


def test_own_mistakes_start_several_points_each(enrollment: Enrollment) -> None:
    made = craft(replace(SCHEME, start="mistakes"), enrollment, seed=0)
    wrong = (predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).argmax(1).numpy()
             != enrollment.seeds.labels).sum()  # fmt: skip
    assert wrong < len(made.queries) <= 40
    assert (made.state["start"] != made.queries.labels).all()
    pairs = {(image.tobytes(), target) for image, target in zip(made.queries.stored, made.state["target"], strict=True)}
    assert len(pairs) == len(made.queries)


def test_training_images_are_asked_for_and_used(enrollment: Enrollment) -> None:
    scheme = replace(SCHEME, start="training", steps=1, k=0.0, rate=1e-9)
    with pytest.raises(FingerprintError, match="--train-data"):
        craft(scheme, replace(enrollment, train_images=None), seed=0)
    with pytest.raises(FingerprintError, match="none of 120 points came within 0"):
        craft(scheme, enrollment, seed=0)
    assert len(craft(replace(SCHEME, start="training", queries=5), enrollment, seed=0).queries) == 5


def test_noise_is_labelled_as_the_source_does(enrollment: Enrollment) -> None:
    made = craft(replace(SCHEME, start="random", queries=10), enrollment, seed=0)
    assert (made.queries.labels == made.state["start"]).all()


def test_the_least_likely_class_may_be_the_target(enrollment: Enrollment) -> None:
    made = craft(replace(SCHEME, target="least-likely", queries=10), enrollment, seed=0)
    other = craft(replace(SCHEME, queries=10), enrollment, seed=0)
    assert made.queries.report["mean_steps"] > other.queries.report["mean_steps"]


def test_the_score_is_the_matching_rate(made: Crafted) -> None:
    answers = missing(made.source, np.arange(20))
    answers.labels[20:25] = (answers.labels[20:25] + 1) % 10
    assert score(SCHEME, made, answers) == pytest.approx(15 / 20)


def test_the_loss_is_zero_exactly_within() -> None:
    logits = torch.tensor([[1.0, 6.0, 0.5], [1.0, 6.0, 2.0], [5.0, 6.0, 0.0]])
    own, targets = torch.zeros(3, dtype=torch.int64), torch.ones(3, dtype=torch.int64)
    assert boundary_loss(logits, own, targets, 4.0).tolist() == [0.0, 1.0, 3.0]


def test_aruc_is_the_integral(made: Crafted) -> None:
    generator = np.random.default_rng(0)
    derived, independent = generator.random(7), generator.random(5) * 0.8
    steps = (np.arange(200_000) + 0.5) / 200_000
    shares = np.minimum(
        (derived[:, None] >= steps).mean(0),
        (independent[:, None] < steps).mean(0),
    )
    assert aruc(derived, independent) == pytest.approx(shares.mean(), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"steps": 0}, {"k": -1.0}, {"rate": 0.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least"):
        IPGuard(**wrong)
