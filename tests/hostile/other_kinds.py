"""Small models and fingerprints of series, vectors and texts; nothing is trained."""

from __future__ import annotations

import json

import numpy as np
import torch
from safetensors.torch import load, save

from modelprint.core.suspect import Answers
from modelprint.modalities.base import InputSpec, modality_of
from modelprint.modalities.series.spec import SeriesSpec
from modelprint.modalities.text.spec import TextSpec
from modelprint.modalities.text.storage import stored_texts
from modelprint.modalities.vector.spec import Column, VectorSpec
from modelprint.nn.files import ModelCard, model_bytes
from modelprint.nn.pieces import learn_vocabularies
from modelprint.nn.spec import ModelSpec, build
from modelprint.nn.vocabularies import as_it_reads
from modelprint.ownership.fingerprint import Fingerprint

CLASSES = ("a", "b")
COLUMNS = (
    Column(name="width", levels=100),
    Column(name="height", low=0.0, step=0.1, levels=50, decimals=1),
    Column(name="colour", levels=3, categories=("blue", "green", "red")),
)
TEXTS = ("one of them", "another one", "a third", "and the last")
SPECS: dict[str, InputSpec] = {
    "series": SeriesSpec(channels=1, length=16, rate=1000, full_scale=1.0, spread=0.3, class_names=CLASSES),
    "vector": VectorSpec(columns=COLUMNS, class_names=CLASSES),
    "text": TextSpec(length=32, class_names=CLASSES),
}
NETWORKS = {
    "series": ("series-mlp", {"width": 2}),
    "vector": ("vector-mlp", {"width": 2}),
    "text": ("text-transformer", {"width": 8}),
}
LABELS = np.array([0, 1, 0, 1])


def stored(kind: str) -> np.ndarray:
    """Four inputs, as they are stored."""
    if kind == "text":
        return stored_texts(TEXTS, 32)
    if kind == "vector":
        return np.array([[3, 4, 0], [50, 20, 1], [99, 49, 2], [0, 0, 0]], np.int32)
    return np.arange(64, dtype=np.int16).reshape(4, 1, 16) * 100


def model(kind: str, spec: InputSpec | None = None) -> bytes:
    """An untrained model with its card.

    Args:
        spec: of its inputs, where they are others.
    """
    inputs = spec or SPECS[kind]
    arch, arguments = NETWORKS[kind]
    torch.manual_seed(0)
    said = ModelSpec(arch=arch, arch_args=dict(arguments), input=inputs.model_dump(mode="json"), classes=inputs.classes)
    network = build(said)
    if kind == "text":
        learn_vocabularies(network, torch.from_numpy(stored(kind)))
    return model_bytes(network, ModelCard(spec=as_it_reads(said, network)))


def with_another_tokenizer() -> bytes:
    """A model of texts whose vocabulary was exchanged after its card was written."""
    data = model("text")
    tensors = load(data)
    (name,) = (name for name in tensors if name.endswith("pieces.codes"))
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    return save({**tensors, name: tensors[name] + (tensors[name] > 0)}, header)


def fingerprint(kind: str) -> Fingerprint:
    """By AKH, calibrated on 19 models that never answer as the source does."""
    others = tuple(Answers(labels=1 - LABELS) for _ in range(19))
    spec = SPECS[kind]
    return Fingerprint.bind(
        {
            "scheme": "akh",
            "parameters": {"queries": 4},
            "seed": 7,
            "input": spec.model_dump(mode="json"),
            "codec": next(iter(modality_of(spec).codecs)),
            "source": "sha256:" + "1" * 64,
            "source_accuracy": 0.9,
            "data": "sha256:" + "2" * 64,
            "data_name": "tiny",
            "report": {},
            "calibration": [{"name": f"m{number}", "identity": f"sha256:{number:064x}"} for number in range(19)],
            "library": "modelprint 0.1.0, torch 2.13.0",
        },
        queries=stored(kind),
        true_labels=LABELS,
        source=Answers(labels=LABELS),
        state={"group": np.zeros(4, dtype=np.int64)},
        calibration=others,
    )
