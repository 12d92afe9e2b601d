"""Sets of series: WAV folders, .ts, JSON lines, tables, npz; what is odd or bad is said in one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from modelprint.core.errors import DataError
from modelprint.data.splits import load_data, part_sizes
from modelprint.modalities.series.modality import Series

RATE = 4000


def tone(frequency: float, *, length: int = 800, rate: int = RATE, loud: float = 0.5) -> np.ndarray:
    return (loud * 32767 * np.sin(2 * np.pi * frequency * np.arange(length) / rate)).astype(np.int16)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    root = tmp_path / "sounds"
    for label, frequency in (("high", 900.0), ("low", 200.0)):
        (root / label).mkdir(parents=True)
        for number in range(10):
            wavfile.write(root / label / f"{number}.wav", RATE, tone(frequency + number))
    return root


def ts(rows: str, *, head: str = "@classLabel true a b\n") -> str:
    return f"# made here\n@problemName Taps\n{head}@data\n{rows}"


def test_a_folder_of_wav_files(sounds: Path) -> None:
    whole = load_data(f"{sounds}:train")
    assert whole.modality == Series(rate=RATE, full_scale=1.0)
    assert whole.class_names == ("high", "low")
    assert whole.stored.shape == (16, 1, 800)
    assert whole.stored.dtype == np.int16
    assert load_data(f"{sounds}:test").labels.tolist().count(0) == 2
    crossings = (np.diff(np.signbit(whole.stored[:, 0])) != 0).sum(1)
    assert ((crossings > 200) == (whole.labels == 0)).all()
    tones = {tuple(tone(900.0 + number)) for number in range(10)}
    assert {tuple(one) for one in whole.stored[whole.labels == 0][:, 0]} <= tones  # bit for bit


def test_another_rate_or_length_is_refused_or_brought_and_said(sounds: Path, caplog) -> None:
    wavfile.write(sounds / "low" / "fast.wav", 8000, tone(200.0, length=1600, rate=8000))
    with pytest.raises(DataError, match=r"has 4000 samples a second, .*fast.wav has 8000: say --rate 4000"):
        load_data(str(sounds))
    with caplog.at_level(logging.WARNING):
        brought = load_data(f"{sounds}?rate=4000")
    assert "1 of 21 series were resampled to 4000" in caplog.text
    assert brought.stored.shape[1:] == (1, 800)
    spectrum = np.abs(np.fft.rfft(brought.stored[:, 0], axis=1)).argmax(1) * RATE / 800
    assert set(np.round(spectrum[brought.labels == 1], -1)) <= {200.0, 210.0}
    wavfile.write(sounds / "low" / "fast.wav", RATE, tone(200.0, length=900))
    with pytest.raises(DataError, match=r"has 800 samples, .*fast.wav has 900: say --length N"):
        load_data(str(sounds))
    with caplog.at_level(logging.WARNING):
        cut = load_data(f"{sounds}?length=850")
    assert "1 series were cut to 850 samples, 20 filled up with zeros" in caplog.text
    assert cut.stored.shape[1:] == (1, 850)


def test_silent_clipped_single_and_unreadable_sounds_are_named(sounds: Path, caplog) -> None:
    wavfile.write(sounds / "low" / "quiet.wav", RATE, np.zeros(800, np.int16))
    wavfile.write(sounds / "low" / "beyond.wav", RATE, (tone(200.0) / 2.0**13).astype(np.float32))
    clipped = (2.0 * 32767 * np.sin(np.arange(800) / 3)).clip(-32768, 32767).astype(np.int16)
    wavfile.write(sounds / "low" / "loud.wav", RATE, clipped)
    (sounds / "rare").mkdir()
    wavfile.write(sounds / "rare" / "one.wav", RATE, tone(400.0))
    with caplog.at_level(logging.WARNING):
        load_data(str(sounds))
    for message in (
        "1 sounds are silent: low/quiet.wav",
        "2 sounds are clipped (more than 1% of full scale): low/beyond.wav, low/loud.wav",
        "1 sounds go beyond full scale, and were clipped there: low/beyond.wav",
        "of 'rare' there is a single series",
    ):
        assert message in caplog.text
    (sounds / "high" / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"high/broken.wav is no WAV file"):
        load_data(f"{sounds}?length=800")
    assert len(load_data(f"{sounds}:train?skip-bad=yes")) > 10


def test_ts_files_with_their_published_test_part(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number + 1}.5,-3:1,2,{number % 3}:{'ab'[number % 2]}\n" for number in range(20))
    (tmp_path / "Taps_TRAIN.ts").write_text(ts(rows))
    (tmp_path / "Taps_TEST.ts").write_text(ts("1,2,3:4,5,6:b\n"))
    trained, tested = (load_data(f"{tmp_path / 'Taps_TRAIN.ts'}:{part}") for part in ("train", "test"))
    assert part_sizes(str(tmp_path / "Taps_TRAIN.ts"))["test"] == 1
    assert trained.modality == Series(full_scale=32.0)
    assert trained.class_names == ("a", "b")
    assert trained.stored.shape == (20, 2, 3)
    assert tested.modality.as_points(tested.stored).tolist() == [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]
    assert (trained.modality.as_points(trained.stored)[:, 0, 2] == -3).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ts("1,2:a\n1,?:b\n"), "line 6: a value is missing (value 2)"),
        (ts("1,2:a\n1,x:b\n"), "line 6: 'x' is no number"),
        (ts("1,2:1:a\n"), "line 5: its channels have 2, 1 values"),
        (ts("1,2:a\n1,2,3:b\n"), "line 5 has 2 samples, line 6 has 3: say --length N"),
        (ts("1,2:a\n1,2:1,2:b\n"), "line 5 has 1 channels, line 6 has 2"),
        (ts("1,2:a\n1,2:\n"), "line 6: the series has no label"),
        (ts("1,1e39:a\n1,2:b\n"), "line 5: the series holds NaN or infinite"),
        (ts("1,3e38:a\n1,2:b\n"), "its largest value is 3e+38: bring all to other units"),
        (ts("1,nan:a\n1,2:b\n"), "line 5: the series holds NaN"),
        (ts("1,2:a\n1,2:a\n"), "all series are of class 'a'"),
        (ts("1,2:a\n", head="@classLabel false\n"), "line 3: the set has no class labels"),
        (ts("1,2:a\n", head="@timeStamps true\n"), "line 3: its values have time stamps"),
        ("1,2:a\n", "line 1: expected @data before the first series"),
        (ts(""), "holds no series"),
        ("", "it has no line @data"),
    ],
)
def test_bad_ts_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.ts").write_text(text)
    with pytest.raises(DataError) as caught:
        load_data(str(tmp_path / "bad.ts"))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "taps.jsonl"
    lines = [{"series": [[0, 1, 2], [3, 4, number]], "label": number % 2, "rate": 50} for number in range(12)]
    path.write_text("\n".join(map(json.dumps, lines)))
    whole = load_data(f"{path}:train")
    assert whole.modality == Series(rate=50, full_scale=16.0)
    assert whole.stored.shape[1:] == (2, 3)
    for line, message in (
        ('{"series": [1, 2', "line 1: it is no JSON"),
        ("[1]", "line 1: expected"),
        ('{"series": [1, 2]}', "line 1: no field 'label'"),
        ('{"series": [[1], [1, 2]], "label": 1}', "line 1: the series is no list of numbers"),
        ('{"series": ["a"], "label": 1}', "line 1: the series is no list of numbers"),
        ('{"series": [1], "label": []}', "line 1: expected a name or a number as label"),
        ('{"series": [1], "label": 1, "rate": 50}\n{"series": [1], "label": 1}', "line 2 has an unknown number of"),
        ('{"series": [1], "label": 1, "rate": -1}', "line 1: the rate '-1' is no number"),
    ):
        path.write_text(line)
        with pytest.raises(DataError, match=message.replace("[", r"\[")):
            load_data(f"{path}?modality=series")


def test_tables_and_arrays(tmp_path: Path) -> None:
    table = tmp_path / "taps.csv"
    table.write_text("t0,t1,t2,class\n" + "".join(f"{n},1,-1,{'ab'[n % 2]}\n" for n in range(10)))
    whole = load_data(f"{table}:train?modality=series")
    assert whole.stored.shape[1:] == (1, 3)
    assert whole.class_names == ("a", "b")
    gaps = tmp_path / "gaps.csv"
    gaps.write_text("t0,t1,class\n1,2,a\n1,,b\n")
    with pytest.raises(DataError, match="line 3: a value is missing"):
        load_data(f"{gaps}?modality=series")
    series = np.linspace(-1, 1, 60).reshape(10, 6)
    np.savez(tmp_path / "taps.npz", x_train=series, y_train=np.arange(10) % 2, rate=8.0)
    read = load_data(f"{tmp_path / 'taps.npz'}:train?modality=series")
    assert read.modality == Series(rate=8.0, full_scale=2.0)
    assert read.stored.shape == (8, 1, 6)
    with pytest.raises(DataError, match=r"has 8 samples a second, --rate 9000 is more than 1000 times that"):
        load_data(f"{tmp_path / 'taps.npz'}:train?modality=series&rate=9000")
    np.savez(tmp_path / "rates.npz", x_train=series, y_train=np.arange(10) % 2, rate=np.array([]))
    with pytest.raises(DataError, match="rate holds 0 values"):
        load_data(f"{tmp_path / 'rates.npz'}?modality=series")
    np.savez(tmp_path / "fewer.npz", x_train=series, y_train=np.arange(9))
    with pytest.raises(DataError, match="expected"):
        load_data(f"{tmp_path / 'fewer.npz'}?modality=series")


def test_control_charts_are_always_the_same() -> None:
    charts = load_data("control-charts:owner")
    assert charts.identity == load_data("control-charts:owner").identity
    assert charts.class_names[1] == "cyclic"
    assert charts.stored.shape == (800, 1, 60)
    points = charts.modality.as_points(charts.stored)[:, 0]
    slope = points[:, 40:].mean(1) - points[:, :20].mean(1)
    assert (slope[charts.labels == 2] > 1).all()
    assert (slope[charts.labels == 3] < -3).all()
    assert abs(slope[charts.labels == 0].mean()) < 1
