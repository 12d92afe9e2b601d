"""Labelled series and sound: folders of WAV files, UCR's .ts files, JSON lines, tables and .npz files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from modelprint.core.errors import DataError
from modelprint.core.untrusted import open_regular
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.class_lists import read_class_list
from modelprint.data.layout import ORDER, is_leftover, laid_out
from modelprint.data.named import RawSet
from modelprint.data.notes import note
from modelprint.data.readers.base import READERS, SetReader
from modelprint.data.readers.json_lines import json_lines
from modelprint.data.readers.series_rows import Row, series_set
from modelprint.data.references import Reading
from modelprint.data.tables import LABEL_COLUMNS, PART_COLUMNS
from modelprint.data.text_files import bytes_of, text_of
from modelprint.modalities.series.wav import read_wav

WAV = (".wav", ".wave")
SERIES_FIELDS = ("series", "values", "signal", "samples")
RATE_FIELDS = ("rate", "sampling_rate", "sample_rate")
LARGEST_SOUND = 2**28  # bytes of one WAV file
MOST_LOOKED_AT = 1000  # files at the root of a folder, before those of its folders
_SEPARATORS = ",;\t|"


def read_wav_folder(root: Path, reading: Reading) -> RawSet:
    """The sounds of a folder with one folder of .wav files per class, perhaps below `train`, `val` and `test`.

    Raises:
        DataError: a file that is no WAV; the message names it. And as `series_set`.
    """
    files = [path for path in _files(root) if path.suffix.lower() in WAV]
    classes = None if reading.classes is None else read_class_list(reading.classes)
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not is_leftover(entry.name))
    layout = laid_out(
        [path.relative_to(root).parts for path in files], folders, who=str(root), classes=classes, plural="sounds"
    )
    for line in layout.notes:
        note(f"{root}: {line}")
    parts = [part for part in ORDER for _ in range(layout.counts.get(part, 0))]
    rows: list[Row] = []
    bad: list[str] = []
    for number, label, part in zip(layout.order, layout.labels, parts, strict=True):
        place = str(files[number].relative_to(root))
        try:
            sound = read_wav(bytes_of(files[number], most=LARGEST_SOUND), who=f"{root}: {place}")
        except DataError:
            if not reading.skip_bad:
                raise
            bad.append(place)
            continue
        rows.append(
            Row(
                values=sound.samples,
                label=layout.class_names[label],
                place=place,
                rate=float(sound.rate),
                part=part,
            )
        )
    if bad:
        note(f"{root}: {len(bad)} files cannot be read and are left out: {', '.join(bad[:3])}")
    return series_set(root, rows, reading, sound=True, names=layout.class_names)


def read_ts(path: Path, reading: Reading) -> RawSet:
    """A set of UCR's and UEA's .ts files; of NAME_TRAIN.ts, with NAME_TEST.ts beside it as the published test part.

    Raises:
        DataError: a line that is none; the message names it. And as `series_set`.
    """
    other = path.with_name(path.name.replace("_TRAIN", "_TEST"))
    parts: list[tuple[Path, str | None]] = [(path, None)]
    if other != path and other.exists():
        parts = [(path, "train"), (other, "test")]
    rows: list[Row] = []
    for file, part in parts:
        rows += _ts_rows(file, part)
    return series_set(path, rows, reading, sound=False)


def read_lines(path: Path, reading: Reading) -> RawSet:
    """A set of JSON lines, each an object with a series (a list, or a list for each channel) and a label.

    Raises:
        DataError: a line that is none; the message names it. And as `series_set`.
    """
    rows: list[Row] = []
    for line in json_lines(path, expected='{"series": [...], "label": ...}'):
        fields, who = line.fields, line.who
        series = next((fields[name] for name in SERIES_FIELDS if name in fields), None)
        names = LABEL_COLUMNS if reading.label is None else (reading.label,)
        label = next((fields[name] for name in names if name in fields), None)
        if series is None or label is None:
            missing = "series" if series is None else names[0]
            raise DataError(f"{who}: no field {missing!r}: its fields are {', '.join(map(str, list(fields)[:10]))}")
        rate = next((fields[name] for name in RATE_FIELDS if name in fields), None)
        rows.append(
            Row(
                values=_channels(series, who),
                label=_label(label, who),
                place=line.place,
                rate=None if rate is None else _rate(rate, who),
                part=next((str(fields[name]) for name in PART_COLUMNS if name in fields), None),
            )
        )
    return series_set(path, rows, reading, sound=False)


def read_table(path: Path, reading: Reading) -> RawSet:
    """A set of a CSV file: a column of labels, perhaps one of parts, and all others, in order, the values of a series.

    Raises:
        DataError: no such column, or a cell that is no number; the message names the line. And as `series_set`.
    """
    text = text_of(path)
    separator = max(_SEPARATORS, key=text.split("\n", 1)[0].count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(lines, [])]
        wanted = (reading.label,) if reading.label is not None else LABEL_COLUMNS
        labels = [number for number, name in enumerate(header) if name in wanted or name.lower() in wanted]
        if len(labels) != 1:
            raise DataError(
                f"{path}: {'several columns' if labels else 'no column'} of labels (its columns are "
                f"{', '.join(header[:6])} ...): say which by --label COLUMN"
            )
        parts = [number for number, name in enumerate(header) if name.lower() in PART_COLUMNS]
        values = [number for number in range(len(header)) if number not in (*labels, *parts)]
        for row in lines:
            if not any(row):
                continue
            who = f"{path}, line {lines.line_num}"
            if len(row) != len(header):
                raise DataError(f"{who}: {len(row)} columns where the first line names {len(header)}")
            rows.append(
                Row(
                    values=_numbers([row[number] for number in values], who)[None],
                    label=row[labels[0]].strip(),
                    place=f"line {lines.line_num}",
                    part=row[parts[0]] if parts else None,
                )
            )
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: it is no CSV ({error})") from error
    return series_set(path, rows, reading, sound=False)


def read_npz(path: Path, reading: Reading) -> RawSet:
    """A set of an .npz in Keras' layout: x_train (n, channels, length) or (n, length), y_train, perhaps rate.

    Integers of 16 bits are sound, full scale 1; floats have the least power of two above all values as full scale.

    Raises:
        DataError: other arrays. And as `series_set`.
    """
    arrays = read_npz_arrays(path)
    if not {"x_train", "y_train"} <= set(arrays):
        raise DataError(f"{path} holds {sorted(arrays)}: expected Keras' layout, x_train, y_train, x_test, y_test")
    names = None if "class_names" not in arrays else tuple(map(str, arrays["class_names"].reshape(-1)))
    rate = None if "rate" not in arrays else _only_rate(arrays["rate"], path)
    rows: list[Row] = []
    sound = arrays["x_train"].dtype == np.int16
    for part in ("train", "test"):
        if f"x_{part}" not in arrays or f"y_{part}" not in arrays:
            continue
        series, labels = arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)
        series = series[:, None] if series.ndim == 2 else series
        if series.ndim != 3 or series.dtype.kind not in "if" or len(series) != len(labels) or not series.size:
            raise DataError(
                f"{path}: x_{part} is {series.dtype} {series.shape} with {len(labels)} labels: expected "
                "(n, channels, length) or (n, length), and a label for each"
            )
        with np.errstate(over="ignore"):  # what is infinite then is refused by its name
            values = series.astype(np.float32) / np.float32(2**15 if sound else 1)
        rows += [
            Row(
                values=one,
                label=label,
                place=f"x_{part}[{number}]",
                rate=rate,
                part=part if "x_test" in arrays else None,
            )
            for number, (one, label) in enumerate(zip(values, _called(labels, names, path), strict=True))
        ]
    return series_set(path, rows, reading, sound=sound, names=names)


def _only_rate(rates: np.ndarray, path: Path) -> float:
    if rates.size != 1:
        raise DataError(f"{path}: rate holds {rates.size} values: expected one number of samples a second")
    return _rate(rates.reshape(-1)[0].item(), str(path))


def _called(labels: np.ndarray, names: tuple[str, ...] | None, path: Path) -> list[str]:
    """Class names of labels, or the numbers themselves."""
    if names is None or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        return [str(label) for label in labels]
    if labels.min() < 0 or labels.max() >= len(names):
        raise DataError(f"{path}: labels run from {labels.min()} to {labels.max()}, class_names has {len(names)}")
    return [names[label] for label in labels]


def _ts_rows(path: Path, part: str | None) -> list[Row]:
    rows: list[Row] = []
    begun = False
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        text, who = line.strip(), f"{path}, line {number}"
        if not text or text.startswith(("#", "%")):
            continue
        if not begun:
            begun = text.lower() == "@data"
            words = text.lower().split()
            if words[:2] == ["@classlabel", "false"] or words[:1] == ["@targetlabel"]:
                raise DataError(f"{who}: the set has no class labels: name one of classification")
            if words[:2] == ["@timestamps", "true"]:
                raise DataError(f"{who}: its values have time stamps: save them at even distances, without stamps")
            if not text.startswith("@"):
                raise DataError(f"{who}: expected @data before the first series, got {text[:40]!a}")
            continue
        *channels, label = text.split(":")
        if not channels:
            raise DataError(f"{who}: no class label behind a colon")
        values = [_numbers(channel.split(","), who) for channel in channels]
        if len({len(channel) for channel in values}) > 1:
            raise DataError(f"{who}: its channels have {', '.join(str(len(channel)) for channel in values)} values")
        rows.append(
            Row(
                values=np.stack(values),
                label=label.strip(),
                place=f"line {number}" if part in (None, "train") else f"{path.name}, line {number}",
                part=part,
            )
        )
    if not begun:
        raise DataError(f"{path} is no .ts file: it has no line @data")
    return rows


def _numbers(cells: Sequence[str], who: str) -> Float[np.ndarray, " length"]:
    values: list[float] = []
    for place, cell in enumerate(cells):
        try:
            values.append(float(cell))
        except ValueError as error:
            shown = cell.strip()
            what = "a value is missing" if shown in ("", "?") else f"{shown[:20]!a} is no number"
            raise DataError(f"{who}: {what} (value {place + 1}): fill it, or leave the series out") from error
    with np.errstate(over="ignore"):  # what is infinite then is refused by its line
        return np.array(values, np.float64).astype(np.float32)


def _channels(series: Any, who: str) -> Float[np.ndarray, "channels length"]:
    """A series of a JSON line: a list of numbers, or one such list for each channel."""
    try:
        with np.errstate(over="ignore"):  # what is infinite then is refused by its line
            values = np.array(series, dtype=np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{who}: the series is no list of numbers, nor of equally long lists of numbers") from error
    if values.ndim not in (1, 2) or not values.size:
        raise DataError(f"{who}: expected a list of numbers, or one for each channel, got shape {values.shape}")
    return values[None] if values.ndim == 1 else values


def _label(value: Any, who: str) -> str:
    if not isinstance(value, str | int | float) or value == "":
        raise DataError(f"{who}: expected a name or a number as label, got {str(value)[:40]!a}")
    return str(value)


def _rate(value: Any, who: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise DataError(f"{who}: the rate {str(value)[:20]!a} is no number of samples a second")
    return float(value)


def _files(root: Path) -> Iterator[Path]:
    for folder, within, names in os.walk(root):
        within[:] = sorted(name for name in within if not is_leftover(name))
        yield from (Path(folder, name) for name in sorted(names) if not is_leftover(name))


def _has_sounds(path: Path, reading: Reading) -> bool:
    """Whether the first files of a folder's folders are sounds."""
    if not path.is_dir():
        return False
    for number, file in enumerate(_files(path)):
        if file.parent != path:
            return file.suffix.lower() in WAV
        if number > MOST_LOOKED_AT:
            break
    return False


