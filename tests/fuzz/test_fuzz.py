"""Nothing but a ModelprintError comes out of a loader or the answer parser, whatever goes in.

A short run by default. MODELPRINT_FUZZ_SECONDS=60 goes on for so long with each target, on other examples each time;
MODELPRINT_FUZZ_LOG=FILE gets a line of JSON for each. docs/check-an-api.md has the last long run.
"""

from __future__ import annotations

import io
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from modelprint.core.access import Access
from modelprint.core.errors import ModelprintError
from modelprint.core.identity import canonical_json, digest
from modelprint.core.suspect import ABSTAINED, Answers
from modelprint.data.splits import load_data, load_raw
from modelprint.modalities.image.wire import TensorFormat
from modelprint.nn.files import ModelCard, model_bytes
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.suspects.class_names import read_class_names
from modelprint.suspects.dialects import Dialect, ImagePost, Invocations
from modelprint.suspects.interpret import ClassIndex
from modelprint.suspects.ledger import Ledger
from modelprint.suspects.mapping import MappedApi, Mapping, read_mapping
from modelprint.suspects.oip import ModelMetadata, OpenInference
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.recorded import read_recording, record, write_recording
from tests.fuzz.mutation import as_json, damaged, repacked, values

SECONDS = float(os.environ.get("MODELPRINT_FUZZ_SECONDS", "0"))
LOG = os.environ.get("MODELPRINT_FUZZ_LOG")
EXAMPLES = 400 if SECONDS else 10
ROOM = 3 * 2**30
SPEC = ModelSpec(arch="mlp", arch_args={"width": 2, "depth": 1}, channels=1, size=2, classes=3)
IMAGES = np.arange(24, dtype=np.uint8).reshape(6, 1, 2, 2)
NAMES = ("cat", "dog", "ship")
Use = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        file: the name of the file that is written.
        inputs: its contents.
        use: reads it.
    """

    file: str
    inputs: st.SearchStrategy[bytes]
    use: Use


def model_target(file: str, whole: bytes) -> Target:
    inputs = repacked(whole) if whole.startswith(b"PK") else damaged(whole)
    arguments = {"arch": SPEC.arch, "arch_args": SPEC.arch_args, "shape": (1, 2, 2), "classes": 3}
    return Target(file, inputs, lambda path: load_model(path, **arguments))  # type: ignore[arg-type]


def safetensors() -> Target:
    return model_target("m.safetensors", model_bytes(build(SPEC), ModelCard(spec=SPEC)))


def checkpoint() -> Target:
    stream = io.BytesIO()
    torch.save({"state_dict": build(SPEC).body.state_dict(), "epoch": 3}, stream)
    return model_target("m.pt", stream.getvalue())


def legacy_checkpoint() -> Target:
    stream = io.BytesIO()
    torch.save(build(SPEC).body.state_dict(), stream, _use_new_zipfile_serialization=False)
    return model_target("m.pth", stream.getvalue())


def onnx_file() -> Target:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.ones((4, 3), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    whole = onnx.ModelProto.SerializeToString(model)
    return Target("m.onnx", damaged(whole), lambda path: OnnxSuspect(path, threads=1).ask(IMAGES))


def recording(suffix: str) -> Callable[[], Target]:
    def made() -> Target:
        scores = np.random.default_rng(0).random((6, 3), dtype=np.float32)
        answers = Answers(labels=scores.argmax(1).astype(np.int64), scores=scores)
        path = Path(os.environ["FUZZ_PLACE"]) / f"whole{suffix}"
        write_recording(path, record(IMAGES, answers, suspect="s"))
        whole = path.read_bytes()
        return Target(f"a{suffix}", repacked(whole) if suffix == ".npz" else damaged(whole), read_recording)

    return made


def data_archive() -> Target:
    stream = io.BytesIO()
    np.savez(stream, x_train=IMAGES, y_train=np.arange(6) % 3, class_names=np.array(NAMES))

    def use(path: Path) -> object:
        load_raw.cache_clear()
        return load_data(str(path))

    return Target("d.npz", repacked(stream.getvalue()), use)


def fingerprint() -> Target:
    """Tensors that are damaged, under a manifest with their right hash, as a forger would write them."""
    whole = Fingerprint.bind(
        {
            "scheme": "adv-tra", "parameters": {}, "seed": 0, "codec": "uint8-image", "source": "s", "data": "d",
            "input": {"channels": 1, "height": 2, "width": 2, "class_names": NAMES}, "source_accuracy": 1.0,
            "data_name": "d", "report": {}, "calibration": [], "library": "test",
        },
        queries=IMAGES,
        true_labels=np.arange(6) % 3,
        source=Answers(labels=np.arange(6) % 3),
        state={"group": np.zeros(6, np.int64), "position": np.arange(6)},
    )  # fmt: skip
    folder = Path(os.environ["FUZZ_PLACE"]) / "fp"
    whole.save(folder)
    tensors = (folder / "tensors.safetensors").read_bytes()
    manifest = whole.manifest.model_dump(mode="json")

    def use(path: Path) -> object:
        data = path.read_bytes()
        said = canonical_json({**manifest, "tensors": digest(data)})
        (folder / "tensors.safetensors").write_bytes(data)
        (folder / "manifest.json").write_bytes(said)
        (folder / "SHA256").write_text(digest(said))
        return Fingerprint.load(folder)

    return Target("tensors", damaged(tensors), use)


def ledger() -> Target:
    lines = [
        {
            "format": "modelprint-ledger",
            "schema_version": 1,
            "suspect": "u",
            "endpoint": "e",
            "started": "20260101T000000Z",
        },
        {"sent": 2},
        {"query": "a" * 64, "label": 1, "scores": [0.5, 0.25, 0.25]},
        {"complete": True},
    ]
    whole = b"".join(canonical_json(line) + b"\n" for line in lines)

    def use(path: Path) -> object:
        book = Ledger(path, suspect="u", endpoint="e")
        book.known(scores=True)
        with book:
            return book.answers(["a" * 64, "b" * 64], scores=True, classes=3)

    return Target("l.jsonl", damaged(whole), use)


def toml(use: Callable[[Path], object]) -> Callable[[], Target]:
    whole = b"""weights = "m.safetensors"
