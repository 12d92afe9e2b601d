"""Boosted trees: those that are fitted here answer as scikit-learn's, XGBoost's files as XGBoost itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.attacks import run_attack
from modelprint.core.errors import ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model, open_model
from modelprint.nn.options import ModelOptions
from modelprint.ownership.enroll import enroll
from modelprint.ownership.verify import verify
from modelprint.training.loop import predict
from modelprint.training.train import TrainedModel, default_recipe, spec_for, train_model, usual_arch


def grown(data: LabelledSet, seed: int = 0) -> TrainedModel:
    return train_model(
        data, spec_for(data, "vector-trees", {"rounds": 8, "leaves": 8}), default_recipe(data), seed=seed
    )


def shares(model: torch.nn.Module, data: LabelledSet) -> np.ndarray:
    return predict(model, torch.from_numpy(data.stored), modality=data.modality).softmax(1).numpy()


@pytest.mark.parametrize("name", ["wine", "breast-cancer"])
def test_trees_answer_as_scikit_learn_does(name: str, tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    data, rest = load_data(f"{name}:train"), load_data(f"{name}:test")
    trained = grown(data)
    reference = HistGradientBoostingClassifier(
        max_iter=8, max_leaf_nodes=8, max_depth=8, learning_rate=0.2, min_samples_leaf=5, early_stopping=False,
        random_state=0, max_features=0.8,
    ).fit(data.modality.as_points(data.stored).astype(float), data.labels)  # fmt: skip
    expected = reference.predict_proba(rest.modality.as_points(rest.stored).astype(float))
    assert np.abs(shares(trained.model, rest) - expected).max() < 1e-5
    save_model(tmp_path / "t.safetensors", trained.model, trained.card)
    again = load_model(tmp_path / "t.safetensors")
    assert np.array_equal(shares(again.module, rest), shares(trained.model, rest))


@pytest.mark.parametrize("name", ["wine", "breast-cancer"])
def test_files_of_xgboost_answer_as_xgboost_does(name: str, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    data, rest = load_data(f"{name}:train"), load_data(f"{name}:test")
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=4, n_jobs=1)
    model.fit(data.modality.for_code(data.stored), data.labels)
    model.save_model(tmp_path / "m.json")
    read = open_model(tmp_path / "m.json", ModelOptions(), inputs=rest.spec, classes=rest.classes)
    expected = model.predict_proba(rest.modality.for_code(rest.stored))
    assert np.abs(shares(read.module, rest) - expected).max() < 1e-5


def trees(learner: dict) -> list:
    return learner["gradient_booster"]["model"]["trees"]


def changed(path: Path, change: object) -> Path:
    content = json.loads((Path(__file__).parent / "wine-xgboost.json").read_text())
    change(content["learner"])  # type: ignore[operator]
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one["objective"].update(name="reg:squarederror"), "objective 'reg:squarederror' is not read"),
        (lambda one: one["gradient_booster"].update(name="gblinear"), "booster 'gblinear'"),
        (
            lambda one: trees(one)[0]["left_children"].__setitem__(0, 0),
            "has the child 0",
        ),
        (lambda one: trees(one)[0]["split_indices"].__setitem__(0, 99), "feature 99"),
        (lambda one: trees(one).pop(), "trees for 3 classes"),
        (lambda one: one.update(feature_names=["salt"] * 13), "splits by 'salt', which is no column"),
        (lambda one: one["learner_model_param"].update(num_class="4"), "trees for 4 classes|4 classes apart"),
        (lambda one: one.pop("objective"), "no JSON file of XGBoost"),
    ],
)
def test_damaged_files_are_refused_in_one_line(change: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        open_model(changed(tmp_path / "m.json", change), ModelOptions(), inputs=load_data("wine").spec)


def test_a_file_reads_without_xgboost(tmp_path: Path) -> None:
    wine = load_data("wine:test")
    read = open_model(Path(__file__).parent / "wine-xgboost.json", ModelOptions(), inputs=wine.spec)
    assert (shares(read.module, wine).argmax(1) == wine.labels).mean() > 0.9
    with pytest.raises(ModelError, match="name its data"):
        load_model(Path(__file__).parent / "wine-xgboost.json")


def test_trees_are_enrolled_without_gradients_and_a_student_of_theirs_is_trees(one_thread: None) -> None:
    owner, queries = load_data("digits-table:owner"), load_data("digits-table:queries")
    attacker = load_data("digits-table:attacker")
    source = grown(owner)
    independents = [grown(load_data("digits-table:stranger"), seed).model for seed in range(3)]
    made = enroll(source.model, queries, scheme="akh", settings={"queries": "30"}, negatives=independents)
    student = run_attack("extract-labels", {}, source.model, source.card.spec, attacker, seed=1)
    assert isinstance(student.model, Normalized)
    assert verify(made, student.model).score is not None
    assert verify(made, source.model).score == 1.0
    with pytest.raises(ModelError, match=r"no gradient|blocks gradients"):
        enroll(source.model, queries, scheme="ipguard", settings={"queries": "10"})
    with pytest.raises(ModelError, match="linear layer"):
        run_attack("ftll", {}, source.model, source.card.spec, attacker, seed=1)


def test_dense_layers_are_the_usual_network_of_a_table() -> None:
    assert usual_arch(load_data("wine")) == "vector-mlp"
