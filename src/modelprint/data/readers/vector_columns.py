"""What the columns of a table are: numbers in steps, or categories; and the rows in them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.layout import ORDER, PARTS
from modelprint.data.named import RawSet
from modelprint.data.notes import note
from modelprint.data.references import Reading
from modelprint.modalities.vector.modality import Vector
from modelprint.modalities.vector.spec import LONGEST_NAME, MOST_CATEGORIES, MOST_COLUMNS, MOST_LEVELS, Column
from modelprint.modalities.vector.storage import STORED

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "nil"})
MOSTLY = 0.9  # of a column's cells: where so many are numbers, the others are mistakes
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_SHARED = 0.5  # names of a column for each row, beyond which they are no categories


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table as text, before anything is known of its columns.

    Attributes:
        names: of the columns, without those of labels and parts.
        cells: of each row, in the order of the names.
        labels, parts: of each row; no parts where no column says them.
        places: of each row, for messages: "line 7".
    """

    names: tuple[str, ...]
    cells: list[list[str]]
    labels: list[str]
    parts: list[str] | None
    places: list[str]

    def without(self, rows: set[int]) -> Table:
        """The table without some rows."""
        kept = [row for row in range(len(self.cells)) if row not in rows]
        return Table(
            names=self.names,
            cells=[self.cells[row] for row in kept],
            labels=[self.labels[row] for row in kept],
            parts=None if self.parts is None else [self.parts[row] for row in kept],
            places=[self.places[row] for row in kept],
        )


def vector_set(path: Path, table: Table, reading: Reading) -> RawSet:
    """A table as a set of vectors.

    Raises:
        DataError: a cell that is missing or no number, a label that occurs once, one class only, or no columns.
    """
    if not 1 <= len(table.names) <= MOST_COLUMNS:
        raise DataError(f"{path} has {len(table.names)} columns beside the label: expected 1 to {MOST_COLUMNS}")
    twice = next((name for name, times in Counter(table.names).items() if times > 1), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}: rename one")
    if "" in table.names:
        raise DataError(f"{path}: column {table.names.index('') + 1} has no name: name it")
    long = next((name for name in table.names if len(name) > LONGEST_NAME), None)
    if long is not None:
        raise DataError(
            f"{path}: a column's name has {len(long)} characters, more than {LONGEST_NAME}: shorten it "
            f"({long[:20]!a} ...)"
        )
    numeric = [_is_numeric([row[place] for row in table.cells]) for place in range(len(table.names))]
    bad = _bad_cells(table, numeric)
    if bad and not reading.skip_bad:
        row, place, why = bad[0]
        more = f" ({len({row for row, _, _ in bad}) - 1} more such rows)" if len({row for row, _, _ in bad}) > 1 else ""
        raise DataError(
            f"{path}, {table.places[row]}, column {table.names[place]}: {why}{more}: fill it, or leave such rows out "
            "with --skip-bad"
        )
    if bad:
        rows = {row for row, _, _ in bad}
        first = table.places[min(rows)]
        note(f"{path}: {len(rows)} rows with missing or damaged cells are left out, the first is {first}")
        table = table.without(rows)
    if not table.cells:
        raise DataError(f"{path} has no rows")
    columns: list[Column] = []
    levels = np.empty((len(table.cells), len(table.names)), STORED)
    for place, name in enumerate(table.names):
        cells = [row[place] for row in table.cells]
        column, levels[:, place] = _number_column(name, cells) if numeric[place] else _listed(path, name, cells)
        columns.append(column)
    return _with_labels(path, table, levels, Vector(tuple(columns)), reading)


def _is_numeric(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell.strip().lower() not in MISSING]
    numbers = sum(_NUMBER.fullmatch(cell.strip()) is not None for cell in given)
    return bool(given) and numbers >= MOSTLY * len(given)


def _bad_cells(table: Table, numeric: Sequence[bool]) -> list[tuple[int, int, str]]:
    """Row, column and fault of each cell that cannot be read, in order."""
    bad: list[tuple[int, int, str]] = []
    for row, cells in enumerate(table.cells):
        for place, cell in enumerate(cells):
            text = cell.strip()
            if text.lower() in MISSING and (numeric[place] or not text or text.lower() in ("nan", "?")):
                bad.append((row, place, "a value is missing" if not text else f"{text!r} is no value"))
            elif numeric[place] and (_NUMBER.fullmatch(text) is None or not math.isfinite(float(text))):
                bad.append((row, place, f"{text[:40]!a} is no number"))
    return bad


