"""What the child does with a SavedModel of TensorFlow: restore it, run it. Nothing of this runs outside.

A SavedModel is a program: its operators can read and write files, some of them as it is restored. The kernel forbids
the child to change a file and to reach the network; a model whose answers need operators that touch files is refused
before it is run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.suspects.foreign.ends import end, short

_SIGNATURES = ("serving_default", "serve", "call", "predict")
_TOUCHING = (
    "File", "PyFunc", "Save", "Restore", "Print", "Reader", "Summary", "Debug", "Dataset", "RemoteCall", "Rpc", "Send",
    "Recv", "Library",
)  # fmt: skip


def handler() -> Handler:
    """Answers messages about one model."""
    opened: list[tuple[Any, str]] = []

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        if message["do"] == "open":
            function = _function(message)
            given = function.structured_input_signature[1]
            opened[:] = [(function, next(iter(given), ""))]
            return {"inputs": _ends(given), "outputs": _ends(function.structured_outputs)}, {}
        import tensorflow

        function, name = opened[0]
        (tensor,) = arrays.values()
        try:
            results = function(**{name: tensorflow.constant(tensor)})
        except Exception as error:  # a model may fail in any way on inputs that it was not made for
            raise ModelError(short(error)) from error
        return {}, {"output": np.array(_named(results)[message["output"]].numpy())}

    return answer


def _function(message: Mapping[str, Any]) -> Any:
    """The function that answers.

    Raises:
        ModelError: it cannot be restored, has no such function, or one whose operators touch files.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    tempfile.tempdir = message["place"]  # TensorFlow asks for one; nothing can be written there
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(message["threads"])
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    who, place = message["who"], Path(message["place"])
    try:
        loaded = tensorflow.saved_model.load(str(place))
        functions = dict(loaded.signatures)
    except Exception as error:  # TensorFlow raises nearly anything on a damaged folder
        raise ModelError(f"{who} is not a SavedModel that TensorFlow restores: {short(error)}") from error
    chosen = next((functions[name] for name in _SIGNATURES if name in functions), None)
    chosen = next(iter(functions.values()), None) if chosen is None else chosen
    if chosen is None:
        raise ModelError(f"{who} has no signature that answers: save it with one, such as serving_default")
    operators = _operators(chosen)
    touching = sorted(name for name in operators if any(part in name for part in _TOUCHING))
    if touching:
        raise ModelError(f"{who} answers by operators that touch files or other programs ({touching[0]}): refused")
    function: Any = chosen
    _keep[:] = [loaded]
    return function


_keep: list[Any] = []  # variables live as long as what was restored


def _operators(function: Any) -> set[str]:
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]
    return {node.op for node in nodes}


def _named(results: Any) -> dict[str, Any]:
    if isinstance(results, Mapping):
        return dict(results)
    listed = results if isinstance(results, list | tuple) else [results]
    return {f"output {number}": one for number, one in enumerate(listed)}


def _ends(specs: Any) -> list[dict[str, Any]]:
    return [
        end(name, spec.dtype.name, [] if spec.shape.rank is None else spec.shape.as_list())
        for name, spec in _named(specs).items()
    ]
