"""What a classifier of series takes."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelprint.modalities.base import InputSpec

MOST_CHANNELS = 1024
LONGEST = 2**24  # samples: a quarter of an hour of sound


class SeriesSpec(InputSpec):
    """Series of (channels, length), each value in [-scale, scale).

    Attributes:
        rate: samples a second; None where the data do not say it.
        full_scale: what the largest stored value stands for, in the units that models take.
        spread: the standard deviation of the data's values, in the same units; None where it was not measured.
            It says which changes are small, and is no part of what two tasks have in common.
    """

    modality: Literal["series"] = "series"
    version: Literal[1] = 1
    channels: int = Field(ge=1, le=MOST_CHANNELS)
    length: int = Field(ge=1, le=LONGEST)
    rate: float | None = Field(default=None, gt=0)
    full_scale: float = Field(default=1.0, gt=0)
    spread: float | None = Field(default=None, gt=0)

    @property
    def shape(self) -> tuple[int, int]:
        """(channels, length)."""
        return self.channels, self.length

    @property
    def numbers(self) -> dict[str, int]:
        """Channels and length."""
        channels = dict.fromkeys(("channels", "in_channels", "in_chans"), self.channels)
        return {**channels, **dict.fromkeys(("length", "size", "seq_len"), self.length)}

    @property
    def modality_name(self) -> str:
        """Always "series"."""
        return self.modality

    @property
    def described(self) -> str:
        """Samples and channels, in words.

        >>> SeriesSpec(channels=1, length=4000, rate=8000, class_names=("a", "b")).described
        '4000 samples (0.5 s at 8000 Hz), 1 channel'
        """
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        if self.rate is None:
            return f"{self.length} samples, {channels}"
        return f"{self.length} samples ({self.length / self.rate:.3g} s at {self.rate:g} Hz), {channels}"
