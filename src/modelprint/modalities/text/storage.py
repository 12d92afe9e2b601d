"""Texts as arrays: bytes of UTF-8, with zeros behind the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from modelprint.core.errors import DataError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VALUES = 256  # of a byte
LONGEST = 2**16  # bytes of a text
STORED = np.dtype(np.uint8)


def stored_texts(texts: Sequence[str], length: int) -> UInt8[np.ndarray, "n length"]:
    """Texts as rows of bytes, with zeros behind the end.

    >>> stored_texts(["ab", "é"], 3)
    array([[ 97,  98,   0],
           [195, 169,   0]], dtype=uint8)

    Raises:
        DataError: a text of more bytes.
    """
    rows = np.zeros((len(texts), length), dtype=STORED)
    for row, text in zip(rows, texts, strict=True):
        data = text.encode("utf-8")
        if len(data) > length:
            raise DataError(f"a text has {len(data)} bytes of UTF-8, more than {length}: {text[:40]!a}")
        row[: len(data)] = np.frombuffer(data, dtype=STORED)
    return rows


def texts_of(inputs: Shaped[np.ndarray, "n length"]) -> list[str]:
    """The texts of stored inputs or points.

    >>> texts_of(stored_texts(["ab", "é"], 3))
    ['ab', 'é']
    """
    rows = np.ascontiguousarray(inputs if inputs.dtype == STORED else inputs.astype(STORED))
    return [row.tobytes().rstrip(b"\0").decode("utf-8") for row in rows]


def check_texts(inputs: np.ndarray, *, who: str = "texts") -> None:
    """Refuse what is no array of texts.

    >>> check_texts(np.array([[97, 0, 98]], np.uint8))
    Traceback (most recent call last):
    modelprint.core.errors.DataError: texts: text 0 has a zero byte inside: remove control characters

    Raises:
        DataError: another type or number of axes, values that are no bytes, a zero byte inside, or bytes that are no
            UTF-8.
    """
    if inputs.ndim != 2:
        raise DataError(f"{who}: expected texts as bytes of shape (n, length), got {inputs.dtype} {inputs.shape}")
    if inputs.dtype != STORED:
        if inputs.size and not (inputs >= 0).all():  # written so that NaN is refused, too
            raise DataError(f"{who}: expected bytes from 0 to 255, got {inputs.min()}")
        if inputs.size and not ((inputs < VALUES).all() and (inputs == np.rint(inputs)).all()):
            raise DataError(f"{who}: expected whole bytes from 0 to 255, got up to {inputs.max()}")
        inputs = inputs.astype(STORED)
    for number, row in enumerate(np.ascontiguousarray(inputs)):
        data = row.tobytes().rstrip(b"\0")
        if b"\0" in data:
            raise DataError(f"{who}: text {number} has a zero byte inside: remove control characters")
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{who}: text {number} is no UTF-8 ({error.reason} at byte {error.start})") from error


def fronted(stored: UInt8[np.ndarray, "n length"], front: UInt8[np.ndarray, " size"]) -> UInt8[np.ndarray, "n length"]:
    """Texts with a string and a space in front; what grows too long loses whole characters at its end.

    >>> texts_of(fronted(stored_texts(["ab", "abé"], 4), np.frombuffer(b"x", np.uint8)))
    ['x ab', 'x ab']
    """
    count, length = stored.shape
    head = np.append(front, STORED.type(ord(" ")))[:length]
    rows = np.concatenate([np.broadcast_to(head, (count, len(head))), stored[:, : length - len(head)]], axis=1)
    for row, lost in zip(rows, stored[:, length - len(head)], strict=True):
        if lost & 0xC0 == 0x80:  # the first byte that did not fit goes on with a character
            start = length - 1
            while row[start] & 0xC0 == 0x80:
                start -= 1
            row[start:] = 0
    return rows


def to_model(inputs: np.ndarray | Tensor, *, device: torch.device | str | None = None) -> Int[Tensor, "n length"]:
    """Bytes as whole numbers, which embeddings take; 0 is behind the end.

    >>> to_model(stored_texts(["ab"], 3))
    tensor([[97, 98,  0]])
    """
    import torch

    taken = torch.as_tensor(inputs)
    return (taken if device is None else taken.to(device)).to(torch.int64)


def as_points(inputs: Shaped[np.ndarray, "n length"]) -> Float[np.ndarray, "n length"]:
    """Bytes as float32."""
    return np.ascontiguousarray(inputs, dtype=np.float32)
