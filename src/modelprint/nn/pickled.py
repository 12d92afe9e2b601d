"""Checkpoints of torch, which are pickles: read without running code, tensors and harmless records alone.

What is crafted to take all memory, or to unpickle for ever, is stopped by the process that this runs in
(`modelprint.nn.confined`).
"""

from __future__ import annotations

import argparse
import io
import pickle
import re
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch

from modelprint.core.errors import ModelError, first_line
from modelprint.core.untrusted import BombError, check_zip
from modelprint.nn.checkpoints import SAVE_AGAIN, Chosen, weights_in
from modelprint.nn.inert import InertContents, listed_kinds
from modelprint.nn.quantised import dequantised

_LARGEST_GROWTH = 16  # tensors may share storage in a checkpoint, but not this much of it
_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")


def _numbers() -> list[Any]:
    """How numpy pickles its scalars and arrays, under its old and new names: losses and the like beside weights."""
    kinds = [getattr(np.dtypes, name) for name in np.dtypes.__all__ if not name.startswith(("Object", "Void"))]
    makers: list[Any] = [np.float64(0).__reduce__()[0], np.zeros(0).__reduce__()[0]]
    old = [(maker, f"numpy.core.multiarray.{maker.__name__}") for maker in makers]
    return [np.dtype, np.ndarray, *makers, *old, *kinds]


_HARMLESS = [argparse.Namespace, PosixPath, *_numbers()]  # what scripts and timm keep beside weights; nothing runs


def refuse_bombs(data: bytes, path: Path) -> None:
    """Look at an archive before anything unpacks it.

    Raises:
        ModelError: it would unpack to far more than it weighs, or elsewhere.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return
    try:
        check_zip(io.BytesIO(data), growth=_LARGEST_GROWTH)
    except (BombError, zipfile.BadZipFile, NotImplementedError) as error:
        raise ModelError(f"{path} is refused: {first_line(error)}; {SAVE_AGAIN}") from error


def read_checkpoint(data: bytes, path: Path, which: str) -> Chosen:
    """The weights in the bytes of a checkpoint, quantised ones as floats.

    Args:
        path: its place, for messages.
        which: "raw", "ema", or the key that the weights lie under.

    Raises:
        ModelError: truncated, holding pickled code, or no weights of that kind.
    """
    refuse_bombs(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of old formats, which it reads all the same
            with torch.serialization.safe_globals(_HARMLESS):
                loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        chosen = _tensors_alone(data, path, which, refusal=error)
    except MemoryError:
        raise  # the limit of the process, not a fault of the file's form
    except Exception as error:  # on bytes that are no checkpoint, torch.load raises nearly anything
        if "TorchScript" in str(error):
            raise ModelError(
                f"{path} is a TorchScript archive, which holds code: pass --trust-code if you trust its maker, or "
                f"{SAVE_AGAIN}"
            ) from error
        raise _not_a_checkpoint(path, error) from error
    else:
        chosen = weights_in(loaded, which=which, who=str(path))
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in chosen.state.values())
    if claimed > _LARGEST_GROWTH * len(data):
        raise ModelError(
            f"{path} claims {claimed:,} bytes of tensors but has {len(data):,} bytes: refused; {SAVE_AGAIN}"
        )
    return replace(chosen, state=dequantised(chosen.state, who=str(path)))


def _tensors_alone(data: bytes, path: Path, which: str, *, refusal: pickle.UnpicklingError) -> Chosen:
    """The weights beside objects of other kinds, of which none is made.

    Args:
        refusal: why torch did not read it: it names the first class or function that torch does not know, if any.
    """
    named = _ASKED_FOR.search(str(refusal))
    asked = None if named is None else named[1]
    try:
        contents = InertContents(data)
    except MemoryError:
        raise
    except Exception as error:  # a pickle that goes wrong may raise nearly anything
        raise (_not_a_checkpoint(path, refusal) if asked is None else _holds_code(path, asked)) from error
    running = contents.running() or (None if contents.tensors else asked)
    if running is not None:
        raise _holds_code(path, running)
    chosen = weights_in(contents.loaded, which=which, who=str(path))
    if not contents.kinds:
        return chosen
    kinds = listed_kinds(contents.kinds)
    note = f"{path} holds objects of {kinds}: only tensors were read, no code of the file was run"
    return replace(chosen, notes=(*chosen.notes, note))


def _holds_code(path: Path, name: str) -> ModelError:
    return ModelError(
        f"{path} holds pickled code (it asks for {name}), which could do anything: refused, nothing was run; "
        + SAVE_AGAIN
    )


def _not_a_checkpoint(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is not a whole PyTorch checkpoint that can be read without running code ({first_line(error)}): it is "
        f"truncated, or of another format; copy it again, or {SAVE_AGAIN}"
    )
