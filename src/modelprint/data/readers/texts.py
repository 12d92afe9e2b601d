"""Labelled texts: JSON lines, tables with a column of texts, and folders of .txt files, one folder per class."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import MOST_CLASSES, check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.layout import ORDER, PARTS, is_leftover, laid_out
from modelprint.data.named import RawSet
from modelprint.data.notes import note
from modelprint.data.readers.base import READERS, SetReader
from modelprint.data.readers.json_lines import json_lines
from modelprint.data.references import Reading
from modelprint.data.tables import LABEL_COLUMNS, PART_COLUMNS, PATH_COLUMNS
from modelprint.data.text_files import beginning_of, text_of
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.characters import control, without_unseen
from modelprint.modalities.text.storage import stored_texts

TEXT_COLUMNS = ("text", "sentence", "content", "message", "review", "document", "utterance")
LINES, TABLES = (".jsonl", ".ndjson"), (".csv", ".tsv")
USUAL, SHORTEST = 4096, 32  # bytes: of a text where no length is said, at most; of the arrays, at least
_SEPARATORS = ",;\t|"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One text as it stands in a file.

    Attributes:
        place: where, for messages: "line 3", or a file's name.
        part: of the published ones; None where nothing says so.
    """

    text: str
    label: str | int
    place: str
    part: str | None = None


def read_lines(path: Path, reading: Reading) -> RawSet:
    """A set of JSON lines, each an object with a text and a label.

    Raises:
        DataError: a line that is none; the message names it. And as `text_set`.
    """
    rows: list[Row] = []
    for line in json_lines(path, expected='{"text": ..., "label": ...}'):
        fields, who = line.fields, line.who
        rows.append(
            Row(
                text=_field(fields, reading.text_column, TEXT_COLUMNS, who=who, option="--text"),
                label=_label(_field(fields, reading.label, LABEL_COLUMNS, who=who, option="--label"), who=who),
                place=line.place,
                part=next((str(fields[name]) for name in PART_COLUMNS if name in fields), None),
            )
        )
    return text_set(path, rows, reading)


def read_table(path: Path, reading: Reading) -> RawSet:
    """A set of a CSV file with a column of texts and one of labels.

    Raises:
        DataError: no such columns, or a row without a text or a label. And as `text_set`.
    """
    text = text_of(path)
    separator = max(_SEPARATORS, key=text.split("\n", 1)[0].count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(lines, [])]
        texts = _column(header, reading.text_column, TEXT_COLUMNS, who=str(path), option="--text")
        labels = _column(header, reading.label, LABEL_COLUMNS, who=str(path), option="--label")
        parts = next((number for number, name in enumerate(header) if name.lower() in PART_COLUMNS), None)
        for row in lines:
            if not any(row):
                continue
            place = f"line {lines.line_num}"
            if len(row) != len(header):
                raise DataError(
                    f"{path}, {place}: {len(row)} columns where the first line names {len(header)}: quote texts that "
                    f"hold {separator!r}"
                )
            part = None if parts is None else row[parts]
            rows.append(Row(text=row[texts], label=_number_or_name(row[labels]), place=place, part=part))
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: it is no CSV ({error})") from error
    return text_set(path, rows, reading)


def read_folder(root: Path, reading: Reading) -> RawSet:
    """The texts of a folder with one folder of .txt files per class, perhaps below `train`, `val` and `test`.

    Raises:
        DataError: as `text_set`; and no class folders.
    """
    files = [path for path in _files(root) if path.suffix.lower() == ".txt"]
    classes = None if reading.classes is None else read_class_list(reading.classes)
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not is_leftover(entry.name))
    layout = laid_out(
        [path.relative_to(root).parts for path in files], folders, who=str(root), classes=classes, plural="texts"
    )
    for line in layout.notes:
        note(f"{root}: {line}")
    parts = [part for part in ORDER for _ in range(layout.counts.get(part, 0))]
    rows = [
        Row(
            text=text_of(files[number]).strip("\r\n"),
            label=layout.class_names[label],
            place=str(files[number].relative_to(root)),
            part=part,
        )
        for number, label, part in zip(layout.order, layout.labels, parts, strict=True)
    ]
    return text_set(root, rows, reading, names=layout.class_names)


