"""What the child does with a TFLite file that a stranger made: parse it, run it. Nothing of this runs outside.

Inputs and outputs of a quantised model are told and given as floats: real value = scale (integer - zero point).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.suspects.foreign.ends import end, in_batches, short


def handler() -> Handler:
    """Answers messages about one file."""
    models: list[_Model] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            models[:] = [_Model(arrays["file"].tobytes(), message["who"], threads=message["threads"])]
            return {"inputs": models[0].inputs, "outputs": models[0].outputs}, {}
        (tensor,) = arrays.values()
        return {}, {"output": models[0].run(tensor, message["output"])}

    return answer


class _Model:
    """A model with one input.

    Raises:
        ModelError: LiteRT cannot run it.
    """

    def __init__(self, data: bytes, who: str, *, threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter

            self._interpreter = Interpreter(model_content=data, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError, TypeError) as error:
            raise ModelError(f"{who} is not a TFLite file that LiteRT can run: {short(error)}") from error
        self._given = self._interpreter.get_input_details()
        self._results = {str(detail["name"]): detail for detail in self._interpreter.get_output_details()}
        self.inputs = [_end(detail) for detail in self._given]
        self.outputs = [_end(detail) for detail in self._results.values()]

    def run(self, tensor: np.ndarray, output: str) -> np.ndarray:
        """One output for one input, however many images the model takes at a time."""
        given = self._given[0]
        tensor = _stored(tensor, given)
        fixed = int(given["shape"][0])
        if _signature(given)[0] is None and len(tensor) != fixed:
            try:
                self._interpreter.resize_tensor_input(given["index"], list(tensor.shape), strict=True)
                self._interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                raise ModelError(short(error)) from error
            self._given = self._interpreter.get_input_details()
            fixed = len(tensor)
        return _real(in_batches(tensor, fixed, lambda batch: self._once(batch, output)), self._results[output])

    def _once(self, batch: np.ndarray, output: str) -> np.ndarray:
        try:
            self._interpreter.set_tensor(self._given[0]["index"], batch)
            self._interpreter.invoke()
            result: np.ndarray = self._interpreter.get_tensor(self._results[output]["index"])
        except (ValueError, RuntimeError) as error:
            raise ModelError(short(error)) from error
        return result


def _signature(detail: Mapping[str, Any]) -> list[int | None]:
    """The shape, without its batch size, which `run` sees to; None for sizes left open."""
    shape = detail.get("shape_signature")
    sizes = [int(size) for size in (detail["shape"] if shape is None or not len(shape) else shape)]
    return [None if size < 0 else size for size in sizes]


def _end(detail: Mapping[str, Any]) -> dict[str, Any]:
    kind = np.dtype(detail["dtype"]).name
    if _scale(detail) is not None:
        kind = "float32"
    return end(str(detail["name"]), kind, [None, *_signature(detail)[1:]])


def _scale(detail: Mapping[str, Any]) -> tuple[float, int] | None:
    """Scale and zero point of a tensor of integers that stand for real numbers."""
    scale, zero = detail["quantization"]
    integers = np.issubdtype(detail["dtype"], np.integer)
    return (float(scale), int(zero)) if integers and scale else None


def _stored(tensor: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    quantised = _scale(detail)
    if quantised is None:
        return tensor.astype(detail["dtype"], copy=False)
    scale, zero = quantised
    limits = np.iinfo(detail["dtype"])
    stored: np.ndarray = np.clip(np.rint(tensor / scale) + zero, limits.min, limits.max).astype(detail["dtype"])
    return stored


def _real(result: np.ndarray, detail: Mapping[str, Any]) -> np.ndarray:
    quantised = _scale(detail)
    if quantised is None:
        return result
    scale, zero = quantised
    return ((result.astype(np.float32) - zero) * scale).astype(np.float32)
