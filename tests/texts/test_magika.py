"""magika, a real classifier of texts that nobody here trained: enrolled by its mistakes, recorded, and seen again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.text import TEXT
from modelprint.nn.options import ModelOptions
from modelprint.ownership.asked_source import open_source
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from modelprint.suspects.recorded import record, write_recording
from modelprint.training.recipes import AdamW
from modelprint.training.train import spec_for, train_model
from tests.texts.magika_models import snippets, with_its_features

pytestmark = pytest.mark.magika
magika = pytest.importorskip("magika")
pytest.importorskip("onnx")


@dataclass(frozen=True, kw_only=True)
class World:
    """magika as a file, snippets to make queries of, and models of the same task that were trained here."""

    file: Path
    queries: LabelledSet
    independents: list[nn.Module]

    def package(self, inputs: object) -> np.ndarray:
        """What the package says of some texts, after its own rules for answers that it is not sure of."""
        asked = magika.Magika()
        names = self.queries.class_names
        results = [asked.identify_bytes(text.encode()) for text in inputs]  # type: ignore[attr-defined]
        said = [(str(one.output.label), str(one.dl.label)) for one in results]
        return np.array([names.index(output if output in names else network) for output, network in said])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> World:
    (folder,) = (Path(magika.__file__).parent / "models").iterdir()
    names = tuple(json.loads((folder / "config.min.json").read_text())["target_labels_space"])
    file = tmp_path_factory.mktemp("magika") / "magika.onnx"
    with_its_features(folder / "model.onnx", file)
    data = snippets(names, 60)
    half = len(data) // 2
    owner, queries = data.take(slice(half)), data.take(slice(half, None))
    spec = spec_for(owner, "text-ngrams", {})
    recipe = AdamW(epochs=20, lr=0.02, weight_decay=0.0, batch_size=32, augment="none")
    models = [train_model(owner, spec, recipe, seed=seed).model for seed in range(20)]
    return World(file=file, queries=queries, independents=models)


@pytest.fixture(scope="module")
def made(world: World) -> Fingerprint:
    return enroll(world.file, world.queries, scheme="akh", negatives=world.independents[:19], budget=60)


def test_its_features_are_those_of_the_package(world: World) -> None:
    some = world.queries.take(slice(0, 100))
    source = open_source(some, world.file, ModelOptions()).model.module
    labels = source(TEXT.to_model(some.stored)).argmax(1).numpy()
    asked = magika.Magika()
    expected = [str(asked.identify_bytes(text.encode()).dl.label) for text in TEXT.for_code(some.stored)]
    assert np.mean([some.class_names[label] == name for label, name in zip(labels, expected, strict=True)]) > 0.98


def test_the_file_and_the_package_are_derived_and_a_model_of_ours_is_not(world: World, made: Fingerprint) -> None:
    assert verify(made, str(world.file)).verdict == "derived"
    assert verify(made, world.package).verdict == "derived"
    assert verify(made, world.independents[19]).verdict != "derived"


def test_its_recorded_answers_are_derived(world: World, made: Fingerprint, tmp_path: Path) -> None:
    answers = Answers(labels=world.package(made.modality.for_code(made.queries)))
    recording = record(made.queries, answers, suspect="magika, the package", fingerprint=made.identity)
    write_recording(tmp_path / "answers.jsonl", recording)
    assert verify(made, str(tmp_path / "answers.jsonl")).verdict == "derived"
