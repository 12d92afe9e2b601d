"""The cells of a CSV file that somebody wrote by hand or by a spreadsheet, split in a confined child.

Commas, semicolons or tabs; UTF-8 or UTF-16; any line ends; Excel's first line `sep=;` and comments before the header.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import SuspectError
from modelprint.core.identity import digest
from modelprint.core.sandbox import Limits, room
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler
from modelprint.core.untrusted import open_regular

HANDLER = "modelprint.suspects.csv_table:handler"
SEPARATORS = (",", ";", "\t")
LARGEST = 10 * 2**20  # bytes, where the reader expects no more
MOST_ROWS = 100_000  # likewise
MEMORY, SECONDS = 2**30, 60.0  # of the child: a cell of Python text takes about 60 bytes
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells, without white space around them.

    Attributes:
        identity: SHA-256 of the file.
        separator: between cells.
        header: the names of the columns; `header_line`: where they stand, from 1.
        rows: as many cells each as the header has; `lines`: where each row begins.
    """

    identity: str
    separator: str
    header: tuple[str, ...]
    header_line: int
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def read_table(path: Path, *, largest: int = LARGEST, most_rows: int = MOST_ROWS) -> Table:
    """The table in a file, taken apart in a child with limits.

    Args:
        largest: bytes that it may have.
        most_rows: rows that it may have.

    Raises:
        SuspectError: missing, too large, in another encoding, or a line that is no row of the table; the message names
            the line.
        SandboxError: taking it apart needs too much memory or time.
    """
    try:
        with open_regular(path) as stream:
            data = stream.read(largest + 1)
    except OSError as error:
        raise SuspectError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > largest:
        raise SuspectError(
            f"{path} has more than {largest / 2**20:.0f} MB: a line for each query with its label, and a score for "
            "each class, takes less; leave other columns out"
        )
    limits = Limits(memory=MEMORY + 16 * len(data), seconds=SECONDS, answer=2**24 + 8 * len(data))
    with room(HANDLER, who=str(path), limits=limits) as child:
        answer, _ = child.call({"who": str(path), "most_rows": most_rows}, {"file": np.frombuffer(data, np.uint8)})
    return Table(
        identity=digest(data),
        separator=str(answer["separator"]),
        header=tuple(answer["header"]),
        header_line=int(answer["header_line"]),
        rows=tuple(tuple(row) for row in answer["rows"]),
        lines=tuple(answer["lines"]),
    )


def handler() -> Handler:
    """Answers with the cells of one file."""

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        return split(arrays["file"].tobytes(), who=str(message["who"]), most_rows=int(message["most_rows"])), {}

    return answer


def split(data: bytes, *, who: str, most_rows: int = MOST_ROWS) -> dict[str, Any]:
    r"""The cells of a table.

    >>> split(b"index;label\r\n0;cat\r\n", who="a.csv")["rows"]
    [['0', 'cat']]

    Raises:
        SuspectError: no table; the message names the line.
    """
    text = _decoded(data, who)
    start, named = _first_lines(text)
    body = "".join(itertools.islice(io.StringIO(text, newline=""), start, None))
    separator = named or _separator(body)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    header: list[str] | None = None
    rows, lines, line = [], [], 0
    try:
        for cells in reader:
            began, line = line + 1 + start, reader.line_num
            plain = [cell.strip() for cell in cells]
            if not any(plain):
                continue
            if header is None:
                header, header_line = plain, began
            elif any(plain[len(header) :]) or len(plain) < len(header):
                raise SuspectError(
                    f"{who}, line {began} has {len(plain)} cells, the header has {len(header)} columns: put a cell "
                    f"that holds the separator {separator!r} in double quotes"
                )
            else:
                rows.append(plain[: len(header)])
                lines.append(began)
                if len(rows) > most_rows:
                    raise SuspectError(f"{who} has more than {most_rows:,} lines: it needs one for each query")
    except csv.Error as error:
        raise SuspectError(f"{who}, line {line + 1 + start} is no row of a CSV file: {error}") from error
    if header is None:
        raise SuspectError(f"{who} is empty: its first line names the columns, such as index,label")
    return {"separator": separator, "header": header, "header_line": header_line, "rows": rows, "lines": lines}


def _decoded(data: bytes, who: str) -> str:
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SuspectError(f"{who}, line {line} is no text in UTF-8 or UTF-16: save it as CSV UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise SuspectError(f"{who}, line {line} holds a zero byte: save it as CSV UTF-8")
    return text


def _first_lines(text: str) -> tuple[int, str | None]:
    """How many lines stand before the header (comments, `sep=;`), and the separator that they name."""
    named, number = None, -1
    for number, line in enumerate(io.StringIO(text, newline="")):
        plain = line.rstrip("\r\n")
        if len(plain) == 5 and plain.lower().startswith("sep=") and plain[4] in SEPARATORS:
            named = plain[4]
        elif plain.strip() and not plain.startswith("#"):
            return number, named
    return number + 1, named


def _separator(body: str) -> str:
    """The separator that takes the header apart into most columns."""
    first = next(iter(io.StringIO(body, newline="")), "")
    return max(SEPARATORS, key=lambda one: _columns(first, one))


def _columns(line: str, separator: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:  # said where the table is taken apart
        return 0
