"""A source that gives no gradients: a pipeline of scikit-learn in a file of skops, asked in a child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.errors import FingerprintError, ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel
from modelprint.nn.options import ModelOptions
from modelprint.ownership.asked_source import open_source
from modelprint.ownership.enroll import enroll
from modelprint.ownership.rederive import rederive
from modelprint.ownership.verify import verify
from modelprint.training.recipes import TrainRecipe
from modelprint.training.train import spec_for, train_model

skops_io = pytest.importorskip("skops.io")


def forest(data: LabelledSet, seed: int) -> Any:
    """A few small trees, which make mistakes of their own."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(n_estimators=3, max_depth=2, random_state=seed)
    return model.fit(data.modality.for_code(data.stored), data.labels)


@pytest.fixture(scope="module")
def parts() -> tuple[LabelledSet, LabelledSet]:
    data = load_data("wine")
    order = np.random.default_rng(0).permutation(len(data))
    return data.take(order[:40]), data.take(order[40:])


@pytest.fixture(scope="module")
def files(parts: tuple[LabelledSet, LabelledSet], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skops")
    for name, seed in (("mine", 0), ("other", 2)):
        skops_io.dump(forest(parts[0], seed), folder / f"{name}.skops")
    return folder


@pytest.fixture(scope="module")
def independents(parts: tuple[LabelledSet, LabelledSet]) -> list[nn.Module]:
    spec = spec_for(parts[0], "vector-mlp", {"width": 8, "depth": 1})
    recipe = TrainRecipe(epochs=4, lr=0.05, batch_size=16, augment="none")
    return [train_model(parts[0], spec, recipe, seed=seed).model for seed in range(19)]


@pytest.fixture(scope="module")
def source(parts: tuple[LabelledSet, LabelledSet], files: Path) -> LoadedModel:
    return open_source(parts[1], files / "mine.skops", ModelOptions()).model


def test_its_logits_are_the_logarithms_of_its_probabilities(
    parts: tuple[LabelledSet, LabelledSet], source: LoadedModel
) -> None:
    data = parts[1]
    logits = source.module(data.modality.to_model(data.stored))
    expected = forest(parts[0], 0).predict_proba(data.modality.for_code(data.stored))
    assert torch.softmax(logits.double(), dim=1).numpy() == pytest.approx(expected, abs=1e-5)
    assert "types of scikit-learn, NumPy and SciPy alone" in source.notes[0]


@pytest.mark.parametrize("scheme", ["akh", "fbi", "sac"])
def test_its_fingerprint_tells_itself_from_another(
    parts: tuple[LabelledSet, LabelledSet], source: LoadedModel, independents: list[nn.Module], scheme: str
) -> None:
    made = enroll(source, parts[1], scheme=scheme, negatives=independents, budget=60)
    assert made.manifest.source == source.identity
    own, other = (verify(made, forest(parts[0], seed).predict_proba) for seed in (0, 2))
    assert own.verdict == "derived"
    assert other.score < own.score
    if scheme == "akh":
        assert other.verdict != "derived"
        assert rederive(made, source, parts[1]).exact


def test_the_file_itself_is_derived(
    parts: tuple[LabelledSet, LabelledSet], files: Path, source: LoadedModel, independents: list[nn.Module]
) -> None:
    made = enroll(source, parts[1], scheme="akh", negatives=independents, budget=20)
    verdict = verify(made, str(files / "mine.skops"))
    assert (verdict.verdict, verdict.suspect) == ("derived", source.identity)


def test_schemes_that_walk_along_gradients_refuse_it(
    parts: tuple[LabelledSet, LabelledSet], source: LoadedModel
) -> None:
    with pytest.raises((FingerprintError, ModelError), match="gradients"):
        enroll(source, parts[1], scheme="adv-tra")


def test_a_file_that_gives_labels_alone_is_refused(parts: tuple[LabelledSet, LabelledSet], tmp_path: Path) -> None:
    from sklearn.linear_model import RidgeClassifier

    data = parts[0]
    model = RidgeClassifier().fit(data.modality.for_code(data.stored), data.labels)
    skops_io.dump(model, tmp_path / "labels.skops")
    with pytest.raises(ModelError, match="gives labels alone: a source must give probabilities"):
        open_source(data, tmp_path / "labels.skops", ModelOptions())