def text_set(path: Path, rows: Sequence[Row], reading: Reading, *, names: tuple[str, ...] | None = None) -> RawSet:
    """A set of texts; one that stands there twice is kept once, and what nobody sees is left out, both with a note.

    Args:
        names: of the classes, where the set itself says all of them.

    Raises:
        DataError: no texts, an empty one, one with control characters, one longer than 4096 bytes where no length is
            said, fewer than two classes, or labels that no class has.
    """
    if not rows:
        raise DataError(f"{path} holds no texts")
    texts = [_checked(row.text, f"{path}, {row.place}") for row in rows]
    hidden = sum(text != row.text for text, row in zip(texts, rows, strict=True))
    if hidden:
        note(f"{path}: {_counted(hidden)} held zero-width characters, which are left out")
    length = _length(texts, rows, reading, path)
    cut = [_cut(text, length) for text in texts]
    if shortened := sum(one != text for one, text in zip(cut, texts, strict=True)):
        note(f"{path}: {_counted(shortened)} had more than {length} bytes, and were cut")
    first: dict[str, int] = {}
    for number, text in enumerate(cut):
        other = first.setdefault(text, number)
        if rows[other].label != rows[number].label and texts[other] == texts[number]:
            raise DataError(
                f"{path}: {rows[other].place} and {rows[number].place} give one text two labels, "
                f"{rows[other].label!r} and {rows[number].label!r}: keep one"
            )
    if len(first) < len(rows):
        note(f"{path}: {_counted(len(rows) - len(first))} stood there before, and are left out")
    parts = ["train" if row.part is None else _part(row.part, f"{path}, {row.place}") for row in rows]
    order = sorted(first.values(), key=lambda number: ORDER.index(parts[number]))
    labels, class_names, numbering = _classes([row.label for row in rows], names, reading, who=str(path))
    kept, labels = [rows[number] for number in order], labels[order]
    _note_single(kept, path)
    counts = Counter(parts[number] for number in order)
    stored, trained = stored_texts([cut[number] for number in order], length), counts["train"]
    return RawSet(
        train_images=stored[:trained],
        train_labels=labels[:trained],
        test_images=stored[trained:],
        test_labels=labels[trained:],
        class_names=class_names,
        numbering=numbering,
        validated=counts["val"],
        modality=TEXT,
    )


def _checked(text: Any, who: str) -> str:
    if not isinstance(text, str):
        raise DataError(f"{who}: expected a text, got {type(text).__name__} {str(text)[:40]!a}")
    if (code := control(text)) is not None:
        raise DataError(f"{who}: the text holds the control character {code}: remove it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{who}: the text holds half a character ({error.reason}): save it as UTF-8 again") from error
    seen = without_unseen(text)
    if not seen.strip():
        raise DataError(f"{who}: the text is empty: complete or remove it")
    return seen


def _length(texts: Sequence[str], rows: Sequence[Row], reading: Reading, path: Path) -> int:
    """Bytes of the arrays: those that were said, or the least power of two that holds every text."""
    if reading.length is not None:
        return reading.length
    sizes = [len(text.encode()) for text in texts]
    longest = int(np.argmax(sizes))
    if sizes[longest] > USUAL:
        raise DataError(
            f"{path}, {rows[longest].place}: the text has {sizes[longest]:,} bytes, more than {USUAL:,}: split it, or "
            "say --length N, at which texts are cut"
        )
    return int(max(SHORTEST, 2 ** int(np.ceil(np.log2(sizes[longest])))))


def _cut(text: str, length: int) -> str:
    """The longest beginning of a text that has at most so many bytes."""
    data = text.encode()
    return text if len(data) <= length else data[:length].decode("utf-8", errors="ignore")


def _classes(
    labels: Sequence[str | int], names: tuple[str, ...] | None, reading: Reading, *, who: str
) -> tuple[np.ndarray, tuple[str, ...], Numbering]:
    listed = None if reading.classes is None else read_class_list(reading.classes)
    numbers = [label for label in labels if isinstance(label, int)]
    if numbers and len(numbers) < len(labels):
        labels, numbers = [str(label) for label in labels], []
    if numbers:
        known = np.array(numbers, dtype=np.int64)
        class_names = listed or numbered(max(2, int(known.max()) + 1), who=who)
        check_numbers(known, class_names, who=who)
        return known, class_names, "numbers" if listed is None else "list"
    written = [str(label) for label in labels]
    class_names = listed or names or tuple(sorted(set(written)))
    if len(class_names) < 2:
        raise DataError(f"{who}: all texts are of class {class_names[0]!r}: expected two classes or more")
    return numbers_of(written, class_names, who=who), class_names, "names" if listed is None else "list"


