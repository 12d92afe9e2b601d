"""WAV files against the standard library's writer and scipy's."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from scipy.io import wavfile

from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities.series.wav import read_wav, write_wav
from modelprint.modalities.series.wire import SeriesWire
from modelprint.modalities.wire import TensorForm

TONE = np.stack([np.sin(np.linspace(0, 20, 300)), np.cos(np.linspace(0, 20, 300))]) * 0.9


def written(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    wavfile.write(stream, 8000, values.T)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("values", "tolerance"),
    [
        ((TONE * 127 + 128).astype(np.uint8), 0.016),
        ((TONE * 2**15).astype(np.int16), 1e-4),
        ((TONE * (2**31 - 1)).astype(np.int32), 1e-6),
        (TONE.astype(np.float32), 1e-7),
        (TONE, 1e-7),
    ],
)
def test_what_scipy_writes_is_read(values: np.ndarray, tolerance: float) -> None:
    sound = read_wav(written(values), who="it")
    assert sound.rate == 8000
    assert sound.samples.shape == (2, 300)
    assert np.abs(sound.samples - TONE).max() <= tolerance


def test_24_bits_as_the_standard_library_writes_them() -> None:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(16000)
        file.writeframes(b"".join(value.to_bytes(3, "little", signed=True) for value in (0, 2**22, -(2**23))))
    assert read_wav(stream.getvalue(), who="it").samples.tolist() == [[0.0, 0.5, -1.0]]


def test_what_is_written_is_read_by_others_as_it_was() -> None:
    samples = (TONE * 2**15).astype(np.int16)
    rate, read = wavfile.read(io.BytesIO(write_wav(samples, 11025)))
    assert (rate, read.T.tolist()) == (11025, samples.tolist())


def test_a_length_that_was_never_filled_in() -> None:
    """As programs write that pipe their output, such as flite's and espeak-ng's."""
    data = write_wav((TONE[:1] * 2**15).astype(np.int16), 8000)
    place = data.index(b"data") + 4
    for size in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"):
        assert read_wav(data[:place] + size + data[place + 4 :], who="it").samples.shape == (1, 300)


def test_what_is_no_sound_is_refused_in_one_line() -> None:
    whole = write_wav(np.zeros((1, 10), np.int16), 8000)
    for data, message in (
        (b"", "it is empty: convert it"),
        (b"fLaC" + bytes(40), "it is FLAC, not WAV: convert"),
        (b"hello, world, this is text", "it is no WAV file"),
        (whole[:30], "its format has 10 bytes, 16 are the least"),
        (whole[:19], "damaged: it has no format"),
        (whole[:40], "damaged: it has no samples"),
        (whole[:44], "holds no samples"),
        (whole[:20] + b"\x06\x00" + whole[22:], "kind 6 and 16 bits"),
        (whole[:24] + bytes(4) + whole[28:], "1 channels at 0 Hz"),
        (written(np.full((1, 9), np.nan, np.float32)), "NaN or infinite samples"),
    ):
        with pytest.raises(DataError, match=message):
            read_wav(data, who="it")


def test_damage_anywhere_is_an_error_of_ours_or_a_sound() -> None:
    whole = write_wav((TONE * 2**15).astype(np.int16)[:, :20], 8000)
    random = np.random.default_rng(0)
    for _ in range(3000):
        data = bytearray(whole[: random.integers(len(whole) + 1)])
        for place in random.integers(max(1, len(data)), size=3):
            if data:
                data[place] = random.integers(256)
        try:
            assert read_wav(bytes(data), who="it").samples.size
        except DataError:
            continue


def test_the_wire() -> None:
    wire = SeriesWire(rate=8000, full_scale=2.0)
    series = (TONE * 2**15).astype(np.int16)
    assert read_wav(wire.file(series), who="it").rate == 8000
    with pytest.raises(SuspectError, match="would round"):
        wire.file(TONE.astype(np.float32))
    assert np.allclose(wire.encoder().encode(series[None])[0], 2 * TONE, atol=1e-3)
    assert wire.encoder(TensorForm(layout="nhwc", mean=(1.0,), std=(2.0,))).encode(series[None]).shape == (1, 300, 2)
    assert wire.layout((None, 2, None), (2, 300), who="it") == "nchw"
    for declared in ((None, 3, 300), (None, 2, 299), (None, 300)):
        with pytest.raises(MisfitError, match=r"it takes .*, the series are 2 x 300"):
            wire.layout(declared, (2, 300), who="it")
    with pytest.raises(SuspectError, match="leave dtype, size"):
        wire.encoder(TensorForm(bgr=True))