path = "/x"
[request]
kind = "base64-json"
body = { instances = "$images", k = 1 }
[response]
labels = "a.*.b"
[class_names]
"x" = 3
"""
    return lambda: Target("x.toml", damaged(whole), use)


def parser() -> Target:
    index = ClassIndex(names=NAMES, aliases={"Hound": 1, "0": 1, "1": 0})
    request = {"kind": "tensor"}
    dialects: list[Dialect] = [
        Invocations("http://h/invocations", tensors=TensorFormat(), index=index),
        ImagePost("http://h/", index=index),
        OpenInference("http://h/v2/models/m", ModelMetadata(), SuspectOptions(class_names=NAMES)),
        MappedApi(
            "http://h/", Mapping.model_validate({"request": request, "response": {"labels": "*.label"}}), names=NAMES
        ),
        MappedApi(
            "http://h/", Mapping.model_validate({"request": request, "response": {"scores": "data"}}), names=NAMES
        ),
    ]
    output = {"name": "y", "datatype": "FP32", "shape": [2, 3], "data": [0.5] * 6}
    good = [{"predictions": [0, "dog"]}, {"predictions": [[0, 0.5, 1], [1, 0, 0]]}, {"outputs": [output]}]
    good += [{"data": [[0, 1, 2], [1, 0, 0]]}, [{"label": "cat", "score": 1.0}, {"label": "dog", "score": 0.5}]]  # type: ignore[list-item]
    shaped = st.fixed_dictionaries({"predictions": values}) | st.fixed_dictionaries({"data": values})
    named = st.fixed_dictionaries(
        {
            "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "BOOL"]),
            "shape": st.lists(st.integers(-1, 3)),
            "data": values,
        }
    )
    outputs = st.fixed_dictionaries({"outputs": st.lists(named.map(lambda entry: {"name": "y", **entry}), max_size=2)})
    bodies = st.one_of(*(damaged(as_json(value)) for value in good), (values | shaped | outputs).map(as_json))

    def use(path: Path) -> object:
        body = path.read_bytes()
        for dialect in dialects:
            for count in (1, 2):
                for access in (Access.LABELS, Access.SCORES):
                    try:
                        answers = dialect.answers(body, count, access)
                    except ModelprintError:
                        continue
                    assert len(answers) == count
                    chosen = answers.labels != ABSTAINED  # as null says it
                    assert ((answers.labels[chosen] >= 0) & (answers.labels[chosen] < 3)).all()
                    assert answers.scores is None or np.isfinite(answers.scores[chosen]).all()
        return None

    return Target("body", bodies, use)


TARGETS: dict[str, Callable[[], Target]] = {
    "safetensors": safetensors,
    "checkpoint": checkpoint,
    "legacy-checkpoint": legacy_checkpoint,
    "onnx": onnx_file,
    "answers-jsonl": recording(".jsonl"),
    "answers-npz": recording(".npz"),
    "data-npz": data_archive,
    "fingerprint": fingerprint,
    "ledger": ledger,
    "mapping-file": toml(read_mapping),
    "class-names": toml(read_class_names),
    "spec-file": toml(load_model),
    "answer-parser": parser,
}


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """What is claimed but not there may not be set aside, either."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_goes_in_only_our_own_errors_come_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bounded_memory: None
) -> None:
    monkeypatch.setenv("FUZZ_PLACE", str(tmp_path))
    target = TARGETS[name]()
    path = tmp_path / target.file
    examples = refused = runs = 0
    began = time.monotonic()

    def feed(content: bytes) -> None:
        nonlocal examples, refused
        examples += 1
        for left in tmp_path.glob("l.*"):  # ledgers that were put aside
            left.unlink()
        path.write_bytes(content)
        try:
            target.use(path)
        except ModelprintError:
            refused += 1

    while not runs or time.monotonic() - began < SECONDS:
        quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        chosen = settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=quiet)
        seed(runs)(chosen(given(content=target.inputs)(feed)))()
        runs += 1
    if LOG:
        line = {"target": name, "examples": examples, "refused": refused, "seconds": round(time.monotonic() - began, 1)}
        with Path(LOG).open("a") as stream:
            stream.write(json.dumps(line) + "\n")
