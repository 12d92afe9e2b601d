"""ONNX files with weights beside them: found, checked, and covered by one hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest, digest_json
from modelprint.core.untrusted import read_inside, read_regular


@dataclass(frozen=True, kw_only=True)
class OnnxFile:
    """A model, in memory.

    Attributes:
        data: the file.
        outside: the files beside it that hold tensors, by the names that it gives them.
    """

    data: bytes
    outside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """SHA-256 of the file; with tensors in other files, of the SHA-256 of each."""
        if not self.outside:
            return digest(self.data)
        return digest_json([digest(self.data), {name: digest(data) for name, data in self.outside.items()}])


def read_onnx(path: Path) -> OnnxFile:
    """A model file, with the files of tensors that it names beside it.

    Raises:
        ModelError: missing, no ONNX file, or tensors in files that are missing or lie elsewhere.
    """
    try:
        data = read_regular(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    outside: dict[str, bytes] = {}
    for name in outside_names(data, path) if b"location" in data else ():
        try:
            outside[name] = read_inside(path.parent, name)
        except OSError as error:
            raise ModelError(
                f"{path} keeps weights in {name!a}, which cannot be read ({error.strerror or error}): "
                "put that file beside it"
            ) from error
        except ValueError as error:
            raise ModelError(f"{path} keeps weights elsewhere: {error}; refused, put them beside it") from error
    return OnnxFile(data=data, outside=outside)


def outside_names(data: bytes, path: Path) -> list[str]:
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
        raise ModelError(f"{path} is not an ONNX file: it is truncated, or of another format; copy it again") from error
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
