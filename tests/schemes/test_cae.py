"""CAE: conferrable on models that it was not made with; its loss and its filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from modelprint.core.errors import FingerprintError
from modelprint.ownership.craft import Crafted, craft
from modelprint.perturb.pgd import pgd
from modelprint.schemes.base import Enrollment
from modelprint.schemes.cae import Cae, conferrability, conferrable_loss
from modelprint.training.loop import predict
from tests.conftest import Digits
from tests.schemes.world import copies, missing, modules, score, strangers

SCHEME = Cae(queries=30, epsilon=0.25, rate=0.01, steps=40)


@pytest.fixture(scope="module")
def made(enrollment: Enrollment) -> Crafted:
    return craft(SCHEME, enrollment, seed=0)


def labels(models: tuple[nn.Module, ...], images: np.ndarray) -> np.ndarray:
    return np.stack([predict(model, torch.from_numpy(images)).argmax(1).numpy() for model in models])


def test_points_are_conferrable_on_models_that_they_were_not_made_with(
    made: Crafted, digits: Digits, enrollment: Enrollment
) -> None:
    new_copies, new_strangers = copies(digits, 3, seed=50), strangers(digits, 3, seed=60)
    held_out = conferrability(
        labels(new_copies, made.queries.stored), labels(new_strangers, made.queries.stored), made.source.labels
    )
    right = predict(digits.source, torch.from_numpy(digits.queries.stored)).argmax(1).numpy() == digits.queries.labels
    start = digits.queries.take(np.flatnonzero(right)[:60])
    points = pgd(
        digits.source, torch.from_numpy(start.stored).float() / 255, torch.from_numpy(start.labels),
        epsilon=0.25, steps=40,
    )  # fmt: skip
    plain = points.mul(255).round().to(torch.uint8).contiguous().numpy()
    target = labels((digits.source,), plain)[0]
    fooled = target != start.labels
    usual = conferrability(labels(new_copies, plain), labels(new_strangers, plain), target)[fooled]
    assert held_out.mean() > 0.5
    assert held_out.mean() > usual.mean() + 0.2


def test_the_source_is_fooled_within_epsilon(made: Crafted, enrollment: Enrollment) -> None:
    assert (made.source.labels != made.queries.labels).all()
    seeds = enrollment.seeds.stored.astype(int)
    nearest = [np.abs(seeds - image).max(axis=(1, 2, 3)).min() for image in made.queries.stored]
    assert max(nearest) <= 0.25 * 255


def test_what_is_reported_is_what_the_shadow_models_say(made: Crafted, enrollment: Enrollment) -> None:
    again = conferrability(
        labels(modules(enrollment.surrogates), made.queries.stored),
        labels(modules(enrollment.references), made.queries.stored),
        made.source.labels,
    )
    assert np.allclose(again, made.state["conferrability"])
    assert (np.diff(again) <= 0).all()
    report = made.queries.report
    assert report["conferrable"] == (again >= 0.95).sum()
    assert report["mean_conferrability"] == pytest.approx(again.mean())
    assert again.min() >= 0.25


def test_the_loss_is_its_three_terms() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((4, 5), generator=generator)
    before, surrogates, references = (torch.rand((4, 5), generator=generator).softmax(1) for _ in range(3))
    ensemble = (surrogates * (1 - references)).softmax(1)
    expected = []
    for row in range(4):
        start = int(before[row].argmax())
        best = max(float(ensemble[row, t]) for t in range(5) if t != start)
        away = functional.cross_entropy(logits[row], before[row])
        together = -(logits[row].softmax(0) * surrogates[row].log()).sum()
        expected.append(float(-np.log(best) - 0.3 * away + 0.3 * together))
    found = conferrable_loss(logits, before, surrogates, references, weight=0.3)
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


def test_conferrability_is_the_share_that_follows_times_the_share_that_does_not() -> None:
    surrogates = np.array([[1, 1], [1, 2], [1, 2], [0, 2]])
    references = np.array([[1, 0], [0, 0]])
    assert conferrability(surrogates, references, np.array([1, 2])).tolist() == [0.75 * 0.5, 0.75]


def test_the_score_is_the_share_of_equal_labels(made: Crafted) -> None:
    answers = missing(made.source, np.arange(4))
    answers.labels[4:7] = (answers.labels[4:7] + 1) % 10
    answered = len(made.queries) - 4
    assert score(SCHEME, made, answers) == pytest.approx((answered - 3) / answered)


def test_points_that_are_not_conferrable_are_refused(enrollment: Enrollment) -> None:
    sure = predict(enrollment.source, torch.from_numpy(enrollment.seeds.stored)).softmax(1).amax(1).argsort()[-20:]
    easy = replace(enrollment, seeds=enrollment.seeds.take(sure.numpy()))
    with pytest.raises(FingerprintError, match="none of 20 points is conferrable"):
        craft(replace(SCHEME, epsilon=1 / 255, steps=1), easy, seed=0)


def test_shadow_models_are_needed(enrollment: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="learns from shadow models"):
        craft(SCHEME, replace(enrollment, references=()), seed=0)


def test_models_are_left_as_they_were(made: Crafted, enrollment: Enrollment) -> None:
    for model in (enrollment.source, *modules((*enrollment.surrogates, *enrollment.references))):
        assert all(parameter.requires_grad for parameter in model.parameters())
        assert not model.training


@pytest.mark.parametrize("wrong", [{"queries": 0}, {"dropout": 1.0}, {"epsilon": 0.0}, {"tries": 0.5}, {"weight": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        Cae(**wrong)
