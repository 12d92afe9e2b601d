"""Messages between a child and its parent: JSON and named arrays, lengths before each, nothing else."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors.numpy import load, save

Arrays = Mapping[str, np.ndarray]
_LENGTHS = struct.Struct(">QQ")
_PIECE = 2**24


class FrameError(Exception):
    """What arrived is no message: it is cut short, too large, or garbled."""


def send(stream: socket.socket, message: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Send one message."""
    text = json.dumps(message).encode()
    body = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}) if arrays else b""
    stream.sendall(_LENGTHS.pack(len(text), len(body)))
    stream.sendall(text)
    stream.sendall(body)


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
        message = json.loads(_exactly(stream, text_size))
        arrays = load(_exactly(stream, body_size)) if body_size else {}
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise FrameError(str(error)) from error
    except Exception as error:  # safetensors' error shares no base with these
        if type(error).__name__ != "SafetensorError":
            raise
        raise FrameError(str(error)) from error
    if not isinstance(message, dict):
        raise FrameError("no object")
    return message, arrays


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, place = memoryview(data), 0
    while place < size:
        count = stream.recv_into(view[place : place + _PIECE])
        if not count:
            raise EOFError
        place += count
    return bytes(data)
