"""Whole things, each small: what hostile inputs are made from by damage. Nothing is trained."""

from __future__ import annotations

import io
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from modelprint.core.identity import canonical_json
from modelprint.core.suspect import Answers
from modelprint.nn.files import ModelCard, model_bytes
from modelprint.nn.spec import ModelSpec, build
from modelprint.ownership.bundle import bundle
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.seal import seal
from modelprint.ownership.verify import examine
from modelprint.sealing.keys import make_key
from modelprint.suspects.recorded import record, write_recording
from tests.hostile import other_kinds
from tests.sealing import world

SPEC = ModelSpec(arch="mlp", arch_args={"width": 2, "depth": 1}, channels=1, size=2, classes=3)
ARCH = ("--arch", "mlp", "--arch-args", '{"width": 2, "depth": 1}')


class Seeds:
    """Made when first asked for, in one folder.

    Args:
        folder: where files that commands need lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Of four queries of 2 x 2 and three classes, by AKH, with 19 calibration models."""
        return world.fingerprint()

    @cached_property
    def fingerprint_folder(self) -> str:
        """The same, on disk."""
        self.fingerprint.save(self.folder / "fp")
        return str(self.folder / "fp")

    def model(self, kind: str) -> str:
        """The file of an untrained model of series, vectors or texts."""
        path = self.folder / f"{kind}.safetensors"
        if not path.exists():
            path.write_bytes(other_kinds.model(kind))
        return str(path)

    def fingerprint_of(self, kind: str) -> str:
        """The folder of a fingerprint of four series, vectors or texts."""
        path = self.folder / f"{kind}-fp"
        if not path.exists():
            other_kinds.fingerprint(kind).save(path)
        return str(path)

    @property
    def queries(self) -> np.ndarray:
        """uint8 (4, 1, 2, 2)."""
        return self.fingerprint.queries

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        """The weights of a network that fits the fingerprint."""
        torch.manual_seed(0)
        return {name: value.detach() for name, value in build(SPEC).body.state_dict().items()}

    @cached_property
    def safetensors(self) -> bytes:
        """A model with its card."""
        torch.manual_seed(0)
        return model_bytes(build(SPEC), ModelCard(spec=SPEC))

    @cached_property
    def checkpoint(self) -> bytes:
        """As torch saves it, a zip archive."""
        stream = io.BytesIO()
        torch.save({"state_dict": self.state, "epoch": 3}, stream)
        return stream.getvalue()

    @cached_property
    def legacy_checkpoint(self) -> bytes:
        """As torch saved it before 1.6, a row of pickles."""
        stream = io.BytesIO()
        torch.save(self.state, stream, _use_new_zipfile_serialization=False)
        return stream.getvalue()

    @cached_property
    def onnx(self) -> bytes:
        """A linear classifier."""
        return onnx_model(
            [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])],
            {"w": np.ones((4, 3), np.float32)},
        ).SerializeToString()

    def recording(self, suffix: str) -> bytes:
        """Recorded answers with scores to the fingerprint's queries: .jsonl or .npz."""
        path = self.folder / f"recording{suffix}"
        if not path.exists():
            scores = np.random.default_rng(0).random((4, 3), dtype=np.float32)
            answers = Answers(labels=scores.argmax(1).astype(np.int64), scores=scores)
            write_recording(path, record(self.queries, answers, suspect="s", fingerprint=self.fingerprint.identity))
        return path.read_bytes()

    @cached_property
    def data_archive(self) -> bytes:
        """Twelve images of 2 x 2 in three classes, in Keras' layout."""
        return npz(
            x_train=np.arange(48, dtype=np.uint8).reshape(12, 2, 2),
            y_train=np.arange(12) % 3,
            x_test=np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
            y_test=np.arange(3),
        )

    @cached_property
    def key(self) -> Path:
        """A private key's file; the public one beside it is .pub."""
        path = self.folder / "key"
        if not path.exists():
            make_key(path)
        return path

    @cached_property
    def commitment(self) -> bytes:
        """The sealed fingerprint."""
        return seal(self.fingerprint, self.key)

    @cached_property
    def bundle(self) -> bytes:
        """Evidence that a suspect is derived."""
        found = examine(self.fingerprint, world.suspect, access="labels", slice_plane=False)
        return bundle(self.fingerprint, found, commitment=self.commitment, key=self.key)

    def ledger(self, suspect: str, endpoint: str) -> bytes:
        """A broken run's ledger of an address."""
        head = {"format": "modelprint-ledger", "schema_version": 1, "suspect": suspect, "endpoint": endpoint}
        lines = [
            {**head, "started": "20260101T000000Z"},
            {"sent": 2},
            {"query": "a" * 64, "label": 1},
            {"query": "b" * 64, "label": 2},
        ]
        return b"".join(canonical_json(line) + b"\n" for line in lines)


def npz(**arrays: object) -> bytes:
    """An archive of arrays."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def onnx_model(
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    *,
    shape: tuple[object, ...] = ("n", 1, 2, 2),
    output: tuple[object, ...] | None = None,
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
) -> onnx.ModelProto:
    """A model of these nodes from `x` to `y`."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, output) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
