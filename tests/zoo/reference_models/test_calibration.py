"""Independent models for an owner who has none."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.refs import StoredModel
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model
from modelprint.zoo.reference_models import course
from modelprint.zoo.reference_models.calibration import independent_models
from modelprint.zoo.reference_models.course import bootstrap
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained


def test_negatives_differ_and_do_not_depend_on_the_number_of_processes() -> None:
    owner, holdout = load_data("digits:owner"), load_data("digits:holdout")
    spec = spec_for(owner, "mlp", {"width": 32})
    how = HowTrained(settings={"epochs": "25"})
    steps: list[tuple[int, int]] = []
    one, two = (
        independent_models(
            owner,
            spec,
            4,
            seed=7,
            jobs=jobs,
            how=how,
            holdout=holdout,
            progress=lambda done, count: steps.append((done, count)),
        )
        for jobs in (1, 2)
    )
    for first, second in zip(one, two, strict=True):
        with first.opened() as left, second.opened() as right:
            assert not left.training
            for mine, theirs in zip(left.parameters(), right.parameters(), strict=True):
                assert torch.equal(mine, theirs)
    assert len({model.identity for model in one}) == 4
    assert steps == [(i, 4) for i in range(1, 5)] * 2
    assert [recipe(model)["bootstrap"] for model in one] == [False, True, False, True]
    assert all(model.card is not None and (model.card.accuracy or 0) > 0.85 for model in one)


def recipe(model: StoredModel) -> dict[str, Any]:
    assert model.card is not None
    return model.card.recipe


def test_what_was_finished_before_a_crash_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = load_data("digits:owner").take(slice(0, 100), name="few")
    spec, how, shelf = spec_for(owner, "mlp", {"width": 8}), HowTrained(settings={"epochs": "2"}), Shelf(tmp_path)
    trained: list[int] = []

    def interrupted(*args: Any, **options: Any) -> TrainedModel:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(options["seed"])
        return train_model(*args, **options)

    monkeypatch.setattr(course, "train_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        independent_models(owner, spec, 4, seed=1, how=how, shelf=shelf)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    monkeypatch.setattr(
        course, "train_model", lambda *args, **options: (trained.append(1), train_model(*args, **options))[1]
    )
    steps: list[tuple[int, int]] = []
    again = Shelf(tmp_path)
    models = independent_models(owner, spec, 4, seed=1, how=how, shelf=again, progress=lambda *step: steps.append(step))
    assert len(trained) == 4  # two of them anew
    assert steps == [(2, 4), (3, 4), (4, 4)]
    fresh = independent_models(owner, spec, 4, seed=1, how=how)
    assert [model.identity for model in models] == [model.identity for model in fresh]
    independent_models(owner, spec, 4, seed=1, how=HowTrained(settings={"epochs": "3"}), shelf=Shelf(tmp_path))
    assert len(list(tmp_path.glob("*.safetensors"))) == 8  # another recipe, other models
    again.clear()
    assert len(list(tmp_path.glob("*.safetensors"))) == 4


def test_siblings_start_from_the_checkpoint(tmp_path: Path) -> None:
    owner = load_data("digits:owner").take(slice(0, 100), name="few")
    spec = spec_for(owner, "mlp", {"width": 8})
    base = train_model(owner, spec, default_recipe(owner, epochs=2), seed=9)
    save_model(tmp_path / "base.safetensors", base.model, base.card)
    how = HowTrained(recipe="sgd", settings={"epochs": "1"}, init=tmp_path / "base.safetensors")
    (sibling,) = independent_models(owner, spec, 1, seed=1, siblings=True, how=how)
    (stranger,) = independent_models(owner, spec, 1, seed=1, how=how)
    assert (recipe(sibling)["independent"], recipe(stranger)["independent"]) == ("SHARED", "SAST")
    assert recipe(sibling)["init"]["sha256"] == how.checkpoint
    assert "init" not in recipe(stranger)
    with sibling.opened() as near, stranger.opened() as far:
        start = base.model.body.state_dict()
        off = [
            sum(float((model.body.state_dict()[name] - start[name]).norm()) for name in start) for model in (near, far)
        ]
    assert off[0] < off[1] / 2


def test_bootstrap_draws_with_replacement() -> None:
    data = load_data("digits:owner")
    sample = bootstrap(data, seed=1)
    distinct = len(np.unique(sample.stored.reshape(len(sample), -1), axis=0))
    assert len(sample) == len(data)
    assert 0.55 < distinct / len(data) < 0.70
    assert sample.identity == bootstrap(data, seed=1).identity != bootstrap(data, seed=2).identity


def test_a_shelf_that_is_cleared_takes_nothing_from_another(tmp_path: Path) -> None:
    owner = load_data("digits:owner").take(slice(0, 100), name="few")
    spec, how = spec_for(owner, "mlp", {"width": 8}), HowTrained(settings={"epochs": "2"})
    first, second = Shelf(tmp_path), Shelf(tmp_path)
    ours = independent_models(owner, spec, 2, seed=1, how=how, shelf=first)
    theirs = independent_models(owner, spec, 2, seed=1, how=how, shelf=second)
    first.clear()
    assert not list(tmp_path.glob("*.safetensors"))
    for one, other in zip(ours, theirs, strict=True):
        with other.opened():
            assert one.identity == other.identity
    again = independent_models(owner, spec, 2, seed=1, how=how, shelf=Shelf(tmp_path))  # is trained anew, and the same
    assert [one.identity for one in again] == [one.identity for one in ours]
    del first, second, ours, theirs, again, one, other
    gc.collect()
    assert not list(tmp_path.glob(".held-*"))


def test_links_of_a_killed_process_are_swept(tmp_path: Path) -> None:
    abandoned, fresh = tmp_path / ".held-abandoned", tmp_path / ".held-fresh"
    for folder in (abandoned, fresh):
        folder.mkdir()
    long_ago = time.time() - 7200
    os.utime(abandoned, (long_ago, long_ago))
    Shelf(tmp_path).holds(tmp_path / "x.safetensors")
    assert not abandoned.exists()
    assert fresh.exists()
