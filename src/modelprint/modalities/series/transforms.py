"""What may happen to a series between the one who asks and the model: noise, a low-pass, other rates, gain, shifts ...

A thief does it to shake a fingerprint off; telephones and servers do it to any sound.
No transform goes beyond the largest magnitude of an input: what was in range stays in range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from modelprint.core.registry import Registry
from modelprint.modalities.series.mixing import later
from modelprint.modalities.transform import Transform, generators

Series = Float[np.ndarray, "n channels length"]

TRANSFORMS: Registry[type[Transform]] = Registry("transform of series")


def _within(changed: np.ndarray, before: Series) -> Series:
    """Changed series, clipped to the largest magnitude that each had before, float as before."""
    largest = np.abs(before).max(axis=(1, 2), keepdims=True, initial=0.0)
    clipped: Series = changed.clip(-largest, largest).astype(before.dtype)
    return clipped


@TRANSFORMS.register("white-noise")
@dataclass(frozen=True, kw_only=True)
class WhiteNoise(Transform):
    """White noise.

    Attributes:
        snr: the series' power above the noise's, in decibels.
    """

    snr: float = 20.0

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """Noisy series."""
        noise = np.stack([draw.standard_normal(series.shape[1:]) for draw in generators(series, seed)])
        power = np.sqrt(np.mean(np.square(series, dtype=np.float64), axis=(1, 2), keepdims=True))
        return _within(series + noise * power * 10 ** (-self.snr / 20), series)


@TRANSFORMS.register("low-pass")
@dataclass(frozen=True, kw_only=True)
class LowPass(Transform):
    """A Butterworth filter of order 4, forwards and backwards, so that nothing is delayed.

    Attributes:
        cutoff: the frequency where it halves the amplitude, as a share of the highest one there is.
    """

    cutoff: float = 0.5

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """Without high frequencies."""
        return _within(self._filtered(series), series)

    def back(self, gradient: Series) -> Series:
        """Filtered: forwards and backwards is its own transpose, but for the ends."""
        return self._filtered(gradient).astype(gradient.dtype)

    def _filtered(self, series: Series) -> np.ndarray:
        from scipy import signal

        sections = signal.butter(4, self.cutoff, output="sos")
        filtered: np.ndarray = signal.sosfiltfilt(
            sections, series.astype(np.float64), axis=-1, padlen=min(24, series.shape[-1] - 1)
        )
        return filtered


@TRANSFORMS.register("resample")
@dataclass(frozen=True, kw_only=True)
class Resample(Transform):
    """To a lower rate, and back: a polyphase filter each way.

    Attributes:
        down: how many times lower.
    """

    down: int = 2

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """What is left of series after both ways."""
        from scipy import signal

        length = series.shape[-1]
        lower = signal.resample_poly(series.astype(np.float64), 1, self.down, axis=-1)
        return _within(signal.resample_poly(lower, self.down, 1, axis=-1)[..., :length], series)


@TRANSFORMS.register("gain")
@dataclass(frozen=True, kw_only=True)
class Gain(Transform):
    """Softer.

    Attributes:
        factor: that each value is multiplied by, from 0 to 1.
    """

    factor: float = 0.5

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """Scaled series."""
        return _within(series * self.factor, series)

    def back(self, gradient: Series) -> Series:
        """Scaled."""
        return (gradient * self.factor).astype(gradient.dtype)


@TRANSFORMS.register("delay")
@dataclass(frozen=True, kw_only=True)
class Delay(Transform):
    """Later; the first value fills the gap.

    Attributes:
        share: of the length.
    """

    share: float = 0.05

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """Moved series."""
        return later(series, self._samples(series))

    def back(self, gradient: Series) -> Series:
        """Moved back; what came to lie in the gap is added to the first value."""
        samples, length = self._samples(gradient), gradient.shape[-1]
        before = np.zeros_like(gradient)
        before[..., : length - samples] = gradient[..., samples:]
        before[..., 0] += gradient[..., :samples].sum(axis=-1)
        return before

    def _samples(self, series: Series) -> int:
        length: int = series.shape[-1]
        return min(length - 1, round(self.share * length))


@TRANSFORMS.register("sample-bits")
@dataclass(frozen=True, kw_only=True)
class SampleBits(Transform):
    """Rounded to fewer levels, as telephones do.

    Attributes:
        bits: of a sample; 2 ** bits levels lie between minus and plus its largest magnitude.
    """

    bits: int = 6

    def __call__(self, series: Series, *, seed: int = 0) -> Series:
        """The nearest levels."""
        largest = np.abs(series).max(axis=(1, 2), keepdims=True, initial=0.0)
        step = np.where(largest > 0, largest, 1.0) / 2 ** (self.bits - 1)
        return _within(np.rint(series / step) * step, series)
