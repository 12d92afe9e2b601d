"""Series as a server gets them: floats in JSON or tensors, channels first or last, or WAV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Shaped

from modelprint.core.errors import MisfitError, SuspectError
from modelprint.modalities.series.storage import STORED, as_points
from modelprint.modalities.series.wav import write_wav
from modelprint.modalities.wire import PLAIN, Encoder, Layout, Picture, TensorForm, Wire

UNKNOWN_RATE = 8000  # samples a second, written where the data do not say it


@dataclass(frozen=True, kw_only=True)
class SeriesEncoder:
    """Makes a model's tensor: float32, in the units of the data.

    Attributes:
        last: whether channels come last.
        mean, std: of each channel, or of all; taken off and divided by.
    """

    full_scale: float
    last: bool = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def encode(self, inputs: Shaped[np.ndarray, "n channels length"]) -> Shaped[np.ndarray, "n ..."]:
        """The tensor that the model takes."""
        mean, std = (np.reshape(value, (-1, 1)).astype(np.float32) for value in (self.mean, self.std))
        points = as_points(inputs, self.full_scale)
        if set(self.mean) != {0.0} or set(self.std) != {1.0}:
            points = (points - mean) / std
        return np.ascontiguousarray(points.transpose(0, 2, 1) if self.last else points)


class SeriesWire(Wire):
    """Floats in the units of the data, and WAV files, in which the largest value stands for the scale."""

    suffix: ClassVar[str] = "wav"
    exact: ClassVar[tuple[str, ...]] = ("int16-series",)

    def __init__(self, *, rate: float | None, full_scale: float) -> None:
        self.rate = rate
        self.full_scale = full_scale

    def encoder(self, form: TensorForm = PLAIN) -> Encoder:
        """A tensor's format; channels come first unless the layout says otherwise."""
        if form.asks_beyond("layout", "mean", "std"):
            raise SuspectError("series are sent as floats in the units of the data: leave dtype, size, bgr, range out")
        return SeriesEncoder(
            full_scale=self.full_scale,
            last=form.layout == "nhwc",
            mean=(0.0,) if form.mean is None else tuple(form.mean),
            std=(1.0,) if form.std is None else tuple(form.std),
        )

    def layout(self, declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout | None:
        """Whether channels come first or last.

        >>> SeriesWire(rate=None, full_scale=1.0).layout((None, 4000, 1), (1, 4000), who="it")
        'nhwc'
        """

        def fits(wanted: Sequence[int]) -> bool:
            return all(
                known is None or known < 0 or known == size for known, size in zip(declared[1:], wanted, strict=True)
            )

        if len(declared) == 3:
            if fits(shape):
                return "nchw"
            if fits(shape[::-1]):
                return "nhwc"
        taken = " x ".join("any" if size is None or size < 0 else str(size) for size in declared[1:])
        raise MisfitError(
            f"{who} takes {taken}, the series are {shape[0]} x {shape[1]} (channels x length): enroll with data of the "
            "rate and length that it takes, or wrap it"
        )

    def file_type(self, kind: Picture) -> str:
        """Of WAV files."""
        return "audio/wav"

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """A WAV file of one series of 16 bits, whatever kind is asked for."""
        if one.dtype != STORED:
            raise SuspectError("series of floats cannot be sent as WAV files, which would round them")
        return write_wav(one, UNKNOWN_RATE if self.rate is None else round(self.rate))
