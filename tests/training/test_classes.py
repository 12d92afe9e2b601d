"""Data that lack some of a model's classes, or number them otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import modelprint
from modelprint.core.errors import DataError, ModelError
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.nn.configs import by_config_files
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.loading import LoadedModel, load_model, of_module
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.classes import matched, open_for

SPEC = ModelSpec(arch="mlp", arch_args={"width": 8}, channels=1, size=8, classes=10, mean=(0.5,), std=(0.5,))
NAMES = ("airplane", "golden retriever", "tench, Tinca tinca", "cat")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model of ten classes with its card, and its weights alone; images with labels up to 7, by numbers and names."""
    root = tmp_path_factory.mktemp("classes")
    torch.manual_seed(0)
    model = build(SPEC)
    save_model(root / "card.safetensors", model, ModelCard(spec=SPEC))
    torch.save(model.body.state_dict(), root / "bare.pt")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(root / "numbers.npz", x_train=images, y_train=np.arange(40) % 8)
    np.savez(root / "names.npz", x_train=images, y_train=np.array(list("abcdefgh"))[np.arange(40) % 8])
    return {path.stem: str(path) for path in root.iterdir()}


@pytest.mark.parametrize(
    ("model", "options"), [("card", ModelOptions()), ("bare", ModelOptions(arch="mlp", arch_args={"width": 8}))]
)
def test_the_model_says_how_many_classes_there_are(model: str, options: ModelOptions, files: dict[str, str]) -> None:
    data = load_data(files["numbers"])
    assert data.classes == 8
    opened = open_for(data, files[model], options)
    assert opened.data.classes == 10
    assert opened.data.class_names[9] == "9"
    assert opened.data.identity == data.identity
    assert "its labels run to 7; the model tells 10 classes apart" in opened.notes[0]
    with pytest.raises(ModelError, match=r"8 .*where the data lack some of its classes, name all .* --classes FILE"):
        open_for(load_data(files["names"]), files[model], options)
    listed = load_data(f"{files['names']}?classes={_listed(files, 'abcdefghij')}")
    assert open_for(listed, files[model], options).data.class_names == tuple("abcdefghij")


def _listed(files: dict[str, str], names: str) -> str:
    path = Path(files["card"]).with_name("classes.txt")
    path.write_text("\n".join(names))
    return str(path)


def test_labels_that_the_model_has_no_class_for(files: dict[str, str], tmp_path: Path) -> None:
    images = np.zeros((24, 8, 8), np.uint8)
    np.savez(tmp_path / "more.npz", x_train=images, y_train=np.arange(24) % 12)
    with pytest.raises(ModelError, match=r"classes differ: 10 by .*, 12 by the data"):
        open_for(load_data(str(tmp_path / "more.npz")), files["card"], ModelOptions())


def test_a_source_is_enrolled_although_its_data_lack_classes(files: dict[str, str], tmp_path: Path) -> None:
    draw = np.random.default_rng(1).integers(0, 256, (400, 1, 8, 8), dtype=np.uint8)
    with torch.no_grad():
        labels = load_model(files["card"]).module(torch.from_numpy(draw).float() / 255).argmax(1).numpy()
    order = np.argsort(labels, kind="stable")
    rank = np.arange(400) - np.searchsorted(labels[order], labels[order])
    kept = order[(rank < 8) & (labels[order] < labels.max())]  # some of each class but the last
    np.savez(tmp_path / "few.npz", x_train=draw[kept], y_train=labels[kept])
    few = load_data(str(tmp_path / "few.npz"))
    assert few.classes < 10
    fingerprint = modelprint.enroll(files["card"], few, scheme="lineage", from_scratch=True)
    assert fingerprint.manifest.input.classes == 10
    assert modelprint.verify(fingerprint, files["card"]).verdict == "derived"


def test_a_module_in_memory_says_it_by_its_outputs(files: dict[str, str]) -> None:
    module = load_model(files["card"]).module
    assert matched(load_data(files["numbers"]), of_module(module)).data.classes == 10


def named(names: tuple[str, ...]) -> LoadedModel:
    return replace(of_module(Normalized(torch.nn.Flatten(), (0.0,), (1.0,))), class_names=names)


def of_classes(*names: str) -> LabelledSet:
    labels = np.arange(2 * len(names)) % len(names)
    stored = np.zeros((len(labels), 1, 2, 2), np.uint8)
    return LabelledSet(name="photos", stored=stored, labels=labels, class_names=names, numbering="names")


def test_folders_are_numbered_as_the_model_names_them() -> None:
    data = of_classes("cat", "Golden_Retriever", "tench")
    opened = matched(data, named(NAMES))
    assert opened.data.class_names == NAMES
    assert opened.data.labels.tolist() == [3, 1, 2, 3, 1, 2]
    assert "classes are numbered as the model names them" in opened.notes[0]
    assert matched(opened.data, named(NAMES)).data.labels.tolist() == opened.data.labels.tolist()


@pytest.mark.parametrize(
    ("folders", "names", "reason"),
    [
        (
            ("cat", "dog"),
            NAMES,
            r"photos: the model has no class called 'dog'; its classes are .*--classes FILE",
        ),
        (("golden-retriever", "golden_retriever"), NAMES, "two of its classes are one class of the model"),
        (("cat", "tench"), ("cat", "Cat", "tench"), "the model calls two classes 'cat'"),
    ],
)
def test_contradicting_names_are_refused(folders: tuple[str, ...], names: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        matched(of_classes(*folders), named(names))


def test_a_list_of_the_users_stands() -> None:
    data = replace(of_classes("cat", "dog"), numbering="list")
    assert matched(data, named(NAMES)).data is data


@pytest.mark.parametrize(
    ("config", "names"),
    [
        ({"model_type": "vit", "id2label": {"1": "dog", "0": "cat"}}, ("cat", "dog")),
        ({"model_type": "vit", "id2label": {"0": "LABEL_0", "1": "LABEL_1"}}, None),
        ({"architecture": "resnet18", "num_classes": 2, "label_names": ["cat", "dog"]}, ("cat", "dog")),
        ({"architecture": "resnet18", "num_classes": 2}, None),
    ],
)
def test_configs_name_the_classes(config: dict[str, object], names: tuple[str, ...] | None, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (description,) = by_config_files(tmp_path)
    assert description.class_names == names
    assert description.over(description).class_names == names


def test_a_folder_of_pictures_is_numbered_by_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("L", (2, 2), number).save(tmp_path / name / f"{number}.png")
    assert load_data(str(tmp_path)).numbering == "names"
    assert load_data(f"{tmp_path}?classes={_of(tmp_path, 'b a')}").numbering == "list"
    assert load_data("digits").numbering == "list"


def _of(root: Path, names: str) -> str:
    (root / "list.txt").write_text(names.replace(" ", "\n"))
    return str(root / "list.txt")