def _is_ts(path: Path, reading: Reading) -> bool:
    return path.suffix.lower() == ".ts" and path.is_file()


def _has_lines(path: Path, reading: Reading) -> bool:
    """Whether these are JSON lines of series: the user says it, or the first line has such a field."""
    if path.suffix.lower() not in (".jsonl", ".ndjson") or not path.is_file():
        return False
    if reading.modality is not None:
        return True
    try:
        with open_regular(path) as stream:
            first = stream.read(4096)
    except OSError:
        return False
    return b'"series"' in first.split(b"\n", 1)[0]


def _is_table(path: Path, reading: Reading) -> bool:
    return reading.modality is not None and path.suffix.lower() in (".csv", ".tsv") and path.is_file()


def _is_npz(path: Path, reading: Reading) -> bool:
    return reading.modality is not None and path.suffix.lower() == ".npz" and path.is_file()


for _name, _reader in {
    "series-wav": SetReader(
        modality="series",
        forms="a folder of class folders of .wav",
        takes=_has_sounds,
        read=read_wav_folder,
        options=("--rate", "--length", "--skip-bad"),
    ),
    "series-ts": SetReader(modality="series", forms="UCR's .ts", takes=_is_ts, read=read_ts, options=("--length",)),
    "series-lines": SetReader(
        modality="series",
        forms='.jsonl with "series" and "label"',
        takes=_has_lines,
        read=read_lines,
        options=("--rate", "--length"),
    ),
    "series-table": SetReader(
        modality="series",
        forms=".csv of series with --modality series",
        takes=_is_table,
        read=read_table,
        options=("--rate", "--length"),
    ),
    "series-npz": SetReader(
        modality="series",
        forms=".npz of series with --modality series",
        takes=_is_npz,
        read=read_npz,
        options=("--rate", "--length"),
    ),
}.items():
    READERS.register(_name)(_reader)
