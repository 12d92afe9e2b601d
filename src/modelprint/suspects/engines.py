"""What runs a model that is no network of torch: one record for each format, by which its confined child is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelprint.modalities.wire import Layout
from modelprint.nn.kinds import SAVED_MODEL, FileKind
from modelprint.suspects.foreign.files import read_folder, read_one, read_with_weights
from modelprint.suspects.onnx_files import OnnxFile, read_onnx

Names = Callable[[bytes], list[str]]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How models of one format are read and run.

    Attributes:
        title: of the format, as messages say it.
        handler: "module:function" of what the child does.
        packages: that must be installed, by their import names.
        extra: of modelprint, which brings them.
        read: the model's bytes, and those of the files that belong to it; its second argument asks the child for the
            names of such files, where only a parser of the format knows them.
        file_name: of the model's file in the child's folder, by its bytes, where the library reads files only.
        memory: bytes that the child may use for a small file; for each byte of a large one it may use eight.
        layout: of images, where a file leaves all sizes open.
        is_program: whether a file may do anything as it is opened, so that it is opened in a confined child alone.
    """

    title: str
    handler: str
    packages: tuple[str, ...]
    extra: str
    read: Callable[[Path, Names], OnnxFile]
    file_name: Callable[[bytes], str] | None = None
    memory: int = 2 * 2**30
    layout: Layout | None = None
    is_program: bool = False


def _child(name: str) -> str:
    return f"modelprint.suspects.foreign.{name}_child:handler"


ONNX = Engine(
    title="ONNX",
    handler="modelprint.suspects.onnx_child:handler",
    packages=("onnxruntime",),
    extra="onnx",
    read=lambda path, names: read_onnx(path, names=names),
)
ENGINES: Mapping[FileKind, Engine] = {
    "onnx": ONNX,
    "tflite": Engine(
        title="TFLite",
        handler=_child("tflite"),
        packages=("ai_edge_litert",),
        extra="tflite",
        read=lambda path, _: read_one(path),
        layout="nhwc",
    ),
    "keras": Engine(
        title="Keras",
        handler=_child("keras"),
        packages=("keras", "h5py"),
        extra="keras",
        read=lambda path, _: read_one(path),
        file_name=lambda data: "model.keras" if data.startswith(b"PK") else "model.h5",  # Keras goes by the suffix
        layout="nhwc",
    ),
    "openvino": Engine(
        title="OpenVINO",
        handler=_child("openvino"),
        packages=("openvino",),
        extra="openvino",
        read=lambda path, _: read_with_weights(path),
    ),
    "skops": Engine(
        title="skops",
        handler=_child("skops"),
        packages=("skops", "sklearn"),
        extra="tabular",
        read=lambda path, _: read_one(path),
    ),
    "saved-model": Engine(
        title="SavedModel",
        handler=_child("saved_model"),
        packages=("tensorflow",),
        extra="tensorflow",
        read=lambda path, _: read_folder(path),
        file_name=lambda _: SAVED_MODEL,
        memory=6 * 2**30,
        layout="nhwc",
        is_program=True,
    ),
}
