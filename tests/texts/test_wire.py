"""Texts on the way: strings for servers, bytes for ONNX files, files for hands."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from modelprint.core.access import Access
from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import stored_texts, texts_of
from modelprint.modalities.wire import TensorForm
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.open import SuspectOptions, open_suspect
from modelprint.suspects.serving import ServedModel
from modelprint.training.loop import predict
from tests.texts.conftest import Texts


def request(*texts: object, datatype: str = "BYTES") -> bytes:
    tensor = {"name": "texts", "datatype": datatype, "shape": [len(texts)], "data": list(texts)}
    return json.dumps({"inputs": [tensor]}).encode()


@pytest.fixture(scope="module")
def served(texts: Texts) -> ServedModel:
    suspect = TorchSuspect(texts.source, identity="m", classes=4, modality=TEXT)
    return ServedModel(suspect, name="m", input_shape=(32,), classes=4, access=Access.SCORES, modality=TEXT)


def test_a_server_takes_strings(texts: Texts, served: ServedModel) -> None:
    assert served.metadata()["inputs"] == [{"name": "texts", "datatype": "BYTES", "shape": [-1]}]
    asked = texts_of(texts.queries.stored[:5])
    answered = served.infer(request(*asked))["outputs"][0]
    expected = predict(texts.source, torch.from_numpy(texts.queries.stored[:5]), modality=TEXT)
    assert np.allclose(np.reshape(answered["data"], answered["shape"]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (request(""), "text 0 is empty"),
        (request("a", "b\x00"), r"text 1 holds the control character U\+0000"),
        (request("\ud800"), "text 0 holds half a character"),
        (request(3), "expected strings"),
        (request("x" * 70_000), "text 0 has 70,000 bytes, more than 65,536"),
        (request(1.0, datatype="FP32"), "'FP32' is not taken here: send BYTES or UINT8"),
    ],
)
def test_bad_requests_are_told_why(served: ServedModel, body: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        served.infer(body)


def test_what_is_sent() -> None:
    stored = stored_texts(["café", "b"], 8)
    wire = TEXT.wire
    assert wire.encoder().encode(stored).tolist() == ["café", "b"]
    assert wire.encoder(TensorForm(dtype="uint8")).encode(stored).shape == (2, 8)
    assert wire.invocation(stored, wire.encoder()) == {"inputs": ["café", "b"]}
    assert wire.file(stored[0]) == "café".encode()
    assert np.array_equal(wire.decoded(np.array(["café"], dtype=object), "text"), stored_texts(["café"], 5))
    with pytest.raises(SuspectError, match="the tokenizer is the model's"):
        wire.encoder(TensorForm(mean=(0.5,)))
    with pytest.raises(MisfitError, match="takes 9, the texts are rows of 8 bytes"):
        wire.layout((None, 9), (8,), who="m.onnx")


def test_an_onnx_file_takes_bytes(texts: Texts, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    inputs = TEXT.to_model(texts.queries.stored[:2])
    with warnings.catch_warnings(action="ignore"):  # of the exporter's age
        torch.onnx.export(
            texts.source,
            (inputs,),
            tmp_path / "m.onnx",
            input_names=["bytes"],
            output_names=["scores"],
            dynamic_axes={"bytes": {0: "n"}, "scores": {0: "n"}},
            dynamo=False,
        )
    suspect = OnnxSuspect(tmp_path / "m.onnx", shape=(32,), classes=4, modality=TEXT)
    answers = suspect.ask(texts.queries.stored[:20], access=Access.SCORES)
    suspect.finish()
    expected = predict(texts.source, torch.from_numpy(texts.queries.stored[:20]), modality=TEXT).softmax(1)
    assert answers.scores is not None
    assert np.array_equal(answers.labels, expected.argmax(1).numpy())


def test_a_pipeline_of_scikit_learn_gets_strings(texts: Texts, tmp_path: Path) -> None:
    skops_io = pytest.importorskip("skops.io")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(CountVectorizer(analyzer="char", ngram_range=(1, 3)), MultinomialNB())
    pipeline.fit(texts_of(texts.owner.stored), [texts.owner.class_names[label] for label in texts.owner.labels])
    skops_io.dump(pipeline, tmp_path / "m.skops")
    options = SuspectOptions(class_names=texts.owner.class_names, input_shape=(32,), modality=TEXT)
    suspect = open_suspect(str(tmp_path / "m.skops"), options)
    answers = suspect.ask(texts.queries.stored[:40], access=Access.SCORES)
    suspect.finish()
    assert answers.scores is not None
    expected = pipeline.predict_proba(texts_of(texts.queries.stored[:40]))
    assert np.abs(answers.scores - expected).max() < 1e-6
    assert (answers.labels == texts.queries.labels[:40]).mean() > 0.5
