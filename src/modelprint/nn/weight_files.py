"""Weights read from files that strangers made: tensors come out, nothing in the file is ever run."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from modelprint.core.errors import ModelError
from modelprint.core.identity import digest
from modelprint.core.untrusted import BombError, check_zip, read_regular
from modelprint.nn.files import ModelCard, parse_card
from modelprint.nn.quantised import dequantised, unpacked

CHECKPOINT_SUFFIXES = frozenset({".pt", ".pth", ".th"})
NESTED_UNDER = ("state_dict", "model_state_dict", "model", "net")
_LARGEST_GROWTH = 16  # tensors may share storage in a checkpoint, but not this much of it
_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)")
_SAVE_AGAIN = "save the state dict alone, torch.save(model.state_dict(), FILE), or better a .safetensors file"


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """What a weights file holds.

    Attributes:
        state: tensors by name, on the CPU, as stored.
        card: what modelprint wrote into the file; None in other people's files.
        identity: SHA-256 of the very bytes that the tensors were read from.
    """

    state: Mapping[str, Tensor]
    card: ModelCard | None
    identity: str


def read_bytes(path: Path) -> bytes:
    """The bytes of a file that should hold a model.

    Raises:
        ModelError: missing, a directory, empty, unreadable, or a Git LFS pointer in place of the file.
    """
    if path.is_dir():
        raise ModelError(f"{path} is a directory: name the model file in it")
    if not path.exists():
        raise ModelError(f"{path} does not exist: check the spelling and the folder")
    try:
        data = read_regular(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data:
        raise ModelError(f"{path} is empty: copy or download it again")
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"{path} is a Git LFS pointer, not the file itself: run `git lfs pull`")
    return data


def read_weights(path: Path) -> WeightFile:
    """The tensors of a `.safetensors`, `.pt`, `.pth` or `.th` file.

    Raises:
        ModelError: not such a file, truncated, holding pickled code, or metadata that are not a card.
    """
    data = read_bytes(path)
    kind = path.suffix.lower()
    if kind == ".onnx":
        raise ModelError(
            f"{path} is an ONNX file, from which gradients are not available: it can be a suspect, but not a source; "
            "name the checkpoint that it was exported from"
        )
    if kind not in CHECKPOINT_SUFFIXES | {".safetensors"}:
        raise ModelError(
            f"{path} is no model file: name a .safetensors, .pt, .pth, .th or .pt2 file, or a .toml spec file"
        )
    if kind in CHECKPOINT_SUFFIXES:
        return WeightFile(state=_read_checkpoint(data, path), card=None, identity=digest(data))
    try:
        state = load_safetensors(data)
    except SafetensorError as error:
        raise ModelError(
            f"{path} is not a whole safetensors file ({error}): it is truncated, or of another format; copy it again"
        ) from error
    return WeightFile(state=dequantised(state, who=str(path)), card=_read_card(data, path), identity=digest(data))


def _read_card(data: bytes, path: Path) -> ModelCard | None:
    length = int.from_bytes(data[:8], "little")
    try:
        return parse_card(json.loads(data[8 : 8 + length]).get("__metadata__", {}))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} carries metadata of modelprint that this version does not understand "
            f"({first_line(error)}): it was edited, or written by another version"
        ) from error


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
        raise ModelError(f"{path} is refused: {first_line(error)}; {_SAVE_AGAIN}") from error


def _read_checkpoint(data: bytes, path: Path) -> dict[str, Tensor]:
    refuse_bombs(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of old formats, which it reads all the same
            with torch.serialization.safe_globals([argparse.Namespace]):  # timm keeps a script's words in one
                loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = _ASKED_FOR.search(str(error))
        if asked is None:
            raise _not_a_checkpoint(path, error) from error
        raise ModelError(
            f"{path} holds pickled code (it asks for {asked[1]}), which could do anything: refused, nothing was run; "
            + _SAVE_AGAIN
        ) from error
    except Exception as error:  # on bytes that are no checkpoint, torch.load raises nearly anything
        if "TorchScript" in str(error):
            raise ModelError(f"{path} is a TorchScript archive, which holds code: refused; {_SAVE_AGAIN}") from error
        raise _not_a_checkpoint(path, error) from error
    state = state_dict_in(loaded, who=str(path))
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if claimed > _LARGEST_GROWTH * len(data):
        raise ModelError(
            f"{path} claims {claimed:,} bytes of tensors but has {len(data):,} bytes: refused; {_SAVE_AGAIN}"
        )
    return dequantised(state, who=str(path))


def _not_a_checkpoint(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path} is not a whole PyTorch checkpoint that can be read without running code ({first_line(error)}): it is "
        "truncated, or of another format; copy it again, or name a .safetensors file"
    )


def state_dict_in(loaded: Any, *, who: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint; training scripts nest them under `state_dict`, `model`, `net` ...

    >>> list(state_dict_in({"epoch": 3, "model": {"head.bias": torch.zeros(2)}}, who="x"))
    ['head.bias']

    Raises:
        ModelError: no tensors by name, or sparse or complex ones.
    """
    while isinstance(loaded, Mapping):
        inner = next((loaded[key] for key in NESTED_UNDER if isinstance(loaded.get(key), Mapping)), None)
        if inner is None:
            break
        loaded = inner
    if not isinstance(loaded, Mapping):
        raise ModelError(f"{who} holds a {type(loaded).__name__} where a state dict was expected: {_SAVE_AGAIN}")
    plain = unpacked(loaded)
    state = {name: value for name, value in plain.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        keys = ", ".join(map(str, list(loaded)[:5])) or "none"
        raise ModelError(f"{who} holds no weights by name (its keys: {keys}): {_SAVE_AGAIN}")
    for name, value in state.items():
        if value.layout != torch.strided or value.is_complex() or value.is_meta:
            raise ModelError(f"{who}: {name} is sparse, complex or empty of data: save plain float weights")
    return state


def first_line(error: BaseException) -> str:
    r"""What an error says, in one line of at most 200 characters, or its kind when it says nothing.

    >>> first_line(ValueError("one\ntwo")), first_line(EOFError())
    ('one', 'EOFError')
    """
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
