"""Texts as a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, UInt8

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.modalities.base import MODALITIES, Labelled, Modality
from modelprint.modalities.space import Tokens
from modelprint.modalities.text import mixing, storage
from modelprint.modalities.text.picture import svg_uri
from modelprint.modalities.text.spec import TextSpec
from modelprint.modalities.text.swaps import swaps_at, words_changed
from modelprint.modalities.text.transforms import TRANSFORMS
from modelprint.modalities.text.wire import TextWire
from modelprint.modalities.transform import Points, Transform
from modelprint.modalities.wire import Wire

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz ", dtype=np.uint8)


class Text(Modality):
    """Texts, stored as bytes of UTF-8 with zeros behind the end; a model's tokenizer belongs to the model."""

    name: ClassVar[str] = "text"
    singular: ClassVar[str] = "text"
    plural: ClassVar[str] = "texts"
    parts: ClassVar[str] = "characters"
    codecs: ClassVar[Mapping[str, np.dtype[Any]]] = {"utf-8": storage.STORED}
    transforms: Registry[type[Transform]] = TRANSFORMS
    wire: Wire = TextWire()
    mixes: ClassVar[bool] = True

    @property
    def space(self) -> Tokens:
        """Sequences of bytes."""
        return Tokens(vocabulary=storage.VALUES, length=storage.LONGEST)

    def spec(self, shape: tuple[int, ...], class_names: Sequence[str]) -> TextSpec:
        """Length and classes, of models that read bytes."""
        return TextSpec(length=shape[0], class_names=tuple(class_names))

    def read_spec(self, fields: Mapping[str, Any]) -> TextSpec:
        """The spec of a manifest."""
        return TextSpec.model_validate(fields)

    def check_set(self, stored: np.ndarray, *, who: str) -> None:
        """Refuse all but bytes of UTF-8."""
        if stored.dtype != storage.STORED:
            raise DataError(f"{who}: expected texts as uint8 (n, length), got {stored.dtype} {stored.shape}")
        storage.check_texts(stored, who=who)

    def check(self, inputs: np.ndarray) -> None:
        """Refuse what are no bytes of UTF-8."""
        storage.check_texts(inputs)

    def to_model(
        self,
        inputs: np.ndarray | Tensor,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Int[Tensor, "n length"]:
        """Bytes as whole numbers, whatever precision is named: embeddings take no others."""
        return storage.to_model(inputs, device=device)

    def to_stored(self, points: Tensor) -> UInt8[Tensor, "n length"]:
        """The same bytes."""
        import torch

        return points.to(torch.uint8)

    def as_points(self, inputs: np.ndarray) -> Points:
        """Bytes as float32."""
        return storage.as_points(inputs)

    def for_code(self, inputs: np.ndarray) -> np.ndarray:
        """Texts, as an array of strings."""
        return np.array(storage.texts_of(inputs), dtype=object)

    def stored_as(self, codec: str) -> str:
        """Texts."""
        return "texts of UTF-8"

    def mix(self, data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
        """The head of one text, the tail of another."""
        return mixing.spliced(data, count, generator=generator)

    def neighbours(self, data: Labelled) -> Labelled:
        """Each text with one typing error."""
        return mixing.mistyped(data)

    def swapped(self, one: UInt8[np.ndarray, " length"]) -> UInt8[np.ndarray, "n length"]:
        """The text with one typing error, for each place and each error that fits."""
        (text,) = storage.texts_of(one[None])
        length = len(one)
        changed = {swap.applied(text): None for place in range(len(text)) for swap in swaps_at(text, place)}
        return storage.stored_texts([after for after in changed if len(after.encode()) <= length], length)

    def share_changed(
        self, one: UInt8[np.ndarray, " length"], others: UInt8[np.ndarray, "n length"]
    ) -> Float[np.ndarray, " n"]:
        """The share of words that are written otherwise."""
        (before,) = storage.texts_of(one[None])
        return np.array([words_changed(before, after) for after in storage.texts_of(others)], dtype=np.float64)

    @property
    def changes(self) -> tuple[float, ...]:
        """Shares of the longest text, from a syllable to half of it."""
        return (0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5)

    @property
    def front_tokens(self) -> UInt8[np.ndarray, " tokens"]:
        """Small letters and the space."""
        return LETTERS

    def fronted(self, stored: UInt8[np.ndarray, "n length"], front: UInt8[np.ndarray, " size"]) -> np.ndarray:
        """The texts with a string and a space in front; what grows too long loses whole characters at its end."""
        return storage.fronted(stored, front)

    def drawn(self, shape: tuple[int, ...], count: int, *, generator: torch.Generator) -> UInt8[np.ndarray, "n length"]:
        """Random small letters and spaces, as many as a text may have."""
        import torch

        places = torch.randint(len(LETTERS), (count, *shape), generator=generator).numpy()
        return np.ascontiguousarray(LETTERS[places])

    def picture(self, stored: np.ndarray, *, before: np.ndarray | None = None) -> str:
        """A drawing of the text; words that stood otherwise before are marked."""
        (text,) = storage.texts_of(stored[None])
        return svg_uri(text, before=None if before is None else storage.texts_of(before[None])[0])


TEXT = Text()
MODALITIES.register("text")(TEXT)
