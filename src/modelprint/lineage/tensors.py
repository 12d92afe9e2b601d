"""The tensors of a model, read one at a time: from memory, from a safetensors file, from shards, from ONNX."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from safetensors import SafetensorError, safe_open
from torch import Tensor

from modelprint.core.errors import ModelError, first_line
from modelprint.core.untrusted import is_plain, read_regular
from modelprint.nn.kinds import ASKED, kind_of
from modelprint.nn.quantised import dequantised, unpacked
from modelprint.nn.weight_files import INDEX, read_weights

_BESIDE = ("_scale", "_zero_point")  # names of what stands beside integers


class Tensors(Protocol):
    """The tensors of one model."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes by name, in the order of use as far as it is known, without the scales of integers."""

    def read(self, name: str) -> Tensor:
        """One tensor on the CPU; integers with a scale as floats, other types as they are.

        Raises:
            ModelError: it cannot be read.
        """


class StateTensors:
    """Tensors in memory, such as a module's state dict, whose order is that of use.

    >>> StateTensors({"fc.weight": Tensor([[1, 2, 3], [4, 5, 6]])}).shapes
    {'fc.weight': (2, 3)}
    """

    def __init__(self, state: Mapping[str, Tensor], *, who: str = "the model") -> None:
        plain = unpacked(state)
        self._state = {name: value for name, value in plain.items() if isinstance(value, Tensor)}
        self._who = who

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes by name, in the order given."""
        return {name: tuple(value.shape) for name, value in self._state.items() if not name.endswith(_BESIDE)}

    def read(self, name: str) -> Tensor:
        """One tensor, detached, on the CPU."""
        parts = {key: self._state[key] for key in _with_scales(name) if key in self._state}
        return dequantised(parts, who=self._who)[name].detach().cpu()


class SafetensorsTensors:
    """A safetensors file; a tensor is in memory only while it is used. Names come in natural order.

    Raises:
        ModelError: missing, no regular file, or not a whole safetensors file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ModelError(f"{path} is no regular file: name the model file itself")
            with safe_open(path, framework="pt") as file:
                names = sorted(file.keys(), key=natural)
                self._shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
        except SafetensorError as error:
            raise ModelError(f"{path} is not a whole safetensors file ({error}): copy it again") from error

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes by name."""
        return {name: shape for name, shape in self._shapes.items() if not name.endswith(_BESIDE)}

    def read(self, name: str) -> Tensor:
        """One tensor."""
        try:
            with safe_open(self._path, framework="pt") as file:
                parts = {key: file.get_tensor(key) for key in _with_scales(name) if key in self._shapes}
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{self._path}: {name} cannot be read ({first_line(error)}): copy it again") from error
        return dequantised(parts, who=str(self._path))[name]


class ShardedTensors:
    """Several safetensors files and the index that says which tensor lies where.

    Raises:
        ModelError: no such index, or a shard that is missing or lies elsewhere.
    """

    def __init__(self, path: Path) -> None:
        try:
            places: dict[str, str] = json.loads(read_regular(path))["weight_map"]
            files = sorted(set(places.values()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelError(f"{path} is no index of shards ({first_line(error)}): copy it again") from error
        outside = next((name for name in files if not is_plain(name)), None)
        if outside is not None:
            raise ModelError(f"{path} names {outside!a}, which is no shard beside it: download it again")
        shards = {name: SafetensorsTensors(path.parent / name) for name in files}
        self._shards = {name: shards[places[name]] for name in sorted(places, key=natural)}

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes by name."""
        every = {name: shape for shard in set(self._shards.values()) for name, shape in shard.shapes.items()}
        return {name: every[name] for name in self._shards if name in every}

    def read(self, name: str) -> Tensor:
        """One tensor."""
        return self._shards[name].read(name)


def open_tensors(path: Path) -> Tensors:
    """The tensors of a model file: safetensors and shards tensor by tensor, checkpoints and ONNX as a whole.

    Raises:
        ModelError: the file cannot be read, or holds pickled code.
        SandboxError: reading it takes too much memory or time.
    """
    if path.name.endswith(INDEX):
        return ShardedTensors(path)
    if path.suffix.lower() == ".safetensors":
        return SafetensorsTensors(path)
    if path.suffix.lower() == ".onnx":
        from modelprint.lineage.onnx_tensors import onnx_tensors

        return onnx_tensors(path)
    kind = kind_of(path)
    if kind in ASKED:
        raise ModelError(
            f"{path} is {ASKED[kind]}, whose weights are not read: name the checkpoint or ONNX file that it was made "
            "from"
        )
    return StateTensors(read_weights(path).state, who=str(path))


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers in names by their value.

    >>> sorted(["b.10", "b.9", "a"], key=natural)
    ['a', 'b.9', 'b.10']
    """
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def _with_scales(name: str) -> tuple[str, ...]:
    return (name, *(name + ending for ending in _BESIDE))