def _number_column(name: str, cells: Sequence[str]) -> tuple[Column, np.ndarray]:
    """A column of numbers: its steps are the last digits that are written, or as fine as 2 ** 20 steps allow."""
    values = np.array([float(cell) for cell in cells], dtype=np.float64)
    written = max(_decimals(cell.strip()) for cell in cells)
    low, high = float(values.min()), float(values.max())
    decimals = min(written, 30)
    if high > low:  # the finest power of ten that leaves no more than MOST_LEVELS values
        decimals = min(decimals, math.floor(math.log10((MOST_LEVELS - 1) / (high - low))))
    step = 10.0**-decimals
    first = round(low, decimals)
    first = first - step if first > low + 1e-9 * step else first
    column = Column(
        name=name,
        low=round(first, max(0, decimals)),
        step=step,
        levels=min(MOST_LEVELS, round((high - first) / step) + 1),
        decimals=max(0, decimals),
    )
    return column, column.levels_of(values)


def _decimals(cell: str) -> int:
    """Digits behind the point.

    >>> [_decimals(cell) for cell in ("5", "5.10", "2e-3", "1.5e2")]
    [0, 1, 3, 0]
    """
    found = _NUMBER.fullmatch(cell)
    assert found is not None
    digits = len((found[1] or found[2] or "").rstrip("0"))
    return max(0, digits - int(found[3] or 0))


def _listed(path: Path, name: str, cells: Sequence[str]) -> tuple[Column, np.ndarray]:
    """A column of categories, sorted by name."""
    plain = [cell.strip() for cell in cells]
    categories = tuple(sorted(set(plain)))
    if len(categories) > MOST_CATEGORIES or (len(categories) > 20 and len(categories) > _SHARED * len(cells)):
        raise DataError(
            f"{path}: column {name} has {len(categories):,} different names in {len(cells):,} rows ({categories[0]!r} "
            "...): take it out of the table, unless they are numbers"
        )
    column = Column(name=name, levels=len(categories), categories=categories)
    return column, numbers_of(plain, categories, who=str(path))


def _with_labels(path: Path, table: Table, levels: np.ndarray, modality: Vector, reading: Reading) -> RawSet:
    classes = None if reading.classes is None else read_class_list(reading.classes)
    labels = [label.strip() for label in table.labels]
    once = next((label for label, times in Counter(labels).items() if times == 1), None)
    if once is not None:
        place = table.places[labels.index(once)]
        raise DataError(f"{path}, {place}: the label {once!r} occurs once: a class needs two rows, leave it out")
    numbers, names, numbering = _numbered(labels, classes, who=str(path))
    if len(names) < 2:
        raise DataError(f"{path}: all rows are of class {names[0]!r}: expected two classes or more")
    parts = ["train"] * len(labels) if table.parts is None else [_part(part, path) for part in table.parts]
    order = np.array(sorted(range(len(labels)), key=lambda row: ORDER.index(parts[row])), dtype=np.int64)
    counts = {part: parts.count(part) for part in ORDER}
    trained = counts["train"]
    return RawSet(
        train_images=levels[order[:trained]],
        train_labels=numbers[order[:trained]],
        test_images=levels[order[trained:]],
        test_labels=numbers[order[trained:]],
        class_names=names,
        validated=counts["val"],
        numbering=numbering,
        modality=modality,
    )


def _numbered(
    labels: Sequence[str], classes: tuple[str, ...] | None, *, who: str
) -> tuple[np.ndarray, tuple[str, ...], Numbering]:
    """Class numbers, what the classes are called, and what the numbers rest on."""
    if classes is not None and set(labels) <= set(classes):
        return numbers_of(labels, classes, who=who), classes, "list"
    if all(label.isascii() and label.isdigit() and len(label) < 6 for label in labels):
        numbers = np.array([int(label) for label in labels], dtype=np.int64)
        if classes is None and len(np.unique(numbers)) <= numbers.max():  # 1 to n, or codes: these are names
            names = tuple(str(number) for number in np.unique(numbers))
            return numbers_of([str(number) for number in numbers], names, who=who), names, "names"
        names = numbered(int(numbers.max()) + 1, who=who) if classes is None else classes
        check_numbers(numbers, names, who=who)
        return numbers, names, "numbers" if classes is None else "list"
    names = tuple(sorted(set(labels))) if classes is None else classes
    return numbers_of(labels, names, who=who), names, "names" if classes is None else "list"


def _part(text: str, path: Path) -> str:
    part = PARTS.get(text.strip().lower())
    if part is None:
        raise DataError(f"{path}: {text!r} is no part of a set, use {', '.join(sorted(PARTS))}")
    return part