def _note_single(rows: Sequence[Row], path: Path) -> None:
    single = [label for label, times in Counter(row.label for row in rows).items() if times == 1]
    if single:
        shown = ", ".join(repr(label) for label in single[:5]) + (" ..." if len(single) > 5 else "")
        note(f"{path}: of {shown} there is a single text: it is in one part of the set only; give more of it")


def _field(fields: dict[str, Any], chosen: str | None, usual: Sequence[str], *, who: str, option: str) -> Any:
    names = [chosen] if chosen is not None else list(usual)
    value = next((fields[name] for name in names if name in fields), None)
    if value is None:
        keys = ", ".join(map(str, list(fields)[:10])) or "none"
        raise DataError(f"{who}: no field {names[0]!r} (its fields are {keys}): say which by {option} FIELD")
    return value


def _label(value: Any, *, who: str) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise DataError(f"{who}: expected a name or a number as label, got {str(value)[:40]!a}")
    if isinstance(value, int) and not 0 <= value <= MOST_CLASSES:
        raise DataError(f"{who}: the label {str(value)[:20]} is no number of a class, 0 to {MOST_CLASSES - 1}")
    return _number_or_name(value) if isinstance(value, str) else value


def _number_or_name(label: str) -> str | int:
    label = label.strip()
    return int(label) if label.isascii() and label.isdigit() and len(label) < 6 else label


def _column(header: Sequence[str], chosen: str | None, usual: Sequence[str], *, who: str, option: str) -> int:
    named = [number for number, name in enumerate(header) if name == chosen or (not chosen and name.lower() in usual)]
    if len(named) == 1:
        return named[0]
    shown = ", ".join(header[:10]) or "none"
    problem = "several columns could be meant" if named else f"no column is called {chosen or ', '.join(usual[:3])}"
    raise DataError(f"{who}: {problem} (its columns are {shown}): say which by {option} COLUMN")


def _part(text: str, who: str) -> str:
    part = PARTS.get(text.strip().lower())
    if part is None:
        raise DataError(f"{who}: {text!r} is no part of a set, use {', '.join(sorted(PARTS))}")
    return part


def _counted(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"


def _files(root: Path) -> Iterator[Path]:
    for folder, within, names in os.walk(root):
        within[:] = sorted(name for name in within if not is_leftover(name))
        yield from (Path(folder, name) for name in sorted(names) if not is_leftover(name))


def _has_lines(path: Path, reading: Reading) -> bool:
    if path.suffix.lower() not in LINES or not path.is_file():
        return False
    return reading.modality is not None or reading.text_column is not None or _names_texts(path, by='"')


def _has_table(path: Path, reading: Reading) -> bool:
    if path.suffix.lower() not in TABLES or not path.is_file():
        return False
    return reading.modality is not None or reading.text_column is not None or _names_texts(path, by=_SEPARATORS)


def _names_texts(path: Path, *, by: str) -> bool:
    """Whether the first line names a column of texts, and none of paths."""
    try:
        line = beginning_of(path).split("\n", 1)[0].lower()
    except DataError:
        return False
    for one in by[1:]:
        line = line.replace(one, by[0])
    words = {word.strip(' "\r\n\ufffd') for word in line.split(by[0])}
    return bool(words & set(TEXT_COLUMNS)) and not words & set(PATH_COLUMNS)


def _has_text_files(path: Path, reading: Reading) -> bool:
    """Whether the first files of a folder's folders are texts."""
    if not path.is_dir():
        return False
    for number, file in enumerate(_files(path)):
        if file.parent != path:
            return file.suffix.lower() == ".txt"
        if number > 1000:
            break
    return False


READERS.register("text-lines")(
    SetReader(
        modality="text",
        forms='.jsonl with "text" and "label"',
        takes=_has_lines,
        read=read_lines,
        options=("--text", "--length"),
    )
)
READERS.register("text-table")(
    SetReader(
        modality="text",
        forms=".csv with columns text and label",
        takes=_has_table,
        read=read_table,
        options=("--text", "--length"),
    )
)
READERS.register("text-folder")(
    SetReader(
        modality="text",
        forms="a folder of class folders of .txt",
        takes=_has_text_files,
        read=read_folder,
        options=("--length",),
    )
)
