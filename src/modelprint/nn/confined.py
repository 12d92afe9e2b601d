"""Checkpoints that strangers made are unpickled in a confined child; what comes back are bytes, shapes and types."""

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
from modelprint.nn.checkpoints import Chosen
from modelprint.nn.pickled import read_checkpoint

HANDLER = "modelprint.nn.confined:handler"
LEAST_MEMORY, MEMORY_PER_BYTE = 2**30, 24  # of the child: for small files; for each byte of a large one
LEAST_SECONDS, BYTES_PER_SECOND = 4.0, 10 * 2**20
LEAST_PROCESSOR = 1.0  # seconds of processor time; a small file takes a tenth of one, however busy the machine is


def confined_checkpoint(data: bytes, path: Path, which: str, *, seconds: float | None = None) -> Chosen:
    """The weights in the bytes of a checkpoint, read in a child with limits.

    Args:
        path: its place, for messages.
        which: "raw", "ema", or the key that the weights lie under.
        seconds: that it may take; None: by its size.

    Raises:
        ModelError: truncated, holding pickled code, or no weights of that kind.
        SandboxError: reading it takes too much memory or time.
    """
    limits = Limits(
        memory=max(LEAST_MEMORY, MEMORY_PER_BYTE * len(data)),
        seconds=seconds or LEAST_SECONDS + len(data) / BYTES_PER_SECOND,
        processor=seconds or LEAST_PROCESSOR + len(data) / BYTES_PER_SECOND,
        answer=2**26 + 32 * len(data),
    )
    with room(HANDLER, who=str(path), limits=limits) as child:
        answer, arrays = child.call({"path": str(path), "which": which}, {"file": np.frombuffer(data, np.uint8)})
    state = {name: _tensor(arrays[name], *form) for name, form in answer["forms"].items()}
    return Chosen(state=state, notes=tuple(answer["notes"]))


def handler() -> Handler:
    """Answers with the weights of one checkpoint."""

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        chosen = read_checkpoint(arrays["file"].tobytes(), Path(message["path"]), message["which"])
        forms = {
            name: [str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
            for name, tensor in chosen.state.items()
        }
        return {"forms": forms, "notes": list(chosen.notes)}, {
            name: _bytes(tensor) for name, tensor in chosen.state.items()
        }

    return answer


def _bytes(tensor: Tensor) -> np.ndarray:
    flat: np.ndarray = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
    return flat


def _tensor(data: np.ndarray, kind: str, shape: list[int]) -> Tensor:
    dtype = getattr(torch, kind, None)
    if not isinstance(dtype, torch.dtype) or data.dtype != np.uint8:
        raise ModelError(f"a tensor of type {kind!r} cannot be read: save the weights as floats")
    return torch.from_numpy(data).view(dtype).reshape(shape) if data.size else torch.empty(shape, dtype=dtype)
