"""Texts as a server gets them: strings in JSON or in tensors of BYTES, text files, or their bytes as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from jaxtyping import Shaped

from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities.text.characters import control
from modelprint.modalities.text.storage import LONGEST, STORED, stored_texts, texts_of
from modelprint.modalities.wire import BYTES, FLOATS, PLAIN, TEXTS, Encoder, Layout, Number, Picture, TensorForm, Wire


class StringEncoder:
    """Texts as strings."""

    def encode(self, inputs: Shaped[np.ndarray, "n length"]) -> Shaped[np.ndarray, " n"]:
        """An array of strings."""
        return np.array(texts_of(inputs), dtype=object)


class ByteEncoder:
    """Texts as numbers of bytes."""

    def encode(self, inputs: Shaped[np.ndarray, "n length"]) -> Shaped[np.ndarray, "n length"]:
        """Bytes, with zeros behind the end."""
        return np.ascontiguousarray(inputs, dtype=STORED)


class TextWire(Wire):
    """Strings; a model that takes tensors of numbers gets bytes."""

    suffix: ClassVar[str] = "txt"
    exact: ClassVar[tuple[str, ...]] = ("utf-8",)
    datatypes: ClassVar[tuple[str, ...]] = ("BYTES", "UINT8")

    def sent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """One string for each text."""
        return ()

    def invocation(self, inputs: Shaped[np.ndarray, "n length"], encoder: Encoder) -> Mapping[str, object]:
        """A list of strings."""
        return {"inputs": texts_of(inputs)}

    def encoder(self, form: TensorForm = PLAIN) -> Encoder:
        """Strings, or bytes where a model takes numbers."""
        if form.asks_beyond("dtype"):
            raise SuspectError(
                "texts are sent as they are, the tokenizer is the model's: leave layout, mean, std, size, bgr and "
                "range out"
            )
        return ByteEncoder() if form.dtype == BYTES else StringEncoder()

    def layout(self, declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout | None:
        """None: bytes stand in order; the model must take as many as the texts have."""
        sizes = [size for size in declared[1:] if size is not None and size >= 0]
        if len(declared) > 2 or (sizes and sizes[0] != shape[0]):
            taken = " x ".join("any" if size is None or size < 0 else str(size) for size in declared[1:])
            raise MisfitError(
                f"{who} takes {taken}, the texts are rows of {shape[0]} bytes: enroll with --length as it takes them, "
                "or wrap it with its tokenizer"
            )
        return None

    def decoded(self, values: np.ndarray, dtype: Number) -> np.ndarray:
        """Texts from strings, or from bytes as numbers, as they are stored.

        Raises:
            DataError: something else, an empty text, one with control characters, or one that is far too long.
        """
        if dtype == FLOATS:
            raise DataError("texts are sent as strings (BYTES), not as floats")
        if dtype == BYTES:
            if values.size and not ((values >= 0) & (values < 256) & (values == np.rint(values))).all():
                raise DataError("bytes run from 0 to 255")
            return values.astype(STORED)
        assert dtype == TEXTS
        texts = [str(text) for text in values.reshape(-1).tolist() if isinstance(text, str)]
        if len(texts) != values.size:
            raise DataError("expected strings: send each text as a JSON string")
        for number, text in enumerate(texts):
            _check(text, number)
        return stored_texts(texts, max((len(text.encode()) for text in texts), default=1))

    def file_type(self, kind: Picture) -> str:
        """Of text files."""
        return "text/plain; charset=utf-8"

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """The text of one input, whatever kind is asked for."""
        return texts_of(one[None])[0].encode("utf-8")


def _check(text: str, number: int) -> None:
    if not text:
        raise DataError(f"text {number} is empty")
    if (code := control(text)) is not None:
        raise DataError(f"text {number} holds the control character {code}")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise DataError(f"text {number} holds half a character ({error.reason})") from error
    if size > LONGEST:
        raise DataError(f"text {number} has {size:,} bytes, more than {LONGEST:,}")
