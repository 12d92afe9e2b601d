"""Programs that torch.export (`.pt2`) or TorchScript saved: they bring code, so they must be trusted."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError, first_line
from modelprint.nn.outputs import logits_of
from modelprint.nn.pickled import refuse_bombs


class Exported(nn.Module):
    """A program made by torch.export or TorchScript: it has no training mode, so that `eval()` must not reach it."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        self.training = False

    def train(self, mode: bool = True) -> Exported:
        """Nothing changes: the program was exported in the mode it has."""
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of shape (n, classes)."""
        return logits_of(self.program(inputs))


def load_exported(data: bytes, path: Path) -> Exported:
    """A network saved by torch.export.save; its loader may unpickle, so the caller must have been told to trust it.

    Raises:
        ModelError: truncated, or something else.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ModelError(f"{path} is not a whole .pt2 file: it is truncated, or of another format; copy it again")
    refuse_bombs(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.export.load(io.BytesIO(data))
            return Exported(program.module())
    except Exception as error:  # torch.export raises nearly anything on a damaged archive
        raise ModelError(f"{path} is not a program that torch.export saved ({first_line(error)})") from error


def load_script(data: bytes, path: Path) -> Exported:
    """A network saved by torch.jit.save, which holds code of its own, so that its maker must be trusted.

    Raises:
        ModelError: damaged, or with operators that this torch lacks.
    """
    refuse_bombs(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and read all the same
            script: nn.Module = torch.jit.load(io.BytesIO(data), map_location="cpu")  # type: ignore[no-untyped-call]
            return Exported(script.eval())
    except Exception as error:  # torch.jit raises nearly anything on a damaged archive
        raise ModelError(f"{path} is not a program that TorchScript saved ({first_line(error)})") from error
