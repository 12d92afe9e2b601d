"""Inputs and outputs of a model as its child tells them, and batches that a model of a fixed size takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError

# of numpy, as the parent spells them
TYPES = {
    "float32": "tensor(float)",
    "float64": "tensor(double)",
    "float16": "tensor(float16)",
    "uint8": "tensor(uint8)",
    "int32": "tensor(int32)",
    "int64": "tensor(int64)",
}


def end(name: str, kind: str, shape: Sequence[int | None]) -> dict[str, Any]:
    """One input or output.

    >>> end("x", "float32", (-1, 8, 8, 1))
    {'name': 'x', 'type': 'tensor(float)', 'shape': [None, 8, 8, 1]}

    Args:
        kind: the name of its type in numpy; others than the usual ones are told as they are.
        shape: None or -1 for a size left open.
    """
    sizes = [None if size is None or int(size) < 0 else int(size) for size in shape]
    return {"name": name, "type": TYPES.get(kind, kind), "shape": sizes}


def in_batches(inputs: np.ndarray, size: int, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The outputs of a model that takes a fixed number of inputs at a time; the last batch is filled up.

    >>> in_batches(np.arange(5), 2, lambda batch: batch * 10)
    array([ 0, 10, 20, 30, 40])

    Raises:
        ModelError: it gives fewer outputs than inputs.
    """
    parts = []
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        filled = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        output = run(filled)
        if output.ndim == 0 or len(output) < size:
            raise ModelError(f"it gives an output of shape {output.shape} to {size} inputs")
        parts.append(output[: len(part)])
    return np.concatenate(parts)


def short(error: BaseException) -> str:
    """The first line of a library's error, as far as a message has room for it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
