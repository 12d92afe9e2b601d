"""Labelled rows of tables: CSV files, Parquet files, KEEL's .dat files, and .npz files of vectors."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.sandbox import Limits, room
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.named import RawSet
from modelprint.data.readers.base import READERS, SetReader
from modelprint.data.readers.vector_columns import Table, vector_set
from modelprint.data.references import Reading
from modelprint.data.tables import LABEL_COLUMNS, PART_COLUMNS, PATH_COLUMNS
from modelprint.data.text_files import beginning_of, text_of

TABLES = (".csv", ".tsv")
CHILD = "modelprint.data.readers.parquet_child:handler"
_SEPARATORS = ",;\t|"


def read_csv(path: Path, reading: Reading) -> RawSet:
    """A set of a CSV file, with commas, semicolons, tabs or bars between the columns that its first line names.

    Raises:
        DataError: no column of labels, or a row of another length; the message names the line. And as `vector_set`.
    """
    text = text_of(path)
    separator = _separator(text.split("\n", 1)[0])
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(lines, [])]
        rows: list[list[str]] = []
        places: list[str] = []
        for row in lines:
            if not any(row):
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path}, line {lines.line_num}: {len(row)} cells, where the first line names {len(header)} columns"
                )
            rows.append(row)
            places.append(f"line {lines.line_num}")
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: it is no CSV ({error})") from error
    return vector_set(path, _table(path, header, rows, places, reading), reading)


def read_parquet(path: Path, reading: Reading) -> RawSet:
    """A set of a Parquet file, read in a confined child.

    Raises:
        DataError: no pyarrow, no column of labels, or columns of lists or bytes. And as `vector_set`.
        SandboxError: it takes too much memory or time.
    """
    if find_spec("pyarrow") is None:
        raise DataError(f"{path}: reading Parquet files needs pyarrow: pip install 'modelprint[parquet]', or use CSV")
    with room(CHILD, who=str(path), limits=Limits(memory=4 * 2**30, seconds=120.0, answer=2**30)) as child:
        answer, arrays = child.call({"do": "read", "place": str(path.absolute()), "name": str(path)})
    if "error" in answer:
        raise DataError(f"{path}: {str(answer['error'])[:300]}")
    names, texts = list(map(str, answer["names"])), answer["texts"]
    columns = [
        texts[name] if name in texts else [_written(value) for value in arrays[f"c{place}"].tolist()]
        for place, name in enumerate(names)
    ]
    rows = [list(map(str, row)) for row in zip(*columns, strict=True)]
    table = _table(path, names, rows, [f"row {number + 1}" for number in range(len(rows))], reading)
    return vector_set(path, table, reading)


def read_npz(path: Path, reading: Reading) -> RawSet:
    """A set of an .npz in Keras' layout: x_train (n, columns), y_train, perhaps x_test, y_test and feature_names.

    Raises:
        DataError: other arrays. And as `vector_set`.
    """
    arrays = read_npz_arrays(path)
    if not {"x_train", "y_train"} <= set(arrays):
        raise DataError(f"{path} holds {sorted(arrays)}: expected Keras' layout, x_train, y_train, x_test, y_test")
    width = arrays["x_train"].shape[-1] if arrays["x_train"].ndim == 2 else 0
    names = tuple(map(str, arrays.get("feature_names", np.array([f"x{n + 1}" for n in range(width)])).reshape(-1)))
    called = None if "class_names" not in arrays else list(map(str, arrays["class_names"].reshape(-1)))
    cells: list[list[str]] = []
    labels: list[str] = []
    parts: list[str] = []
    places: list[str] = []
    for part in ("train", "test"):
        if f"x_{part}" not in arrays or f"y_{part}" not in arrays:
            continue
        values, classes = arrays[f"x_{part}"], arrays[f"y_{part}"].reshape(-1)
        if values.ndim != 2 or values.dtype.kind not in "iuf" or values.shape != (len(classes), len(names)):
            raise DataError(f"{path}: x_{part} is {values.dtype} {values.shape}: expected numbers (n, {len(names)})")
        cells += [[_written(value) for value in row] for row in values.tolist()]
        labels += [_called(label, called) for label in classes.tolist()]
        parts += [part] * len(values)
        places += [f"x_{part}[{number}]" for number in range(len(values))]
    published = parts if "x_test" in arrays else None
    return vector_set(path, Table(names=names, cells=cells, labels=labels, parts=published, places=places), reading)


def read_keel(path: Path, reading: Reading) -> RawSet:
    """A set of a .dat file of the KEEL repository: @attribute, @output, then @data and rows with commas.

    Without such lines the columns are called x1, x2 ..., and the last is the label.

    J. Alcala-Fdez et al., "KEEL Data-Mining Software Tool: Data Set Repository ...", Journal of Multiple-Valued Logic
    and Soft Computing 17, 2011.

    Raises:
        DataError: a row of another length; the message names the line. And as `vector_set`.
    """
    names: list[str] = []
    output: str | None = None
    rows: list[list[str]] = []
    places: list[str] = []
    content = text_of(path)
    begun = "@data" not in content.lower()
    if begun:
        names = [f"x{place}" for place in range(1, content.split("\n", 1)[0].count(",") + 2)]
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.strip()
        words = text.split(None, 2)
        if begun and text:
            cells = [cell.strip() for cell in text.split(",")]
            if len(cells) != len(names):
                raise DataError(f"{path}, line {number}: {len(cells)} cells, where there are {len(names)} attributes")
            rows.append(cells)
            places.append(f"line {number}")
        elif words and words[0].lower() == "@attribute":
            named = text[len(words[0]) :].strip().split("{")[0].split()
            if not named:
                raise DataError(f"{path}, line {number}: an @attribute without a name")
            names.append(named[0])
        elif words and words[0].lower() in ("@output", "@outputs"):
            output = text[len(words[0]) :].strip()
        begun = begun or text.lower() == "@data"
    if not begun or not names:
        raise DataError(f"{path} is no .dat file of KEEL: it names no @attribute before @data")
    chosen = Reading(**{**vars(reading), "label": reading.label or output or names[-1]})
    return vector_set(path, _table(path, names, rows, places, chosen), chosen)


def _table(path: Path, header: Sequence[str], rows: list[list[str]], places: list[str], reading: Reading) -> Table:
    """The rows without the columns of labels and parts.

    Raises:
        DataError: no such column, or a row without a label.
    """
    labels = _label_columns(header, reading)
    if len(labels) != 1:
        shown = ", ".join(header[:10]) or "none"
        fault = (
            f"{'several columns' if labels else 'no column'} {reading.label!r}"
            if reading.label
            else ("several columns could hold the labels" if labels else "no column is called label, class, target ...")
        )
        raise DataError(f"{path}: {fault} (its columns are {shown}): say which by --label COLUMN")
    label = labels[0]
    part = next((place for place, name in enumerate(header) if name.lower() in PART_COLUMNS and place != label), None)
    kept = [place for place in range(len(header)) if place not in (label, part)]
    unlabelled = next((number for number, row in enumerate(rows) if not row[label].strip()), None)
    if unlabelled is not None:
        raise DataError(
            f"{path}, {places[unlabelled]}: no label in column {header[label]}: complete it or remove the row"
        )
    return Table(
        names=tuple(header[place] or f"column {place + 1}" for place in kept),
        cells=[[row[place] for place in kept] for row in rows],
        labels=[row[label] for row in rows],
        parts=None if part is None else [row[part] for row in rows],
        places=places,
    )


def _label_columns(header: Sequence[str], reading: Reading) -> list[int]:
    wanted = LABEL_COLUMNS if reading.label is None else (reading.label,)
    return [
        place
        for place, name in enumerate(header)
        if name in wanted or (reading.label is None and name.lower() in wanted)
    ]


def _called(label: object, names: list[str] | None) -> str:
    """The name of a class number, where the file has names."""
    if names is not None and isinstance(label, int) and 0 <= label < len(names):
        return names[label]
    return str(label)


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _written(value: object) -> str:
    """A number as a table writes it: whole ones without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value) if isinstance(value, float) else str(value)


