"""What the child does with an OpenVINO model that a stranger made: parse it, run it. Nothing of this runs outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.suspects.foreign.ends import end, short


def handler() -> Handler:
    """Answers messages about one model."""
    compiled: list[Any] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            compiled[:] = [_compiled(arrays["file"].tobytes(), message)]
            return {"inputs": _ends(compiled[0].inputs), "outputs": _ends(compiled[0].outputs)}, {}
        (tensor,) = arrays.values()
        place = [_name(port, number) for number, port in enumerate(compiled[0].outputs)].index(message["output"])
        try:
            results = compiled[0]([tensor])
        except Exception as error:  # OpenVINO's errors share no base but this
            raise ModelError(short(error)) from error
        return {}, {"output": np.array(results[place])}

    return answer


def _compiled(graph: bytes, message: Mapping[str, Any]) -> Any:
    import openvino

    weights = next(Path(message["place"]).glob("*.bin"), None)
    settings = {"INFERENCE_NUM_THREADS": message["threads"], "INFERENCE_PRECISION_HINT": "f32"}
    try:
        core = openvino.Core()
        model = core.read_model(model=graph, weights=b"" if weights is None else weights.read_bytes())
        return core.compile_model(model, "CPU", settings)
    except Exception as error:  # OpenVINO's errors share no base but this
        raise ModelError(f"{message['who']} is not a model that OpenVINO can run: {_told(error)}") from error


def _told(error: Exception) -> str:
    """What OpenVINO says in its last line; the lines before name places in its own source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:200]


def _name(port: Any, number: int) -> str:
    return str(sorted(port.get_names())[0]) if port.get_names() else f"port {number}"


def _ends(ports: Any) -> list[dict[str, Any]]:
    return [
        end(_name(port, number), port.get_element_type().to_dtype().name, _shape(port.get_partial_shape()))
        for number, port in enumerate(ports)
    ]


def _shape(partial: Any) -> list[int | None]:
    if partial.rank.is_dynamic:
        return []
    return [None if size.is_dynamic else size.get_length() for size in partial]
