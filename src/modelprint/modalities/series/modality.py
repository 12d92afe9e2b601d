"""Series as a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int16

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.modalities.base import MODALITIES, InputSpec, Labelled, Modality, Scale, Stored
from modelprint.modalities.series import mixing, storage
from modelprint.modalities.series.augmentation import shifted
from modelprint.modalities.series.picture import series_uri
from modelprint.modalities.series.resampling import resampled
from modelprint.modalities.series.spec import SeriesSpec
from modelprint.modalities.series.transforms import TRANSFORMS
from modelprint.modalities.series.wire import SeriesWire
from modelprint.modalities.space import Box
from modelprint.modalities.transform import Points, Transform
from modelprint.modalities.wire import Wire

if TYPE_CHECKING:
    import torch
    from torch import Tensor

FROM_HARDLY_TO_PLAINLY = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)  # of the spread: changes of every value, in order
BLOCK = 4096  # series that are looked at together
LONG = 256  # samples


class Series(Modality):
    """Series of 16-bit values, models of which take floats in [-scale, scale).

    The registered one takes sound of any rate; data sets and fingerprints have one of their own rate and scale.

    Attributes:
        rate, full_scale, spread: as in `SeriesSpec`. Two that differ in their spread alone are the same modality.
    """

    name: ClassVar[str] = "series"
    singular: ClassVar[str] = "series"
    plural: ClassVar[str] = "series"
    parts: ClassVar[str] = "samples"
    codecs: ClassVar[Mapping[str, np.dtype[Any]]] = {"int16-series": storage.STORED, "float32": storage.POINTS}
    transforms: Registry[type[Transform]] = TRANSFORMS
    mixes: ClassVar[bool] = True

    def __init__(self, *, rate: float | None = None, full_scale: float = 1.0, spread: float | None = None) -> None:
        self.rate = rate
        self.full_scale = full_scale
        self.spread = spread
        self.wire: Wire = SeriesWire(rate=rate, full_scale=full_scale)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and (self.rate, self.full_scale) == (other.rate, other.full_scale)

    def __hash__(self) -> int:
        return hash((self.name, self.rate, self.full_scale))

    @property
    def space(self) -> Box:
        """From minus the scale to one step below it."""
        step = self.full_scale / storage.LEVELS
        return Box(low=-self.full_scale, high=self.full_scale - step, step=step)

    def spec(self, shape: tuple[int, ...], class_names: Sequence[str]) -> SeriesSpec:
        """Channels, length, rate, scale and classes."""
        channels, length = shape
        return SeriesSpec(
            channels=channels,
            length=length,
            rate=self.rate,
            full_scale=self.full_scale,
            spread=self.spread,
            class_names=tuple(class_names),
        )

    def read_spec(self, fields: Mapping[str, Any]) -> SeriesSpec:
        """The spec of a manifest."""
        return SeriesSpec.model_validate(fields)

    def of(self, spec: InputSpec) -> Series:
        """Series of that rate and scale."""
        assert isinstance(spec, SeriesSpec)
        return Series(rate=spec.rate, full_scale=spec.full_scale, spread=spec.spread)

    def brought(self, stored: Stored, own: Modality, *, who: str) -> Int16[np.ndarray, "n channels length"]:
        """Series resampled to this rate, and counted by this scale.

        Raises:
            DataError: values beyond the scale.
        """
        assert isinstance(own, Series)
        if own == self:
            return stored
        points = own.as_points(stored)
        if None not in (own.rate, self.rate) and own.rate != self.rate:
            points = resampled(points, own.rate or 0, self.rate or 0).clip(-own.full_scale, own.full_scale)
        if self.full_scale < own.full_scale and (np.abs(points) > self.full_scale).any():
            raise DataError(
                f"{who}: its values run to {np.abs(points).max():.4g}, models of this task take values up to "
                f"{self.full_scale:g}: bring both to the same units"
            )
        return storage.rounded_series(points, self.full_scale)

    def scale(self, stored: Stored, *, block: int | None = None) -> Scale:
        """Mean and spread of each channel, to four digits."""
        unit = self.full_scale / storage.LEVELS
        rows = [stored[start : start + BLOCK].astype(np.float64) for start in range(0, len(stored), BLOCK)]
        count = len(stored) * stored.shape[-1]
        mean = sum(some.sum(axis=(0, 2)) for some in rows) / count
        squares = sum(np.square(some - mean[:, None]).sum(axis=(0, 2)) for some in rows) / count
        return Scale(
            mean=tuple(_rounded(value * unit) for value in mean),
            std=tuple(_rounded(max(float(value), 1.0) ** 0.5 * unit) for value in squares),
        )

    def for_code(self, inputs: np.ndarray) -> Points:
        """Floats, in the units of the data."""
        return self.as_points(inputs)

    def check_set(self, stored: np.ndarray, *, who: str) -> None:
        """Refuse all but 16-bit series."""
        if stored.ndim != 3 or stored.dtype != storage.STORED:
            raise DataError(f"{who}: expected int16 (n, channels, length), got {stored.dtype} {stored.shape}")

    def check(self, inputs: np.ndarray) -> None:
        """Refuse series that are not (n, channels, length) in 16 bits or in [-scale, scale]."""
        storage.check_series(inputs, self.full_scale)

    def to_model(
        self,
        inputs: np.ndarray | Tensor,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "n channels length"]:
        """Floats in [-scale, scale)."""
        return storage.to_model(inputs, self.full_scale, device=device, dtype=dtype)

    def to_stored(self, points: Tensor) -> Int16[Tensor, "n channels length"]:
        """The nearest of 65,536 levels."""
        return storage.to_stored(points, self.full_scale)

    def as_points(self, inputs: np.ndarray) -> Points:
        """Float32 in [-scale, scale)."""
        return storage.as_points(inputs, self.full_scale)

    def stored_as(self, codec: str) -> str:
        """16-bit series, or floats."""
        return "16-bit series" if codec == "int16-series" else super().stored_as(codec)

    @property
    def changes(self) -> tuple[float, ...]:
        """Shares of the spread; of a sixth of the scale, where the spread was not measured."""
        spread = self.full_scale / 6 if self.spread is None else self.spread
        return tuple(share * spread for share in FROM_HARDLY_TO_PLAINLY)

    def augmented(
        self, stored: Tensor, kind: str, *, shift: int, generator: torch.Generator
    ) -> Int16[Tensor, "b channels length"]:
        """Series moved by some samples ("shift"), and softened, too ("shift-gain")."""
        if kind not in ("shift", "shift-gain"):
            return super().augmented(stored, kind, shift=shift, generator=generator)
        return shifted(stored, shift, gain=kind == "shift-gain", generator=generator)

    def mix(self, data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
        """A stretch of one series in another."""
        return mixing.stretch_mixed(data, count, generator=generator)

    def neighbours(self, data: Labelled) -> Labelled:
        """The same series, a little later."""
        return mixing.moved(data)

    def drawn(self, shape: tuple[int, ...], count: int, *, generator: torch.Generator) -> Int16[np.ndarray, "n c l"]:
        """White noise as loud as the data, where their spread is known."""
        import torch

        noise = torch.randn((count, *shape), generator=generator)
        return self.to_stored(noise.mul_(self.full_scale / 6 if self.spread is None else self.spread)).numpy()

    def usual_shift(self, shape: tuple[int, ...]) -> int:
        """A sixteenth of a long series; short ones mostly begin where they should."""
        return shape[-1] // 16 if shape[-1] >= LONG else 0

    def picture(self, stored: np.ndarray, *, before: np.ndarray | None = None) -> str:
        """A line, over the one that it was made from; of long sound, its spectrogram."""
        beneath = None if before is None else self.as_points(before)
        return series_uri(self.as_points(stored), rate=self.rate, before=beneath)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


SERIES = Series()
MODALITIES.register("series")(SERIES)
