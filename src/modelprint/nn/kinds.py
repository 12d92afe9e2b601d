"""What kind of model a file holds, by its content first and its suffix second; nothing is unpacked or parsed."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Literal

from modelprint.core.untrusted import open_regular

FileKind = Literal[
    "safetensors",
    "checkpoint",
    "torchscript",
    "exported",
    "onnx",
    "tflite",
    "keras",
    "openvino",
    "saved-model",
    "xgboost",
    "skops",
    "other",
]
CHECKPOINT_SUFFIXES = frozenset({".pt", ".pth", ".th", ".ckpt", ".bin", ".tar"})
ASKED: Mapping[FileKind, str] = {  # formats that answer, but give no gradients here
    "onnx": "an ONNX file",
    "tflite": "a TFLite file",
    "keras": "a Keras file",
    "openvino": "an OpenVINO model",
    "saved-model": "a SavedModel",
    "skops": "a file of skops",
}
PROGRAMS = ("exported", "torchscript")  # kinds that bring code
SAVED_MODEL = "saved_model.pb"  # in a folder of that kind
WAYS_ROUND = (
    "check the model as an ONNX file, at an http address, as a Python callable (modelprint.verify), or by its answers "
    "in a CSV file (modelprint inspect --export-queries)"
)
_BY_SUFFIX: Mapping[str, FileKind] = {
    ".safetensors": "safetensors",
    **dict.fromkeys(CHECKPOINT_SUFFIXES, "checkpoint"),
    ".pt2": "exported",
    ".onnx": "onnx",
    ".tflite": "tflite",
    ".keras": "keras",
    ".h5": "keras",
    ".hdf5": "keras",
    ".xml": "openvino",
    ".skops": "skops",
}
_TITLES: Mapping[str, str] = {  # of what no reader is there for
    ".mlmodel": "a Core ML model",
    ".mlpackage": "a Core ML model",
    ".mlmodelc": "a Core ML model",
    ".pb": "a frozen graph of TensorFlow",
    ".engine": "a TensorRT engine",
    ".plan": "a TensorRT engine",
    ".gguf": "a GGUF file",
    ".pkl": "a pickle",
    ".pickle": "a pickle",
    ".joblib": "a pickle of joblib",
    ".msgpack": "weights of Flax",
    ".pdparams": "a checkpoint of PaddlePaddle",
    ".pdmodel": "a model of PaddlePaddle",
    ".mar": "an archive of TorchServe",
    ".caffemodel": "a model of Caffe",
    ".mnn": "a model of MNN",
    ".rknn": "a model for Rockchip processors",
    ".ptl": "a TorchScript model for phones",
    ".pte": "a program of ExecuTorch",
}
_HEAD = 4096
_HDF5 = b"\x89HDF\r\n\x1a\n"


def kind_of(path: Path) -> FileKind:
    """The kind of a file or folder; "other" where nothing says.

    >>> kind_of(Path("absent.onnx"))
    'onnx'
    """
    by_suffix = _BY_SUFFIX.get(path.suffix.lower(), "other")
    if path.is_dir():
        return "saved-model" if (path / SAVED_MODEL).is_file() else by_suffix
    try:
        with open_regular(path) as stream:
            return _by_content(stream) or by_suffix
    except OSError:
        return by_suffix  # who reads it will say what is wrong


def kind_of_data(data: bytes, path: Path) -> FileKind:
    """The kind of a file whose bytes are at hand.

    >>> kind_of_data(bytes(4) + b"TFL3", Path("model.bin"))
    'tflite'
    """
    return _by_content(io.BytesIO(data)) or _BY_SUFFIX.get(path.suffix.lower(), "other")


def is_asked(reference: str | Path) -> bool:
    """Whether a path names a model that answers but gives no gradients here.

    >>> is_asked("absent.tflite"), is_asked("absent.pt")
    (True, False)
    """
    return kind_of(Path(reference)) in ASKED


def is_no_model(path: Path) -> bool:
    """Whether a file is a model by its suffix, of a kind that no reader knows.

    >>> is_no_model(Path("m.mlmodel")), is_no_model(Path("m.onnx")), is_no_model(Path("notes.txt"))
    (True, False, False)
    """
    return path.suffix.lower() in _TITLES and kind_of(path) == "other"


def no_model_file(path: Path) -> str:
    """The message on a file that no reader knows, with the ways round.

    >>> no_model_file(Path("m.mlmodel"))[:57]
    'm.mlmodel is a Core ML model, which is not read: check th'
    """
    title = _TITLES.get(path.suffix.lower())
    if title is not None:
        return f"{path} is {title}, which is not read: {WAYS_ROUND}"
    return (
        f"{path} is no model file: name a .safetensors, .pt, .pth, .ckpt, .bin, .pt2, .onnx, .tflite, .keras, .h5, "
        ".xml (OpenVINO), .skops or .json (XGBoost) file, a SavedModel, a folder with config.json, or a .toml spec "
        f"file; or {WAYS_ROUND}"
    )


def _by_content(stream: IO[bytes]) -> FileKind | None:
    head = stream.read(_HEAD)
    size = stream.seek(0, os.SEEK_END)
    if head.startswith(b"PK\x03\x04"):
        return _by_members(stream)
    text = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    signs: Mapping[FileKind, bool] = {
        "tflite": head[4:8] == b"TFL3",
        "keras": head.startswith(_HDF5),
        "safetensors": head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8,
        "checkpoint": head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"),
        "xgboost": text.startswith(b"{") and b'"learner"' in head,
        "openvino": text.startswith((b"<?xml", b"<net ")) and b"<net " in head,
    }
    return next((kind for kind, seen in signs.items() if seen), None)


def _by_members(stream: IO[bytes]) -> FileKind | None:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except Exception:  # of damaged directories: whoever reads the file will say what is wrong
        return None
    if {"config.json", "metadata.json"} <= set(names):
        return "keras"
    if "schema.json" in names:
        return "skops"
    if any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names):
        return "torchscript"
    if any(name.endswith(("/archive_format", "serialized_exported_program.json")) for name in names):
        return "exported"
    return "checkpoint" if any(name.endswith("data.pkl") for name in names) else None
