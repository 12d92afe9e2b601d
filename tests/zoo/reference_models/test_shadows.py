"""The owner's settings of a recipe hold for the surrogates that attacks make, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.training.choice import recipe_named
from modelprint.training.train import spec_for, train_model
from modelprint.zoo.reference_models.shadows import auto_shadows, shadow_course
from modelprint.zoo.reference_models.training import HowTrained

SETTINGS = {"epochs": "30", "lr": "0.005", "batch_size": "16", "augment": "none"}
HOW = HowTrained(recipe="adamw", settings=SETTINGS)


def test_surrogates_train_with_the_settings_that_were_given(tmp_path: Path) -> None:
    data, holdout = load_data("digits:owner[0:300]"), load_data("digits:holdout")
    trained = train_model(
        data, spec_for(data, "mlp", {"width": 32}), recipe_named("adamw", data, settings=SETTINGS), seed=0
    )
    save_model(tmp_path / "source.safetensors", trained.model, trained.card)
    source = load_model(tmp_path / "source.safetensors")
    shadows = auto_shadows(data, source, 3, seed=0, how=HOW, holdout=holdout)
    assert len(shadows.references) == 3
    assert len(shadows.surrogates) >= 2  # with the defaults for a checkpoint, "the recipe did not train"
    for model in shadows.surrogates:
        assert model.card is not None
        recipe = model.card.recipe["parameters"]["recipe"]
        assert (recipe["epochs"], recipe["lr"], recipe["batch_size"]) == (30, 0.005, 16)


@pytest.mark.parametrize("how", [HowTrained(), HowTrained(settings={"epochs": "2"})])
def test_attacks_train_as_published_where_no_recipe_is_named(how: HowTrained, tmp_path: Path) -> None:
    data = load_data("digits:owner[0:100]")
    trained = train_model(data, spec_for(data, "mlp", {"width": 32}), recipe_named("sgd", data, epochs=5), seed=0)
    save_model(tmp_path / "source.safetensors", trained.model, trained.card)
    course, _ = shadow_course(data, load_model(tmp_path / "source.safetensors"), 2, seed=0, how=how, holdout=None)
    assert (course.attack_recipe, dict(course.attack_settings)) == (None, {})


def test_with_a_checkpoint_siblings_and_models_from_scratch_take_turns(tmp_path: Path) -> None:
    data = load_data("digits:owner[0:100]")
    trained = train_model(data, spec_for(data, "mlp", {"width": 32}), recipe_named("sgd", data, epochs=5), seed=0)
    save_model(tmp_path / "source.safetensors", trained.model, trained.card)
    source = load_model(tmp_path / "source.safetensors")
    for init, expected in ((None, [False] * 4), (tmp_path / "source.safetensors", [True, False, True, False])):
        _, tasks = shadow_course(data, source, 4, seed=0, how=HowTrained(init=init), holdout=None)
        assert [task.from_init for task in tasks if task.attack is None] == expected
