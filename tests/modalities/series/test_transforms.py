"""What happens to series on the way, against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest

from modelprint.modalities.series.transforms import TRANSFORMS, Delay, Gain, LowPass, Resample, SampleBits, WhiteNoise

TIME = np.arange(2000) / 8000


def tones(*frequencies: float) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * one * TIME) for one in frequencies])[:, None].astype(np.float32)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_each_keeps_shape_type_and_range(name: str) -> None:
    series = tones(100, 3000) * np.float32(0.3)
    seen = TRANSFORMS[name]()(series, seed=1)
    assert seen.shape == series.shape
    assert seen.dtype == np.float32
    assert (np.abs(seen).max(axis=(1, 2)) <= np.abs(series).max(axis=(1, 2))).all()
    assert np.array_equal(seen, TRANSFORMS[name]()(series, seed=1))
    silent = np.zeros((1, 2, 50), np.float32)
    assert not TRANSFORMS[name]()(silent).any()
    assert TRANSFORMS[name]()(np.ones((1, 1, 2), np.float32)).shape == (1, 1, 2)  # shorter than any filter


def test_noise_has_the_power_that_it_says() -> None:
    series = tones(100, 200, 300) * np.float32(0.1)
    noise = WhiteNoise(snr=20)(series, seed=0) - series
    ratio = (series.astype(float) ** 2).mean() / (noise.astype(float) ** 2).mean()
    assert 10 * np.log10(ratio) == pytest.approx(20, abs=1)  # a little is clipped


def test_low_frequencies_pass_and_high_ones_do_not() -> None:
    low, high = LowPass(cutoff=0.5)(tones(300, 3500))
    assert low[0, 200:-200].std() == pytest.approx(tones(300)[0, 0, 200:-200].std(), rel=0.01)
    assert high.std() < 0.01
    low, high = Resample(down=2)(tones(300, 3500))
    assert low[0, 200:-200].std() == pytest.approx(tones(300)[0, 0, 200:-200].std(), rel=0.02)
    assert high[0, 200:-200].std() < 0.02


def test_gain_shift_and_bits() -> None:
    series = tones(100)
    assert np.allclose(Gain(factor=0.25)(series), series / 4)
    later = Delay(share=0.1)(series)
    assert np.array_equal(later[..., 200:], series[..., :-200])
    assert (later[..., :200] == series[0, 0, 0]).all()
    assert len(np.unique(SampleBits(bits=3)(series))) == 9


@pytest.mark.parametrize("transform", [Gain(factor=0.3), Delay(share=0.1), LowPass(cutoff=0.4)])
def test_gradients_come_back_by_the_transpose(transform) -> None:
    """<T x, g> = <x, T' g>; of a filter but for the ends, where both are nearly zero here."""
    random = np.random.default_rng(0)
    window = np.hanning(400) ** 4
    series, gradient = ((random.standard_normal((2, 1, 400)) * window).astype(np.float32) for _ in range(2))
    onward = (transform(series).astype(float) * gradient).sum()
    assert onward == pytest.approx((series * transform.back(gradient).astype(float)).sum(), rel=1e-3, abs=1e-3)
