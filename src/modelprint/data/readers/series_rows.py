"""From labelled series, as they stand in files, to a set: one rate, one length, one scale; what is odd is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from modelprint.core.errors import DataError
from modelprint.data.class_lists import check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.layout import ORDER, PARTS
from modelprint.data.named import RawSet
from modelprint.data.notes import note
from modelprint.data.references import Reading
from modelprint.modalities.series.modality import Series
from modelprint.modalities.series.resampling import of_length, resampled
from modelprint.modalities.series.storage import LEVELS, rounded_series, scale_for, spread_of

LEAST_SCALE, LARGEST_SCALE = 2.0**-100, 2.0**100  # float32 counts steps of such values
MOST_RESAMPLED = 1000.0  # times more or fewer samples
CLIPPED = 0.01  # of the samples at full scale, from which on a sound counts as clipped


@dataclass(frozen=True, kw_only=True)
class Row:
    """One series as it stands in a file.

    Attributes:
        values: in the units of the file.
        place: where it stands, for messages: "line 3", or a file's name.
        rate: samples a second, where the file says it.
        part: of the published ones; None where nothing says it.
    """

    values: Float[np.ndarray, "channels length"]
    label: str
    place: str
    rate: float | None = None
    part: str | None = None


def series_set(
    path: Path, rows: Sequence[Row], reading: Reading, *, sound: bool, names: tuple[str, ...] | None = None
) -> RawSet:
    """A set of series.

    Args:
        sound: whether full scale is 1; else it is the least power of two above all values.
        names: of the classes, where the set itself says all of them.

    Raises:
        DataError: no series, other numbers of channels, rates or lengths where nothing says which is meant, NaN, fewer
            than two classes, or labels that no class has; the message names the row.
    """
    if not rows:
        raise DataError(f"{path} holds no series")
    for row in rows:
        if not row.values.size:
            raise DataError(f"{path}, {row.place}: the series has no values")
        if not np.isfinite(row.values).all():
            raise DataError(f"{path}, {row.place}: the series holds NaN or infinite values: fill or remove it")
        if not row.label:
            raise DataError(f"{path}, {row.place}: the series has no label: complete or remove it")
    _check_channels(rows, path)
    rate, rows = _of_one_rate(rows, reading.rate, path)
    rows = _of_one_length(rows, reading.length, path)
    values = np.stack([row.values for row in rows]).astype(np.float32)
    full_scale = 1.0 if sound else scale_for(values)
    if not LEAST_SCALE <= full_scale <= LARGEST_SCALE:
        raise DataError(f"{path}: its largest value is {np.abs(values).max():.3g}: bring all to other units")
    if sound:
        _note_odd_sounds(values, rows, path)
        values = values.clip(-1.0, 1.0)
    labels, class_names, numbering = _classes([row.label for row in rows], names, reading, who=str(path))
    _note_single(rows, path)
    parts = ["train" if row.part is None else _part(row.part, f"{path}, {row.place}") for row in rows]
    order = np.array(sorted(range(len(rows)), key=lambda number: ORDER.index(parts[number])))
    stored = rounded_series(values, full_scale)[order]
    counts = Counter(parts)
    trained = counts["train"]
    return RawSet(
        train_images=stored[:trained],
        train_labels=labels[order][:trained],
        test_images=stored[trained:],
        test_labels=labels[order][trained:],
        class_names=class_names,
        numbering=numbering,
        validated=counts["val"],
        modality=Series(rate=rate, full_scale=full_scale, spread=spread_of(stored, full_scale)),
    )


def some(rows: Sequence[Row], most: int = 3) -> str:
    """The places of the first few rows."""
    return ", ".join(row.place for row in rows[:most]) + (" ..." if len(rows) > most else "")


def _check_channels(rows: Sequence[Row], path: Path) -> None:
    channels = len(rows[0].values)
    other = next((row for row in rows if len(row.values) != channels), None)
    if other is not None:
        raise DataError(
            f"{path}: {rows[0].place} has {channels} channels, {other.place} has {len(other.values)}: give all one "
            "number of channels"
        )


def _of_one_rate(rows: Sequence[Row], wanted: float | None, path: Path) -> tuple[float | None, Sequence[Row]]:
    """All series at the rate that was said, or that all of them have.

    Raises:
        DataError: they have several, and none was said.
    """
    rates = {row.rate for row in rows}
    if wanted is None:
        if len(rates) > 1:
            one, other = _first_two(rows, lambda row: row.rate)
            raise DataError(
                f"{path}: {one.place} has {_shown(one.rate)} samples a second, {other.place} has "
                f"{_shown(other.rate)}: say --rate {min(rate for rate in rates if rate):g}, to which all are then "
                "resampled"
            )
        return rates.pop(), rows
    far = next((row for row in rows if row.rate and not _near(row.rate, wanted)), None)
    if far is not None:
        raise DataError(
            f"{path}: {far.place} has {_shown(far.rate)} samples a second, --rate {wanted:g} is more than "
            f"{MOST_RESAMPLED:g} times that, or less than a thousandth: give another rate"
        )
    kept = [row for row in rows if row.rate in (None, wanted)]
    if len(kept) < len(rows):
        note(f"{path}: {len(rows) - len(kept)} of {len(rows)} series were resampled to {wanted:g} samples a second")
    return wanted, [
        row if row.rate in (None, wanted) else replace(row, values=resampled(row.values, row.rate or wanted, wanted))
        for row in rows
    ]


def _near(rate: float, wanted: float) -> bool:
    """Whether series can be resampled from one rate to the other."""
    return wanted / MOST_RESAMPLED <= rate <= wanted * MOST_RESAMPLED


def _shown(rate: float | None) -> str:
    """A rate in words.

    >>> _shown(8000.0), _shown(None)
    ('8000', 'an unknown number of')
    """
    return "an unknown number of" if rate is None else f"{rate:g}"


def _of_one_length(rows: Sequence[Row], wanted: int | None, path: Path) -> Sequence[Row]:
    """All series of the length that was said, or that all of them have.

    Raises:
        DataError: they have several, and none was said.
    """
    lengths = {row.values.shape[1] for row in rows}
    if wanted is None:
        if len(lengths) > 1:
            one, other = _first_two(rows, lambda row: row.values.shape[1])
            raise DataError(
                f"{path}: {one.place} has {one.values.shape[1]} samples, {other.place} has {other.values.shape[1]}: "
                f"say --length N, at which all are cut or filled up with zeros (the longest has {max(lengths)})"
            )
        return rows
    longer = sum(row.values.shape[1] > wanted for row in rows)
    shorter = sum(row.values.shape[1] < wanted for row in rows)
    if longer or shorter:
        note(f"{path}: {longer} series were cut to {wanted} samples, {shorter} filled up with zeros at their end")
    return [replace(row, values=of_length(row.values, wanted)) for row in rows]


def _first_two(rows: Sequence[Row], what: Callable[[Row], object]) -> tuple[Row, Row]:
    """The first row, and the first that differs in something."""
    return rows[0], next(row for row in rows if what(row) != what(rows[0]))


def _note_odd_sounds(values: Float[np.ndarray, "n channels length"], rows: Sequence[Row], path: Path) -> None:
    loudest = np.abs(values).max(axis=(1, 2))
    silent = [row for row, peak in zip(rows, loudest, strict=True) if peak < 2 / LEVELS]
    if silent:
        note(f"{path}: {len(silent)} sounds are silent: {some(silent)}")
    clipped_share = (np.abs(values) >= 1 - 2 / LEVELS).mean(axis=(1, 2))
    clipped = [row for row, share in zip(rows, clipped_share, strict=True) if share > CLIPPED]
    if clipped:
        note(f"{path}: {len(clipped)} sounds are clipped (more than {CLIPPED:.0%} of full scale): {some(clipped)}")
    beyond = [row for row, peak in zip(rows, loudest, strict=True) if peak > 1]
    if beyond:
        note(f"{path}: {len(beyond)} sounds go beyond full scale, and were clipped there: {some(beyond)}")


def _classes(
    labels: Sequence[str], names: tuple[str, ...] | None, reading: Reading, *, who: str
) -> tuple[np.ndarray, tuple[str, ...], Numbering]:
    listed = None if reading.classes is None else read_class_list(reading.classes)
    if names is None and all(label.isascii() and label.isdigit() and len(label) < 6 for label in labels):
        numbers = np.array([int(label) for label in labels], dtype=np.int64)
        class_names = listed or numbered(max(2, int(numbers.max()) + 1), who=who)
        check_numbers(numbers, class_names, who=who)
        return numbers, class_names, "numbers" if listed is None else "list"
    class_names = listed or names or tuple(sorted(set(labels)))
    if len(class_names) < 2:
        raise DataError(f"{who}: all series are of class {class_names[0]!r}: expected two classes or more")
    return numbers_of(labels, class_names, who=who), class_names, "names" if listed is None else "list"


def _note_single(rows: Sequence[Row], path: Path) -> None:
    single = [label for label, times in Counter(row.label for row in rows).items() if times == 1]
    if single:
        shown = ", ".join(repr(label) for label in single[:5]) + (" ..." if len(single) > 5 else "")
        note(f"{path}: of {shown} there is a single series: it is in one part of the set only; give more of it")


def _part(text: str, who: str) -> str:
    part = PARTS.get(text.strip().lower())
    if part is None:
        raise DataError(f"{who}: {text!r} is no part of a set, use {', '.join(sorted(PARTS))}")
    return part
