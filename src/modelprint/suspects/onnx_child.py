"""What the child does with an ONNX file that a stranger made: parse it, run it. Nothing of this runs in the parent.

Messages: {"do": "names"} with the file's bytes: the files beside it that hold tensors; {"do": "open", "place": folder}:
inputs and outputs; {"do": "run", "output": name} with the input under its name: the output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler


def handler() -> Handler:
    """Answers messages about one file."""
    sessions: list[Any] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "names":
            return {"names": _outside_names(arrays["file"].tobytes(), message["who"])}, {}
        if message["do"] == "open":
            session = _session(arrays["file"].tobytes(), message)
            sessions[:] = [session]
            return {"inputs": _ends(session.get_inputs()), "outputs": _ends(session.get_outputs())}, {}
        try:
            (output,) = sessions[0].run([message["output"]], dict(arrays))
        except Exception as error:  # onnxruntime's errors share no base but this
            raise ModelError(_short(error)) from error
        return {}, {"output": np.asarray(output)}

    return answer


def _ends(entries: Any) -> list[dict[str, Any]]:
    """Name, type and shape of inputs or outputs; None for a size that the file leaves open."""
    return [
        {
            "name": entry.name,
            "type": entry.type,
            "shape": [size if isinstance(size, int) else None for size in entry.shape],
        }
        for entry in entries
    ]


def _session(data: bytes, message: Mapping[str, Any]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = message["threads"]
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", message["place"])
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but this
        raise ModelError(f"{message['who']} is not an ONNX file that onnxruntime can run: {_short(error)}") from error


def _outside_names(data: bytes, who: str) -> list[str]:
    """The files that a model's tensors are in, sorted.

    Raises:
        ModelError: the onnx package is not installed, or this is no ONNX file.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError as error:
        raise ModelError("reading ONNX files needs onnx: pip install 'modelprint[onnx]'") from error
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, RecursionError, ValueError) as error:
        raise ModelError(f"{who} is not an ONNX file: it is truncated, or of another format; copy it again") from error
    names: set[str] = set()
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            names.update(entry.value for entry in tensor.external_data if entry.key == "location")
    return sorted(names)


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor of a graph and of the graphs within it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _tensors(inner)


def _short(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
