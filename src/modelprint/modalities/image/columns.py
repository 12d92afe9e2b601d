"""Pictures and labels in the columns of Parquet and Arrow files, as data sets of Hugging Face are kept.

Imported in the confined child only: the readers of these formats are large.
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from modelprint.core.errors import DataError, first_line
from modelprint.core.untrusted import open_regular
from modelprint.modalities.image.preparing import UnreadableError
from modelprint.modalities.image.reading import Opener

IMAGE_COLUMNS = ("image", "img", "picture", "photo", "pixels")
FLOOR = 100_000  # rows that any file may have; larger ones have at most one for each of their bytes
LARGEST_GROUP = 2**30  # bytes of the rows that are read together


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What a file says of its rows.

    Attributes:
        labels: names, or numbers.
        class_names: what numbers stand for, where the file says it.
        image: the column that holds pictures; None: `paths` names files.
    """

    labels: list[str] | list[int]
    class_names: list[str] | None
    image: str | None
    paths: list[str] | None


class ColumnFiles:
    """The files of columns that one process reads pictures from; of each, some rows lie in memory."""

    def __init__(self) -> None:
        self._open: dict[Path, _Opened] = {}
        self._lock = threading.Lock()

    def listing(
        self, path: Path, *, name: str, image: str | None, label: str | None, usual: Mapping[str, Sequence[str]]
    ) -> Listing:
        """Labels of all rows, and where their pictures are.

        Args:
            name: the path as the user wrote it, for messages.
            image, label: columns; None: those that are called as such columns mostly are.
            usual: what columns of "path" and "label" are called.

        Raises:
            DataError: it cannot be read, or has no such columns.
        """
        with _explained(name):
            return _listing(self._opened(path), name, image, label, usual)

    def opener(self, path: Path, column: str, row: int, *, name: str) -> Opener:
        """What opens the picture of a row."""
        return lambda: self._picture(path, column, row, name)

    @contextmanager
    def _picture(self, path: Path, column: str, row: int, name: str) -> Iterator[IO[bytes]]:
        with self._lock:
            try:
                value = self._opened(path).value(column, row)
            except DataError:
                raise
            except Exception as error:  # of damaged files, the readers of their formats raise nearly anything
                raise UnreadableError(f"{name} cannot be read from its column ({first_line(error)})") from error
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise UnreadableError(f"{name} holds no picture: its column has no bytes there")
        yield io.BytesIO(data)

    def _opened(self, path: Path) -> _Opened:
        if path not in self._open:
            os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others reserve more than may be had here
            self._open.clear()
            self._open[path] = _ArrowFile(path) if path.suffix.lower() == ".arrow" else _ParquetFile(path)
        return self._open[path]


class _Opened:
    """A file of columns: its schema, whole columns, and single values by row."""

    schema: Any

    def column(self, name: str) -> list[Any]:
        raise NotImplementedError

    def value(self, name: str, row: int) -> Any:
        raise NotImplementedError


class _ParquetFile(_Opened):
    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetFile(open_regular(path))
        self.schema = self._file.schema_arrow
        metadata = self._file.metadata
        _refuse_bombs(path, metadata.num_rows)
        self._ends: list[int] = []
        for group in range(metadata.num_row_groups):
            self._ends.append((self._ends[-1] if self._ends else 0) + metadata.row_group(group).num_rows)
        self._rows: tuple[str, int, Any] | None = None  # of the row group that was read last

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self._file.read(columns=[name], use_threads=False).column(name).to_pylist()
        return values

    def value(self, name: str, row: int) -> Any:
        from bisect import bisect_right

        group = bisect_right(self._ends, row)
        if self._rows is None or self._rows[:2] != (name, group):
            self._rows = None
            if self._file.metadata.row_group(group).total_byte_size > LARGEST_GROUP:
                raise DataError(f"its row group {group} has more than {LARGEST_GROUP:,} bytes: write smaller ones")
            table = self._file.read_row_group(group, columns=[name], use_threads=False)
            self._rows = (name, group, table.column(name))
        return self._rows[2][row - (self._ends[group - 1] if group else 0)].as_py()


class _ArrowFile(_Opened):
    def __init__(self, path: Path) -> None:
        import pyarrow

        open_regular(path).close()  # which refuses what is no file
        source = pyarrow.memory_map(str(path))
        try:
            self._table = pyarrow.ipc.open_stream(source).read_all()
        except pyarrow.ArrowInvalid:
            source.seek(0)
            self._table = pyarrow.ipc.open_file(source).read_all()
        _refuse_bombs(path, self._table.num_rows)
        self._table.validate(full=True)
        self.schema = self._table.schema

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self._table.column(name).to_pylist()
        return values

    def value(self, name: str, row: int) -> Any:
        return self._table.column(name)[row].as_py()


def _listing(
    file: _Opened, name: str, image: str | None, label: str | None, usual: Mapping[str, Sequence[str]]
) -> Listing:
    features = _features(file.schema)
    names = list(file.schema.names)
    classes = [column for column, feature in features.items() if feature.get("_type") == "ClassLabel"]
    pictures = [column for column in names if _holds_pictures(file.schema.field(column))]
    labels = _chosen(names, label, classes if len(classes) == 1 else usual["label"], name, "--label")
    wanted = image if image is not None or len(pictures) != 1 else pictures[0]
    column = _chosen(names, wanted, (*IMAGE_COLUMNS, *usual["path"]), name, "--path")
    holds = column in pictures
    numbers = file.column(labels)
    if any(value is None or not isinstance(value, str | int) for value in numbers):
        raise DataError(f"{name}: {labels} must be class numbers or names, and is something else in some rows")
    given = features.get(labels, {}).get("names")
    paths = None if holds else file.column(column)
    if paths is not None and not all(isinstance(path, str) for path in paths):
        raise DataError(f"{name}: {column} holds neither pictures nor paths: say which column does by --path COLUMN")
    return Listing(
        labels=numbers if all(isinstance(value, str) for value in numbers) else [int(value) for value in numbers],
        class_names=[str(one) for one in given] if isinstance(given, list) else None,
        image=column if holds else None,
        paths=paths,
    )


def _refuse_bombs(path: Path, rows: int) -> None:
    if rows > max(FLOOR, path.stat().st_size):
        raise DataError(f"{path} is refused: it has {path.stat().st_size:,} bytes but claims {rows:,} rows")


def _holds_pictures(field: Any) -> bool:
    from pyarrow import types

    kind = field.type
    if types.is_struct(kind):
        return any(part.name == "bytes" and _is_bytes(part.type) for part in kind)
    return _is_bytes(kind)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """What Hugging Face's library wrote of the columns."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(features, dict):
        return {}
    return {name: feature for name, feature in features.items() if isinstance(feature, dict)}


def _chosen(names: Sequence[str], chosen: str | None, usual: Sequence[str], who: str, option: str) -> str:
    if chosen is not None:
        fitting = [name for name in names if name == chosen]
    else:
        fitting = [name for name in names if name in usual or name.lower() in usual]
    if len(fitting) != 1:
        raise DataError(f"{who}: its columns are {', '.join(names[:10])}: say which by {option} COLUMN")
    return fitting[0]


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except (DataError, MemoryError):
        raise
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror or first_line(error)}") from error
    except Exception as error:  # of damaged files, the readers of their formats raise nearly anything
        raise DataError(f"{name} cannot be read ({first_line(error)}): write it again") from error
