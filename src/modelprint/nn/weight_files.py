"""Weights read from files that strangers made: tensors come out, nothing in the file is ever run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from modelprint.core.errors import ModelError, first_line
from modelprint.core.identity import digest, digest_json
from modelprint.core.untrusted import is_plain, read_regular
from modelprint.nn.confined import confined_checkpoint
from modelprint.nn.files import ModelCard, parse_card
from modelprint.nn.kinds import ASKED, kind_of_data, no_model_file
from modelprint.nn.options import RAW
from modelprint.nn.quantised import dequantised

INDEX = ".index.json"


@dataclass(frozen=True, kw_only=True)
class WeightFile:
    """What a weights file holds.

    Attributes:
        state: tensors by name, on the CPU, as stored.
        card: what modelprint wrote into the file; None in other people's files.
        identity: SHA-256 of the very bytes that the tensors were read from; of shards, over the hashes of all files.
        notes: what a user should know of how it was read.
    """

    state: Mapping[str, Tensor]
    card: ModelCard | None
    identity: str
    notes: tuple[str, ...] = ()


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


def read_weights(path: Path, *, which: str = RAW, seconds: float | None = None) -> WeightFile:
    """The tensors of a `.safetensors` file, a checkpoint of torch or of Lightning, or of shards named by an index.

    Args:
        which: of a checkpoint that holds several: "raw", "ema", or the key that they lie under.
        seconds: for unpickling a checkpoint; None: by its size.

    Raises:
        ModelError: not such a file, truncated, holding pickled code, or metadata that are not a card.
    """
    data = read_bytes(path)
    if path.name.endswith(INDEX):
        return _read_shards(data, path, seconds)
    kind = kind_of_data(data, path)
    if kind in ASKED:
        raise ModelError(
            f"{path} is {ASKED[kind]}, which answers but gives no gradients here: it can be a suspect, but not a "
            "source; name the checkpoint that it was made from"
        )
    if kind == "other":
        raise ModelError(no_model_file(path))
    if kind != "safetensors" and path.suffix.lower() != ".safetensors":
        chosen = confined_checkpoint(data, path, which, seconds=seconds)
        return WeightFile(state=chosen.state, card=None, identity=digest(data), notes=chosen.notes)
    try:
        state = load_safetensors(data)
    except SafetensorError as error:
        raise ModelError(
            f"{path} is not a whole safetensors file ({error}): it is truncated, or of another format; copy it again"
        ) from error
    return WeightFile(state=dequantised(state, who=str(path)), card=_read_card(data, path), identity=digest(data))


def _read_shards(data: bytes, path: Path, seconds: float | None) -> WeightFile:
    """The tensors of several files, by the index that tells which tensor lies where."""
    try:
        places: Mapping[str, str] = json.loads(data)["weight_map"]
        files = sorted(set(places.values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is no index of shards ({first_line(error)}): copy or download it again") from error
    state: dict[str, Tensor] = {}
    hashes = {path.name: digest(data)}
    for name in files:
        if not isinstance(name, str) or not is_plain(name) or name.endswith(INDEX):
            raise ModelError(f"{path} names {name!a}, which is no shard beside it: download it again")
        shard = read_weights(path.parent / name, seconds=seconds)
        state.update({key: value for key, value in shard.state.items() if places.get(key) == name})
        hashes[name] = shard.identity
    absent = sorted(places.keys() - state.keys())
    if absent:
        raise ModelError(f"{path}: {places[absent[0]]} does not hold {absent[0]}, which the index says: copy it again")
    return WeightFile(state=state, card=None, identity=digest_json(hashes))


def _read_card(data: bytes, path: Path) -> ModelCard | None:
    length = int.from_bytes(data[:8], "little")
    try:
        return parse_card(json.loads(data[8 : 8 + length]).get("__metadata__", {}))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} carries metadata of modelprint that this version does not understand "
            f"({first_line(error)}): it was edited, or written by another version"
        ) from error
