"""The room of series: stored, rounded, mixed, moved, drawn and shown."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data.labelled import LabelledSet, shared_inputs
from modelprint.modalities.base import MODALITIES, Labelled, modality_of, read_spec
from modelprint.modalities.series.mixing import moved, stretch_mixed
from modelprint.modalities.series.modality import Series
from modelprint.modalities.series.picture import series_uri, spectrogram
from modelprint.modalities.series.spec import SeriesSpec
from modelprint.modalities.series.storage import scale_for

SERIES = Series(rate=8000, full_scale=4.0, spread=0.5)


def drawn(count: int = 6, *, channels: int = 2, length: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(-(2**15), 2**15, (count, channels, length)).astype(np.int16)


def test_what_is_stored_comes_back_exactly() -> None:
    every = np.arange(-(2**15), 2**15, dtype=np.int16).reshape(1, 1, -1)
    for dtype in (torch.float32, torch.float64):
        points = SERIES.to_model(every, dtype=dtype)
        assert (float(points.min()), float(points.max())) == (SERIES.box.low, SERIES.box.high) == (-4.0, 4 - 2**-13)
        assert np.array_equal(SERIES.to_stored(points).numpy(), every)
    assert np.array_equal(SERIES.as_points(every), SERIES.to_model(every).numpy())
    assert (np.diff(SERIES.steps(every)) == 1).all()


def test_rounding_stays_in_the_box() -> None:
    points = torch.tensor([[[-4.0, 4.0, 0.00006, 3.99999]]])
    rounded = SERIES.rounded(points)
    assert rounded.tolist() == [[[-4.0, 4 - 2**-13, 0.0, 4 - 2**-13]]]
    low, high = SERIES.within(points.clone(), 0.1)
    assert float(low.min()) >= SERIES.box.low
    assert float(high.max()) <= SERIES.box.high


def test_a_spec_says_which_series_they_are(tmp_path) -> None:
    spec = SERIES.spec((2, 40), ("a", "b"))
    read = read_spec(spec.model_dump(mode="json"))
    assert read == spec
    assert modality_of(read) == SERIES
    assert modality_of(read).box == SERIES.box
    assert modality_of(read) != MODALITIES["series"]
    assert modality_of(read) == Series(rate=8000, full_scale=4.0)  # the spread is no part of the task
    assert read.shape == (2, 40)
    with pytest.raises(ValueError, match="greater than 0"):
        SeriesSpec(channels=1, length=4, rate=0, class_names=("a", "b"))


def test_what_is_no_series_is_refused() -> None:
    SERIES.check(drawn())
    SERIES.check(SERIES.as_points(drawn()))
    for wrong, message in (
        (np.full((1, 1, 4), np.nan, np.float32), "NaN or infinite"),
        (np.full((1, 1, 4), 4.5, np.float32), r"expected series in \[-4, 4\), got min 4.5"),
        (np.zeros((1, 4), np.float32), "expected series of shape"),
        (np.zeros((1, 1, 4), np.int32), "expected int16 or float"),
    ):
        with pytest.raises(DataError, match=message):
            SERIES.check(wrong)
    with pytest.raises(DataError, match=r"taps: expected int16 \(n, channels, length\)"):
        LabelledSet(
            name="taps",
            stored=np.zeros((1, 1, 4), np.float32),
            labels=np.zeros(1, int),
            class_names=("a", "b"),
            modality=SERIES,
        )


def test_series_of_another_rate_share_nothing() -> None:
    def held(modality: Series) -> LabelledSet:
        labels = np.zeros(6, np.int64)
        return LabelledSet(name="it", stored=drawn(), labels=labels, class_names=("a", "b"), modality=modality)

    assert shared_inputs(held(SERIES), held(Series(rate=8000, full_scale=4.0))) == 6
    assert shared_inputs(held(SERIES), held(Series(rate=16000, full_scale=4.0))) == 0


def test_a_stretch_of_one_series_lies_in_another() -> None:
    stored = np.repeat(np.arange(4, dtype=np.int16), 50).reshape(4, 1, 50)  # each series is its own number
    data = Labelled(stored=stored, labels=np.array([0, 0, 1, 1]))
    mixed = stretch_mixed(data, 400, generator=torch.Generator().manual_seed(0))
    assert len(mixed) == 400
    shares = []
    for series, label in zip(mixed.stored[:, 0], mixed.labels, strict=True):
        numbers, counts = np.unique(series, return_counts=True)
        assert len(numbers) <= 2
        assert (np.diff(series) != 0).sum() <= 2  # one stretch
        assert label == numbers[counts.argmax()] // 2 or counts.max() == 25
        shares.append(counts.max() / 50)
    assert 0.7 < np.mean(shares) < 0.8  # the larger part of a uniform share: 3/4 on average
    again = stretch_mixed(data, 400, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(mixed.stored, again.stored)
    with pytest.raises(ValueError, match="two classes"):
        stretch_mixed(data.take(np.array([0, 1])), 1, generator=torch.Generator())


def test_neighbours_are_a_little_later_and_flat_series_have_none() -> None:
    data = Labelled(stored=np.concatenate([drawn(2), np.zeros((1, 2, 40), np.int16)]), labels=np.arange(3))
    near = moved(data)
    assert near.labels.tolist() == [0, 1]
    assert np.array_equal(near.stored[..., 1:], data.stored[:2, :, :-1])


def test_augmented_series_are_moved_and_softened() -> None:
    stored = torch.from_numpy(drawn(200, channels=1))
    generator = torch.Generator().manual_seed(0)
    moved_only = SERIES.augmented(stored, "shift", shift=3, generator=generator)
    offsets = {
        next(by for by in range(-3, 4) if torch.equal(after[0, 3:-3], before[0, 3 - by : 37 - by]))
        for before, after in zip(stored, moved_only, strict=True)
    }
    assert offsets == set(range(-3, 4))
    softer = SERIES.augmented(stored, "shift-gain", shift=0, generator=generator).double()
    gains = (softer.abs().amax((1, 2)) / stored.double().abs().amax((1, 2))).tolist()
    assert 0.5 <= min(gains) < 0.6
    assert 0.9 < max(gains) <= 1.0


def test_changes_are_relative_to_the_spread() -> None:
    assert SERIES.changes == tuple(0.5 * share for share in (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0))
    noise = SERIES.as_points(SERIES.drawn((1, 2000), 3, generator=torch.Generator().manual_seed(0)))
    assert noise.std() == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize(("values", "scale"), [([0.99], 1), ([1.0], 2), ([-3.9, 2], 4), ([0.2], 0.25), ([0.0], 1)])
def test_the_scale_is_a_power_of_two_above_all_values(values: list[float], scale: float) -> None:
    assert scale_for(np.array(values)) == scale


def test_a_line_and_a_spectrogram() -> None:
    line = series_uri(np.sin(np.linspace(0, 6, 40))[None], rate=None)
    svg = base64.b64decode(line.removeprefix("data:image/svg+xml;base64,")).decode()
    assert svg.count("<polyline") == 1
    assert len(svg.split('points="')[1].split('"')[0].split()) == 40
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype(np.float32)
    levels = spectrogram(tone)
    assert abs(levels.shape[0] - int(levels.mean(1).argmin()) - 1000 / 8000 * 256) <= 1  # dark where the tone is
    png = base64.b64decode(series_uri(tone[None], rate=8000).removeprefix("data:image/png;base64,"))
    assert Image.open(io.BytesIO(png)).size == (96, 96)
    assert series_uri(np.zeros((2, 4000), np.float32), rate=8000).startswith("data:image/png")  # silence


def test_mean_and_spread_are_those_of_numpy() -> None:
    stored = drawn(9)
    points, scale = SERIES.as_points(stored).astype(float), SERIES.scale(stored)
    assert scale.mean == pytest.approx(points.mean(axis=(0, 2)), rel=1e-3)
    assert scale.std == pytest.approx(points.std(axis=(0, 2)), rel=1e-3)
    silent = SERIES.scale(np.zeros((2, 1, 8), np.int16))
    assert silent.mean == (0.0,)
    assert silent.std == pytest.approx((2**-13,), rel=1e-3)  # one step, so that nothing is divided by zero


def test_series_are_brought_to_another_rate_and_scale() -> None:
    time = np.arange(400) / 8000
    tone = SERIES.to_stored(torch.sin(torch.from_numpy(2 * np.pi * 200 * time))[None, None]).numpy()
    slower = Series(rate=4000, full_scale=2.0)
    brought = slower.brought(tone, SERIES, who="tones")
    expected = np.sin(2 * np.pi * 200 * np.arange(200) / 4000)
    assert brought.shape == (1, 1, 200)
    assert np.abs(slower.as_points(brought)[0, 0] - expected)[20:-20].max() < 0.01
    assert SERIES.brought(tone, Series(rate=8000, full_scale=4.0), who="tones") is tone
    with pytest.raises(DataError, match=r"tones: its values run to 1, .* up to 0.5: bring both to the same units"):
        Series(rate=8000, full_scale=0.5).brought(tone, SERIES, who="tones")


def test_a_line_is_drawn_over_what_it_was_made_from() -> None:
    svg = base64.b64decode(SERIES.picture(drawn(1)[0], before=drawn(2)[1]).split(",")[1]).decode()
    assert svg.count("<polyline") == 4
    assert svg.index("#c9c9c9") < svg.index("#1f6f8b")
