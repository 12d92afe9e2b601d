"""The weights in an ONNX file, in the order in which its graph uses them, each in torch's layout.

The file is parsed in a confined child. Names are those of the file where they stand for one weight only; exporters that
fold BatchNorm give others, and then order and shape pair them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modelprint.core.errors import ModelError
from modelprint.core.sandbox import Limits, room
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.core.untrusted import read_inside, read_regular
from modelprint.lineage.tensors import StateTensors

HANDLER = "modelprint.lineage.onnx_tensors:handler"
LEAST_MEMORY, MEMORY_PER_BYTE = 2 * 2**30, 8  # of the child: for small files; for each byte of a large one
LEAST_SECONDS, BYTES_PER_SECOND = 60.0, 10 * 2**20
_NUMBERS = ("float32", "float64", "float16", "int8", "uint8", "int32", "int64")


def onnx_tensors(path: Path) -> StateTensors:
    """The weights of an ONNX file; quantised ones as floats.

    Raises:
        ModelError: the file cannot be read, is no ONNX file, or keeps weights elsewhere.
        SandboxError: reading it takes too much memory or time.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    outside: dict[str, np.ndarray] = {}
    if b"location" in data:
        names = _call(path, {"do": "names", "who": str(path)}, {"file": np.frombuffer(data, np.uint8)})[0]["names"]
        for name in names:
            try:
                outside[f"outside/{name}"] = np.frombuffer(read_inside(path.parent, name), np.uint8)
            except (OSError, ValueError) as error:
                raise ModelError(f"{path} keeps weights in {name!a}, which cannot be read: {error}") from error
    files = {"file": np.frombuffer(data, np.uint8), **outside}
    answer, arrays = _call(path, {"do": "weights", "who": str(path)}, files)
    state: dict[str, Tensor] = {
        name: torch.from_numpy(np.array(arrays[f"weight/{place}"])) for place, name in enumerate(answer["names"])
    }
    return StateTensors(state, who=str(path))


def _call(path: Path, message: Mapping[str, Any], files: Mapping[str, np.ndarray]) -> tuple[Mapping[str, Any], Arrays]:
    size = sum(file.nbytes for file in files.values())
    limits = Limits(
        memory=max(LEAST_MEMORY, MEMORY_PER_BYTE * size),
        seconds=LEAST_SECONDS + size / BYTES_PER_SECOND,
        answer=2**26 + 8 * size,
    )
    with room(HANDLER, who=str(path), limits=limits) as child:
        return child.call(message, files)


def handler() -> Handler:
    """Answers with the names of files beside an ONNX file, or with its weights."""

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        model = _parsed(arrays["file"].tobytes(), message["who"])
        if message["do"] == "names":
            return {"names": _outside(model)}, {}
        files = {name.removeprefix("outside/"): data for name, data in arrays.items() if name.startswith("outside/")}
        weights = _weights(model, files, message["who"])
        return {"names": list(weights)}, {f"weight/{place}": value for place, value in enumerate(weights.values())}

    return answer


def _parsed(data: bytes, who: str) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError as error:
        raise ModelError("reading ONNX files needs onnx: pip install 'modelprint[onnx]'") from error
    try:
        return onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise ModelError(f"{who} is not an ONNX file: it is truncated, or of another format; copy it again") from error


def _outside(model: Any) -> list[str]:
    places = (entry for tensor in model.graph.initializer for entry in tensor.external_data)
    return sorted({entry.value for entry in places if entry.key == "location"})


def _weights(model: Any, files: Mapping[str, np.ndarray], who: str) -> dict[str, np.ndarray]:
    """Weights and factors of BatchNorm, by names that `weights.weights_of` understands, in the order of use."""
    constants = _constants(model, files, who)
    weights: dict[str, np.ndarray] = {}
    for place, node in enumerate(model.graph.node):
        inputs = [constants.get(name) for name in node.input]
        if node.op_type == "DequantizeLinear" and inputs[0] is not None and inputs[1] is not None:
            constants[node.output[0]] = _dequantised(inputs, _attribute(node, "axis", 1))
        elif node.op_type == "Transpose" and inputs[0] is not None:
            constants[node.output[0]] = inputs[0].transpose(list(_attribute(node, "perm", None) or ()) or None)
        elif node.op_type == "Identity" and inputs[0] is not None:
            constants[node.output[0]] = inputs[0]
        elif node.op_type in ("Conv", "Gemm", "MatMul") and len(inputs) > 1 and inputs[1] is not None:
            weight = inputs[1]
            turned = node.op_type == "MatMul" or (node.op_type == "Gemm" and not _attribute(node, "transB", 0))
            if weight.ndim >= 2:
                weights[_named(weights, node.input[1], place)] = weight.swapaxes(-1, -2) if turned else weight
        elif node.op_type == "BatchNormalization" and inputs[1] is not None and inputs[4] is not None:
            prefix = f"norm.{place}"
            weights[prefix + ".weight"], weights[prefix + ".running_var"] = inputs[1], inputs[4]
    return {name: np.ascontiguousarray(value) for name, value in weights.items()}


def _named(taken: Mapping[str, np.ndarray], name: str, place: int) -> str:
    return f"{name}.{place}" if name in taken else name


def _constants(model: Any, files: Mapping[str, np.ndarray], who: str) -> dict[str, np.ndarray]:
    """The numbers that the graph holds, by name."""
    from onnx import TensorProto, numpy_helper

    values: dict[str, np.ndarray] = {}
    tensors = [(tensor.name, tensor) for tensor in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors += [(node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value"]
    for name, tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            data = files[entries["location"]].tobytes()
            start = int(entries.get("offset", 0))
            tensor.raw_data = data[start : start + int(entries.get("length", len(data) - start))]
            tensor.data_location = TensorProto.DEFAULT
        try:
            value = numpy_helper.to_array(tensor)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{who}: the tensor {name!a} is damaged ({error}): copy the file again") from error
        if value.dtype.name in _NUMBERS:
            values[name] = value
    return values


def _dequantised(inputs: list[np.ndarray | None], axis: int) -> np.ndarray:
    """Scale (q - zero), for the whole tensor or along one axis."""
    stored, scale = inputs[0], inputs[1]
    assert stored is not None
    assert scale is not None
    zero = inputs[2] if len(inputs) > 2 else None
    shape = [1] * stored.ndim
    if scale.size > 1:
        shape[axis] = -1
    shifted = stored.astype(np.float32) - (0 if zero is None else zero.astype(np.float32).reshape(shape))
    result: np.ndarray = shifted * scale.astype(np.float32).reshape(shape)
    return result


def _attribute(node: Any, name: str, default: Any) -> Any:
    import onnx

    return next((onnx.helper.get_attribute_value(entry) for entry in node.attribute if entry.name == name), default)
