"""Training starts from a checkpoint; another last layer where the classes differ; what does not fit is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest_file
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.files import save_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.init import Start, completed_by, start_from
from modelprint.training.recipes import AdamW
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model
from tests.conftest import Digits

SPEC = ModelSpec(arch="cnn", arch_args={"width": 8}, channels=1, size=8, classes=10)


@pytest.fixture(scope="module")
def base(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("public") / "base.safetensors"
    save_model(path, digits.trained.model, digits.trained.card)
    return path


def started(base: Path, *, classes: int = 10, seed: int = 5):
    spec = SPEC.model_copy(update={"classes": classes})
    model = build(spec, seed=seed)
    return model, start_from(model, base, spec)


def test_all_weights_are_taken_where_the_classes_are_the_same(base, digits):
    model, start = started(base)
    assert start == Start(file="base.safetensors", sha256=digest_file(base), head="kept")
    expected = digits.source.state_dict()
    for name, value in model.body.state_dict().items():
        assert torch.equal(value, expected[f"body.{name}"]), name


def test_other_classes_get_a_fresh_last_layer_of_the_seed(base, digits):
    model, start = started(base, classes=3)
    assert start.head == "fresh"
    assert torch.equal(model.body.head.weight, build(SPEC.model_copy(update={"classes": 3}), seed=5).body.head.weight)
    assert torch.equal(model.body.features[0][0].weight, digits.source.body.features[0][0].weight)
    other, _ = started(base, classes=3, seed=6)
    assert not torch.equal(other.body.head.weight, model.body.head.weight)


def test_a_checkpoint_without_a_last_layer_is_a_backbone(base, digits, tmp_path):
    state = {f"module.{name}": value for name, value in digits.source.body.state_dict().items() if "head" not in name}
    torch.save({"state_dict": state}, tmp_path / "backbone.pth")
    model = build(SPEC, seed=5)
    assert start_from(model, tmp_path / "backbone.pth", SPEC).head == "fresh"
    assert torch.equal(model.body.features[0][0].weight, digits.source.body.features[0][0].weight)


def test_tensors_that_do_not_fit_are_named(base):
    wide = build(ModelSpec(arch="cnn", arch_args={"width": 4}, channels=1, size=8, classes=10))
    with pytest.raises(ModelError, match=r"--init .* does not fit architecture cnn: features\.\d.* in the file"):
        start_from(wide, base, SPEC)
    other = build(ModelSpec(arch="mlp", arch_args={"width": 4}, channels=1, size=8, classes=10))
    with pytest.raises(ModelError, match=r"it has features\.0\..* which the architecture does not have"):
        start_from(other, base, SPEC.model_copy(update={"arch": "mlp", "arch_args": {}}))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        start_from(build(SPEC), tmp_path / "absent.pth", SPEC)


@pytest.fixture(scope="module")
def few() -> LabelledSet:
    return load_data("digits:stranger[0:250]")


@pytest.fixture(scope="module")
def sibling(base: Path, few: LabelledSet) -> TrainedModel:
    options = completed_by(ModelOptions(), base)
    spec = spec_for(few, options.arch, options.arch_args, options)
    recipe = AdamW(epochs=2, lr=1e-3, batch_size=64, augment="none")
    return train_model(few, spec, recipe, seed=1, init=base, holdout=load_data("digits:holdout"))


def test_two_epochs_from_a_checkpoint_beat_ten_from_nothing(sibling, few):
    scratch = train_model(
        few, sibling.card.spec, default_recipe(few, epochs=10), seed=1, holdout=load_data("digits:holdout")
    )
    assert sibling.card.accuracy > 0.9 > scratch.card.accuracy


def test_the_card_says_what_it_started_from(sibling, base):
    assert sibling.card.recipe["init"] == {"file": "base.safetensors", "sha256": digest_file(base), "head": "kept"}


def test_architecture_and_normalisation_come_from_the_checkpoint_unless_given(base, digits):
    read = completed_by(ModelOptions(), base)
    assert (read.arch, read.arch_args) == ("cnn", {"width": 8})
    assert (read.mean, read.std) == (digits.spec.mean, digits.spec.std)
    said = ModelOptions(arch="cnn", arch_args={"width": 2}, mean=(0.1,), std=(0.2,))
    assert completed_by(said, base) == said
    assert completed_by(ModelOptions(arch="mlp"), base) == ModelOptions(arch="mlp")
    assert completed_by(said, None) == said


def test_code_that_a_checkpoint_names_is_not_run_unasked(digits, tmp_path):
    spec = digits.spec.model_copy(update={"arch": "theirs.py:net"})
    save_model(tmp_path / "x.safetensors", digits.source, digits.trained.card.model_copy(update={"spec": spec}))
    with pytest.raises(ModelError, match=r"names code, theirs\.py:net, as its architecture: name it with --arch"):
        completed_by(ModelOptions(), tmp_path / "x.safetensors")
    given = replace(ModelOptions(), trust_code=True)
    assert completed_by(given, tmp_path / "x.safetensors").arch == "theirs.py:net"
