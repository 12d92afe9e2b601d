"""Messages between a child and its parent: JSON and the bytes of named arrays, lengths before each, nothing else."""

from __future__ import annotations

import json
import math
import re
import socket
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
_LENGTHS = struct.Struct(">QQ")
_PIECE = 2**20
_DTYPE = re.compile(r"[<|]([biufc]\d{1,2}|[SU]\d{1,9})")  # numbers and text; no objects


class FrameError(Exception):
    """What arrived is no message: it is cut short, too large, or garbled."""


def send(stream: socket.socket, message: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Send one message.

    Raises:
        FrameError: an array of objects or structures.
    """
    plain = {name: _plain(array) for name, array in (arrays or {}).items()}
    kinds = [[name, array.dtype.str, list(array.shape)] for name, array in plain.items()]
    for name, dtype, _ in kinds:
        if not _DTYPE.fullmatch(str(dtype)):
            raise FrameError(f"{name} holds {dtype}, which is neither numbers nor text")
    text = json.dumps({"message": message, "arrays": kinds}).encode()
    stream.sendall(_LENGTHS.pack(len(text), sum(array.nbytes for array in plain.values())))
    stream.sendall(text)
    for array in plain.values():
        if array.nbytes:
            stream.sendall(_bytes_of(array))


def receive(stream: socket.socket, *, largest: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The next message.

    Raises:
        EOFError: the other side has ended.
        FrameError: it is no message, or larger than may be.
        TimeoutError: nothing came within the stream's time.
    """
    text_size, body_size = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if text_size + body_size > largest:
        raise FrameError(f"{text_size + body_size:,} bytes, more than {largest:,}")
    try:
        content = json.loads(_exactly(stream, text_size))
        message, kinds = content["message"], content["arrays"]
        if not isinstance(message, dict):
            raise FrameError("no object")
        forms = [(str(name), *_form(dtype, shape)) for name, dtype, shape in kinds]
    except (ValueError, RecursionError, KeyError, TypeError, OverflowError) as error:
        raise FrameError(str(error)) from error
    if sum(math.prod(shape) * dtype.itemsize for _, dtype, shape in forms) != body_size:
        raise FrameError("its arrays have other sizes than it says")
    arrays = {}
    for name, dtype, shape in forms:
        arrays[name] = np.empty(shape, dtype)
        if arrays[name].nbytes:
            _fill(stream, _bytes_of(arrays[name]))
    return message, arrays


def _plain(array: np.ndarray) -> np.ndarray:
    """A contiguous array in this machine's byte order; the shape stays, that of no axes, too."""
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _form(dtype: str, shape: list[int]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """What numpy takes for an array that the other side describes.

    Raises:
        ValueError, TypeError: objects, or sizes that are none.
    """
    if not _DTYPE.fullmatch(dtype):
        raise ValueError(f"arrays of {dtype!a}")
    if not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"an array of shape {shape}")
    return np.dtype(dtype), tuple(shape)


def _bytes_of(array: np.ndarray) -> memoryview:
    """The bytes of a contiguous array, which are not copied."""
    return array.reshape(-1).view(np.uint8).data


def _exactly(stream: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    _fill(stream, memoryview(data))
    return data


def _fill(stream: socket.socket, view: memoryview) -> None:
    place = 0
    while place < len(view):
        count = stream.recv_into(view[place : place + _PIECE])
        if not count:
            raise EOFError
        place += count
