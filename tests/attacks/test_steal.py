"""Extraction with other queries than the attacker's own images: Knockoff, JBDA, hardened, data-free."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.attacks.data_free import DataFree, smooth_images
from modelprint.attacks.extract_adversarial import ExtractAdversarial
from modelprint.attacks.ip_remover import IPRemover, watched
from modelprint.attacks.jbda import JBDA, jacobian_step
from modelprint.attacks.knockoff import Knockoff, fitted, matched
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.perturb.pgd import pgd
from modelprint.training.loop import predict
from tests.attacks.conftest import World


@pytest.fixture(scope="module")
def foreign() -> LabelledSet:
    """Another distribution: sums of two turned digits, in colour and twice as large."""
    digits = load_data("digits:stranger").stored.transpose(0, 1, 3, 2)
    mixed = np.concatenate([digits, np.maximum(digits, digits[::-1])])
    return LabelledSet(
        name="turned",
        stored=mixed.repeat(3, axis=1).repeat(2, axis=2).repeat(2, axis=3),
        labels=np.zeros(len(mixed), np.int64),
        class_names=("a", "b", "c"),
    )


def test_knockoff_learns_the_source_on_foreign_images(world: World, foreign: LabelledSet) -> None:
    asked, unseen = foreign.take(slice(0, 1000)), fitted(foreign.take(slice(1000, None)), world.spec)
    result = Knockoff(budget=900, epochs=30).run(world.source, world.spec, asked, seed=0)
    assert result.report["queries"] == 900
    student, stranger, source = (
        predict(model, torch.from_numpy(unseen.stored)).argmax(1)
        for model in (result.model, world.stranger, world.source)
    )
    assert (student == source).double().mean() > (stranger == source).double().mean() + 0.1


def test_foreign_images_are_brought_to_the_models_inputs(world: World, foreign: LabelledSet) -> None:
    images = fitted(foreign, world.spec).stored
    assert images.shape == (1200, 1, 8, 8)
    assert images.dtype == np.uint8
    assert abs(images.mean() - foreign.stored.mean()) < 2
    grey = LabelledSet(name="grey", stored=images, labels=foreign.labels, class_names=foreign.class_names)
    assert fitted(grey, world.spec.model_copy(update={"channels": 3})).stored.shape == (1200, 3, 8, 8)


def test_matched_images_have_the_contrast_that_the_source_expects(world: World, foreign: LabelledSet) -> None:
    faint = LabelledSet(
        name="faint", stored=foreign.stored // 8 + 100, labels=foreign.labels, class_names=foreign.class_names
    )
    images = matched(fitted(faint, world.spec), world.spec).stored / 255
    assert images.std() == pytest.approx(world.spec.std[0], abs=0.1)
    assert images.mean() == pytest.approx(world.spec.mean[0], abs=0.1)


def test_jbda_grows_a_good_student_from_few_images(world: World) -> None:
    result = JBDA(seeds=100, rounds=4, epochs=10).run(world.source, world.spec, world.attacker, seed=0)
    assert result.report["queries"] == 100 * 2**4
    assert world.accuracy(result.model) > 0.75


def test_jacobian_step_lowers_the_confidence_it_follows(world: World) -> None:
    points = torch.from_numpy(world.holdout.stored)
    labels = predict(world.stranger, points).argmax(1)
    moved = jacobian_step(world.stranger, points, labels, -0.05)
    assert (moved.int() - points.int()).abs().max() <= round(0.05 * 255) + 1
    before, after = (predict(world.stranger, p).gather(1, labels[:, None]).mean() for p in (points, moved))
    assert after < before


def test_adversarial_extraction_is_more_robust_than_extraction(world: World) -> None:
    images = torch.from_numpy(world.holdout.stored).float() / 255
    labels = torch.from_numpy(world.holdout.labels)

    def robust(hardening_epochs: int) -> float:
        attack = ExtractAdversarial(epochs=30, hardening_epochs=hardening_epochs, epsilon=0.1)
        model = attack.run(world.source, world.spec, world.attacker, seed=0).model
        assert world.accuracy(model) > 0.7
        moved = pgd(model, images, labels, epsilon=0.1, steps=10)
        return float((predict(model, moved).argmax(1) == labels).float().mean())

    assert robust(4) > robust(0)


def blinded(data: LabelledSet) -> LabelledSet:
    """Black images of the same labels."""
    return LabelledSet(
        name="blind", stored=np.zeros_like(data.stored), labels=data.labels, class_names=data.class_names
    )


def test_data_free_needs_no_image(world: World) -> None:
    blind = blinded(world.attacker)
    result = DataFree(budget=4000, rounds=4, generator_steps=15, epochs=6).run(world.source, world.spec, blind, seed=0)
    assert result.report["queries"] == 4000
    assert world.accuracy(result.model) > 0.3
    assert min(result.report["labels"]) > 0


def test_inversion_needs_no_image(world: World) -> None:
    blind = blinded(world.attacker)
    result = IPRemover(inputs=400, steps=60, shift=1).run(world.source, world.spec, blind, seed=0)
    assert result.report["of_their_class"] > 0.7
    assert world.accuracy(result.model) > 0.4


def test_drift_is_nothing_where_inputs_have_the_kept_statistics() -> None:
    layer = torch.nn.BatchNorm2d(3).eval()
    given = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    given = (given - given.mean((0, 2, 3), keepdim=True)) / given.std((0, 2, 3), unbiased=False, keepdim=True)
    with watched(layer) as drift:
        layer(given)
        layer(given + 2)
    assert [round(float(one), 4) for one in drift] == [0.0, 4.0]
    assert not layer._forward_pre_hooks


def test_smooth_images_are_varied(world: World) -> None:
    images = smooth_images(101, world.spec, torch.Generator().manual_seed(0))
    assert images.shape == (101, 1, 8, 8)
    assert len({image.numpy().tobytes() for image in images}) > 90
