"""What an image classifier takes."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from modelprint.modalities.base import InputSpec


class ImageSpec(InputSpec):
    """Images of (channels, height, width) in [0, 1].

    Version 1 is written as it was before there were other modalities, without its name and version.
    """

    modality: Literal["image"] = "image"
    version: Literal[1] = 1
    channels: int = Field(ge=1)
    height: int = Field(ge=1)
    width: int = Field(ge=1)

    OMITTED: ClassVar[tuple[str, ...]] = ("modality", "version")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.channels, self.height, self.width

    @property
    def modality_name(self) -> str:
        """Always "image"."""
        return self.modality

    @property
    def described(self) -> str:
        """Pixels and channels, in words."""
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        return f"{self.height} by {self.width} pixels, {channels}"

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if name not in self.OMITTED}