def _is_csv(path: Path, reading: Reading) -> bool:
    """Whether a table is of vectors: the user says so, or it has labels, and no column that names pictures."""
    if path.suffix.lower() not in TABLES or not path.is_file():
        return False
    if reading.modality is not None:
        return True
    line = beginning_of(path).split("\n", 1)[0]
    return _of_vectors([name.strip() for name in line.strip().split(_separator(line))], reading)


def _of_vectors(header: Sequence[str], reading: Reading) -> bool:
    of_pictures = reading.path is not None or any(name.lower() in PATH_COLUMNS for name in header)
    labelled = reading.label is not None or bool(_label_columns(header, reading))
    return not of_pictures and len(header) > 1 and labelled


@lru_cache(maxsize=16)
def _names_of_parquet(path: Path, changed: int) -> tuple[str, ...]:
    """The columns of a Parquet file; none where it cannot be read, or holds other things than numbers and texts."""
    with room(CHILD, who=str(path)) as child:
        answer, _ = child.call({"do": "names", "place": str(path.absolute()), "name": str(path)})
    return tuple(map(str, answer.get("names", ())))


def _is_parquet(path: Path, reading: Reading) -> bool:
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    if reading.modality is not None:
        return True
    if find_spec("pyarrow") is None:
        return False
    return _of_vectors(_names_of_parquet(path, path.stat().st_mtime_ns), reading)


def _is_npz(path: Path, reading: Reading) -> bool:
    return path.suffix.lower() == ".npz" and path.is_file() and reading.modality is not None


def _is_keel(path: Path, reading: Reading) -> bool:
    return path.suffix.lower() == ".dat" and path.is_file() and "@attribute" in beginning_of(path).lower()


for _name, _reader in {
    "vector-table": SetReader(
        modality="vector",
        forms=".csv with a column of labels (--label COLUMN)",
        takes=_is_csv,
        read=read_csv,
        options=("--skip-bad",),
    ),
    "vector-parquet": SetReader(
        modality="vector",
        forms=".parquet of numbers and names with a column of labels",
        takes=_is_parquet,
        read=read_parquet,
        options=("--skip-bad",),
    ),
    "vector-keel": SetReader(
        modality="vector", forms=".dat of KEEL", takes=_is_keel, read=read_keel, options=("--skip-bad",)
    ),
    "vector-npz": SetReader(
        modality="vector", forms=".npz of vectors with --modality vector", takes=_is_npz, read=read_npz
    ),
}.items():
    READERS.register(_name)(_reader)
