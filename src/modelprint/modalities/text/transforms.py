"""What may happen to a text on its way to the model: lower case, spaces, look-alike letters, typing errors.

A suspect's owner does it to shake a fingerprint off, an ordinary server to bring texts into one form.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from modelprint.core.registry import Registry
from modelprint.modalities.text.characters import ALIKE, ZERO_WIDTH, without_accents
from modelprint.modalities.text.storage import as_points, stored_texts, texts_of
from modelprint.modalities.text.swaps import swaps_at
from modelprint.modalities.transform import Transform, generators

Texts = Float[np.ndarray, "n length"]

TRANSFORMS: Registry[type[Transform]] = Registry("transform of texts")


@dataclass(frozen=True, kw_only=True)
class TextTransform(Transform):
    """A change of each text; one that would not fit its length any more stays as it is."""

    def __call__(self, points: Texts, /, *, seed: int = 0) -> Texts:
        """The texts as the model sees them."""
        length = points.shape[1]
        changed = [
            after if len(after.encode()) <= length and after else before
            for before, draw in zip(texts_of(points), generators(points, seed), strict=True)
            for after in (self._changed(before, draw),)
        ]
        return as_points(stored_texts(changed, length))

    @abstractmethod
    def _changed(self, text: str, draw: np.random.Generator) -> str: ...


@TRANSFORMS.register("lower")
@dataclass(frozen=True, kw_only=True)
class Lower(TextTransform):
    """Lower case."""

    def _changed(self, text: str, draw: np.random.Generator) -> str:
        return text.lower()


@TRANSFORMS.register("whitespace")
@dataclass(frozen=True, kw_only=True)
class Whitespace(TextTransform):
    """One space for each run of spaces and line breaks, none at the ends, and no characters without width."""

    def _changed(self, text: str, draw: np.random.Generator) -> str:
        return " ".join("".join(one for one in text if one not in ZERO_WIDTH).split())


@TRANSFORMS.register("accents")
@dataclass(frozen=True, kw_only=True)
class Accents(TextTransform):
    """Plain letters for accented ones."""

    def _changed(self, text: str, draw: np.random.Generator) -> str:
        return without_accents(text)


@TRANSFORMS.register("homoglyphs")
@dataclass(frozen=True, kw_only=True)
class Homoglyphs(TextTransform):
    """Letters of another script that look the same.

    Attributes:
        share: of the letters that have such a double.
    """

    share: float = 0.1

    def _changed(self, text: str, draw: np.random.Generator) -> str:
        chances = draw.random(len(text))
        return "".join(
            ALIKE.get(one, one) if chance < self.share else one for one, chance in zip(text, chances, strict=True)
        )


@TRANSFORMS.register("spelling")
@dataclass(frozen=True, kw_only=True)
class Spelling(TextTransform):
    """Typing errors.

    Attributes:
        share: of the words that get one.
    """

    share: float = 0.1

    def _changed(self, text: str, draw: np.random.Generator) -> str:
        words = text.split(" ")
        for number, word in enumerate(words):
            places = [place for place, letter in enumerate(word) if letter.isalpha()]
            if places and draw.random() < self.share:
                options = swaps_at(word, places[draw.integers(len(places))])
                words[number] = options[draw.integers(len(options))].applied(word)
        return " ".join(words)
