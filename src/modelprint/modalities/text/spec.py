"""What a text classifier takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from modelprint.modalities.base import InputSpec

BYTES = "utf-8"  # the tokenizer of models that read bytes


class TextSpec(InputSpec):
    """Texts of at most so many bytes of UTF-8.

    Attributes:
        length: the most bytes of a text.
        tokenizer: "utf-8" where the source reads bytes, else the SHA-256 of its vocabulary ("sha256:...").
        pieces: how many tokens its vocabulary has.
    """

    modality: Literal["text"] = "text"
    version: Literal[1] = 1
    length: int = Field(ge=1)
    tokenizer: str = Field(default=BYTES, pattern=r"^(utf-8|sha256:[0-9a-f]{64})$")
    pieces: int = Field(default=256, ge=1)

    @property
    def shape(self) -> tuple[int]:
        """(bytes,)."""
        return (self.length,)

    @property
    def numbers(self) -> Mapping[str, int]:
        """Length, and how many bytes there are."""
        return {"length": self.length, "vocabulary": self.pieces}

    @property
    def modality_name(self) -> str:
        """Always "text"."""
        return self.modality

    @property
    def described(self) -> str:
        """The length, in words."""
        return f"at most {self.length} bytes of UTF-8"
