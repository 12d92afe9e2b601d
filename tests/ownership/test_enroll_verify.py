"""Enroll and verify from Python: who is called what, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from modelprint import Fingerprint, enroll, verify
from modelprint.attacks import run_attack
from modelprint.core.access import Access
from modelprint.core.errors import DataError, FingerprintError, ModelprintError, SuspectError, UsageError
from modelprint.core.suspect import Answers, Suspect
from modelprint.data.labelled import LabelledSet
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.nn.spec import build
from modelprint.ownership.plane import grid
from modelprint.ownership.verify import examine
from modelprint.schemes.adv_tra import AdvTra
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, spec_for, train_model
from tests.conftest import Digits

SCHEME = AdvTra(trajectories=15, l=6)
ALPHA = 0.25  # three strangers calibrate


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme=SCHEME, negatives=digits.strangers, seed=3)


def test_copies_are_derived_and_strangers_are_not_shown(digits: Digits, fingerprint: Fingerprint) -> None:
    for kind, settings in (("ftal", {"epochs": "3"}), ("prune", {"rate": "0.3", "finetune_epochs": "0"})):
        copy = run_attack(kind, settings, digits.source, digits.spec, digits.attacker, seed=1).model
        found = verify(fingerprint, copy, alpha=ALPHA)
        assert (found.verdict, found.p_value) == ("derived", 0.25)
        assert found.false_accusations is not None
        assert (found.false_accusations.count, found.false_accusations.n) == (0, 3)
    innocent = train_model(digits.owner, digits.spec, default_recipe(digits.owner, epochs=10), seed=9).model
    found = verify(fingerprint, innocent, alpha=ALPHA)
    assert found.score is not None
    assert found.score < 0.7


def test_the_source_itself_matches_every_trajectory(digits: Digits, fingerprint: Fingerprint) -> None:
    found = examine(fingerprint, digits.source, alpha=ALPHA)
    assert found.verdict.details["matched"] == 15
    assert found.verdict.details["mean_mutation_rate"] == 0
    assert fingerprint.plane is not None
    assert found.plane_labels is not None
    assert (found.plane_labels == fingerprint.plane["labels"]).mean() > 0.99


def test_any_callable_is_a_suspect(digits: Digits, fingerprint: Fingerprint) -> None:
    def labels(images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        return predict(digits.source, torch.from_numpy(images)).argmax(1).numpy()

    assert verify(fingerprint, labels, alpha=ALPHA).details["matched"] == 15


def test_saved_and_loaded_it_says_the_same(digits: Digits, fingerprint: Fingerprint, tmp_path: Path) -> None:
    fingerprint.save(tmp_path / "fp")
    loaded = Fingerprint.load(tmp_path / "fp")
    assert loaded.identity == fingerprint.identity
    assert verify(loaded, digits.source, alpha=ALPHA) == verify(fingerprint, digits.source, alpha=ALPHA)


def test_the_same_seed_makes_the_same_fingerprint(digits: Digits, fingerprint: Fingerprint) -> None:
    again = enroll(digits.source, digits.queries, scheme=SCHEME, negatives=digits.strangers, seed=3)
    assert again.identity == fingerprint.identity


class Spy(Suspect):
    """A model that answers as it should, and records what access it was asked for."""

    identity = "spy"
    free = False

    def __init__(self, model: nn.Module) -> None:
        self.levels: list[Access] = []
        self.asked, self.model = 0, model

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        self.levels.append(access)
        self.asked += len(images)
        scores = predict(self.model, torch.from_numpy(images)).numpy()
        return Answers(labels=scores.argmax(1), scores=scores)


def test_only_the_access_that_is_asked_for_is_used(digits: Digits, fingerprint: Fingerprint) -> None:
    spy = Spy(digits.source)
    found = examine(fingerprint, spy, alpha=ALPHA)
    assert set(spy.levels) == {Access.LABELS}
    assert fingerprint.plain is not None
    assert spy.asked == len(fingerprint) + len(fingerprint.plain.labels)  # nothing for pictures: asking this one costs
    assert found.answers.scores is None
    assert found.plane_labels is None
    assert examine(fingerprint, Spy(digits.source), alpha=ALPHA, access="scores").answers.scores is not None


class Constant(nn.Module):
    def __init__(self, classes: int, value: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.full((classes,), value))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1) + 0 * inputs.sum()


def test_suspects_that_do_not_fit_are_refused(digits: Digits, fingerprint: Fingerprint) -> None:
    with pytest.raises(SuspectError, match="NaN"):
        verify(fingerprint, Constant(10, float("nan")))
    with pytest.raises(SuspectError, match="constant"):
        verify(fingerprint, Constant(10, 0.5))
    seven = build(digits.spec.model_copy(update={"classes": 7})).eval()
    with pytest.raises(SuspectError, match="7 classes"):
        verify(fingerprint, seven, access="scores")
    with pytest.raises(SuspectError, match="answered class 12"):
        verify(fingerprint, lambda images: np.full(len(images), 12))
    with pytest.raises(SuspectError, match="expected labels"):
        verify(fingerprint, lambda images: np.zeros(3, dtype=int))


def test_negatives_that_do_not_fit_are_refused(digits: Digits, fingerprint: Fingerprint, tmp_path: Path) -> None:
    seven = build(digits.spec.model_copy(update={"classes": 7})).eval()
    with pytest.raises(ModelprintError, match="7 classes"):
        verify(fingerprint, digits.source, negatives=[seven])
    seen = train_model(
        digits.queries, spec_for(digits.queries, "mlp"), default_recipe(digits.queries, epochs=1), seed=0
    )
    save_model(tmp_path / "seen.safetensors", seen.model, seen.card)
    with pytest.raises(FingerprintError, match="the inputs that the queries are made of"):
        enroll(digits.source, digits.queries, scheme=SCHEME, negatives=[load_model(tmp_path / "seen.safetensors")])


def test_training_images_among_the_seeds(digits: Digits) -> None:
    with pytest.raises(DataError, match="150 of 150"):
        enroll(digits.source, digits.queries, scheme=SCHEME, train_data=digits.queries)
    one = LabelledSet(
        name="one shared",
        stored=np.concatenate([digits.owner.stored, digits.queries.stored[:1]]),
        labels=np.concatenate([digits.owner.labels, digits.queries.labels[:1]]),
        class_names=digits.owner.class_names,
    )
    small = AdvTra(trajectories=2, m=1)
    made = enroll(digits.source, digits.queries, scheme=small, train_data=one)
    assert made.manifest.data != digits.queries.identity  # the shared seed was dropped


def test_auto_negatives_need_training_data_and_a_known_architecture(digits: Digits) -> None:
    with pytest.raises(UsageError, match="--train-data"):
        enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=2, m=1), negatives="auto:3")
    with pytest.raises(UsageError, match="--arch"):
        enroll(
            digits.source,
            digits.queries,
            scheme=AdvTra(trajectories=2, m=1),
            negatives="auto:3",
            train_data=digits.owner,
        )


def test_alpha_and_budget_out_of_range(fingerprint: Fingerprint, digits: Digits) -> None:
    with pytest.raises(UsageError, match="alpha"):
        verify(fingerprint, digits.source, alpha=0)
    with pytest.raises(FingerprintError, match="raise it"):
        verify(fingerprint, digits.source, budget=10)
    assert verify(fingerprint, digits.source, budget=300, alpha=ALPHA).queries == 2 * 109


def test_the_plane_goes_through_its_anchors() -> None:
    points = np.random.default_rng(0).integers(60, 190, (3, 1, 4, 4)).astype(np.uint8)
    images = grid(points, side=201).reshape(201 * 201, -1)
    for point in points.reshape(3, -1) / 255:
        assert np.linalg.norm(images - point, axis=1).min() < 0.02
