"""Networks of texts: padding changes nothing, vocabularies are learned once and travel with the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from modelprint.core.errors import ModelError
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import stored_texts
from modelprint.nn.architectures import architectures_for
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.nn.pieces import BYTES, Pieces, vocabulary_of
from modelprint.nn.spec import build
from modelprint.ownership.enroll import enroll
from modelprint.training.loop import predict
from modelprint.training.recipes import AdamW
from modelprint.training.train import spec_for, train_model
from tests.texts.conftest import Texts


@pytest.mark.parametrize("name", architectures_for("text"))
def test_zeros_behind_the_end_change_nothing(texts: Texts, name: str) -> None:
    model = build(spec_for(texts.owner, name), seed=3).eval()
    short = torch.from_numpy(stored_texts(["a few words", "é"], 12))
    with torch.no_grad():
        one = model(TEXT.to_model(short))
        other = model(TEXT.to_model(torch.nn.functional.pad(short, (0, 20))))
    assert one.shape == (2, 4)
    assert torch.allclose(one, other, atol=1e-5)


def test_pieces_are_the_longest_from_the_left() -> None:
    pieces = Pieces(3)
    texts = torch.from_numpy(stored_texts(["abcdabcdabcd", "xyxy", "q"], 12))
    pieces.learn(texts)
    assert pieces.codes.tolist() == sorted(
        int.from_bytes(one.encode().ljust(4, b"\0"), "big") for one in ("abc", "abcd", "bcd")
    )
    numbers = pieces(texts)
    abcd = BYTES + 1
    assert numbers[0].tolist() == [abcd] * 3 + [0] * 9
    assert numbers[1].tolist() == [*b"xyxy"] + [0] * 8
    before = pieces.identity
    pieces.learn(torch.from_numpy(stored_texts(["zzzz"], 4)))
    assert pieces.identity == before


def test_a_transformer_keeps_its_vocabulary_in_its_file(texts: Texts, tmp_path: Path) -> None:
    spec = spec_for(texts.owner, "text-transformer", {"width": 16, "pieces": 64})
    made = train_model(texts.owner, spec, AdamW(epochs=6, lr=5e-3, batch_size=32, augment="none"), seed=0)
    vocabulary = vocabulary_of(made.model)
    assert vocabulary is not None
    assert vocabulary.known
    save_model(tmp_path / "m.safetensors", made.model, made.card)
    read = load_model(tmp_path / "m.safetensors")
    again = vocabulary_of(read.module)
    assert again is not None
    assert again.identity == vocabulary.identity
    assert read.card is not None
    assert read.card.spec.inputs.model_dump()["tokenizer"] == vocabulary.identity
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        header = file.metadata()
    tensors = load_file(tmp_path / "m.safetensors")
    (name,) = (name for name in tensors if name.endswith("pieces.codes"))
    exchanged = tensors[name] + (tensors[name] > 0)
    save_file({**tensors, name: exchanged}, tmp_path / "n.safetensors", header)
    with pytest.raises(ModelError, match=r"n\.safetensors: the vocabulary of its tokenizer is sha256:.* was exchanged"):
        load_model(tmp_path / "n.safetensors")
    fingerprint = enroll(made.model, texts.queries, scheme="akh", settings={"queries": "40"})
    assert fingerprint.manifest.input.model_dump()["tokenizer"] == vocabulary.identity
    assert fingerprint.manifest.input.model_dump()["pieces"] == 256 + 64
    stored = torch.from_numpy(texts.queries.stored)
    assert np.array_equal(predict(read.module, stored, modality=TEXT), predict(made.model, stored, modality=TEXT))
