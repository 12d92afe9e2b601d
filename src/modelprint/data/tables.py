"""Lists of pictures in a CSV file: a column of paths, a column of labels, perhaps one of the published parts."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.layout import ORDER, PARTS
from modelprint.data.pictures import PictureSet, picture_set
from modelprint.data.references import AS_IT_IS, Reading
from modelprint.data.text_files import text_of
from modelprint.modalities.image.confined import PictureFile

PATH_COLUMNS = (
    *("path", "file", "filename", "file_name", "filepath", "file_path"),
    *("image", "image_path", "img", "img_path"),
)
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "classname", "category", "target", "y")
PART_COLUMNS = ("split", "subset", "partition")
_SEPARATORS = ",;\t|"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a list of pictures.

    Attributes:
        paths, labels, parts: as they stand in the file; no parts where no column says them.
        lines: in which each row stands, for messages.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    parts: tuple[str, ...] | None
    lines: tuple[int, ...]


def list_table(path: Path, reading: Reading = AS_IT_IS) -> PictureSet:
    """The pictures that a CSV file lists; their paths start at its folder, and stay below it.

    Pictures are sorted by part, class and path, as those of a folder are.

    Raises:
        DataError: no such columns, paths that lead elsewhere, a picture that is listed with two labels, labels that no
            class has; and as of a folder.
        SandboxError: as of a folder.
    """
    rows = read_rows(path, path_column=reading.path, label_column=reading.label)
    root = path.parent
    files = [below(root, name, f"{path}, line {line}") for name, line in zip(rows.paths, rows.lines, strict=True)]
    classes = None if reading.classes is None else read_class_list(reading.classes)
    labels, class_names = _classes(rows.labels, classes, who=str(path))
    numbered_only = class_names == numbered(len(class_names))
    numbering: Numbering = "list" if classes is not None else "numbers" if numbered_only else "names"
    parts = ["train"] * len(files) if rows.parts is None else [_part(part, path) for part in rows.parts]
    once: dict[str, int] = {}
    for number, name in enumerate(files):
        other = once.setdefault(name, number)
        if labels[other] != labels[number] or parts[other] != parts[number]:
            raise DataError(
                f"{path}: lines {rows.lines[other]} and {rows.lines[number]} say different things of {name}: keep one"
            )
    rank = {part: place for place, part in enumerate(ORDER)}
    order = sorted(once.values(), key=lambda number: (rank[parts[number]], labels[number], Path(files[number]).parts))
    return picture_set(
        path,
        [PictureFile(place=root / files[number]) for number in order],
        labels[order],
        class_names,
        how=reading.preparation,
        numbering=numbering,
        counts={part: sum(parts[number] == part for number in order) for part in ORDER},
        skip_bad=reading.skip_bad,
    )


def read_rows(path: Path, *, path_column: str | None = None, label_column: str | None = None) -> Rows:
    """The rows of a CSV file, with commas, semicolons, tabs or bars between the columns that its first line names.

    Args:
        path_column, label_column: None: a column that is called as such columns mostly are.

    Raises:
        DataError: it cannot be read, or has no such columns, or no rows.
    """
    text = text_of(path)
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(lines, [])]
        if len(header) < 2:
            raise DataError(f"{path} is no list of pictures: its first line names no columns, such as path,label")
        paths = _column(header, path_column, PATH_COLUMNS, who=str(path), option="--path")
        labels = _column(header, label_column, LABEL_COLUMNS, who=str(path), option="--label")
        parts = next((number for number, name in enumerate(header) if name.lower() in PART_COLUMNS), None)
        parts = None if parts in (paths, labels) else parts
        needed = max(paths, labels, -1 if parts is None else parts)
        kept: list[tuple[list[str], int]] = []
        for row in lines:
            if not any(row):
                continue
            if len(row) <= needed or not row[paths].strip() or not row[labels].strip():
                raise DataError(f"{path}, line {lines.line_num}: a path or a label is missing: complete or remove it")
            kept.append((row, lines.line_num))
    except csv.Error as error:
        raise DataError(f"{path}, line {lines.line_num}: it is no CSV ({error})") from error
    if not kept:
        raise DataError(f"{path} lists no pictures")
    return Rows(
        paths=tuple(row[paths].strip() for row, _ in kept),
        labels=tuple(row[labels].strip() for row, _ in kept),
        parts=None if parts is None else tuple(row[parts].strip() for row, _ in kept),
        lines=tuple(line for _, line in kept),
    )


def _column(header: Sequence[str], chosen: str | None, usual: Sequence[str], *, who: str, option: str) -> int:
    """Which column holds something: the chosen one, or the only one that is called as such columns mostly are."""
    named = [number for number, name in enumerate(header) if name == chosen or (not chosen and name.lower() in usual)]
    if len(named) == 1:
        return named[0]
    shown = ", ".join(header[:10]) or "none"
    if chosen is not None:
        raise DataError(f"{who} has {'several columns' if named else 'no column'} {chosen!r}: its columns are {shown}")
    wanted = "several columns could be meant" if named else f"no column is called {', '.join(usual[:3])} ..."
    raise DataError(f"{who}: {wanted} (its columns are {shown}): say which by {option} COLUMN")


def below(root: Path, name: str, who: str) -> str:
    """A path as it is from the root on.

    Raises:
        DataError: it leads elsewhere.
    """
    plain = name.replace("\\", "/") if os.sep == "/" and "/" not in name else name
    joined = os.path.normpath(os.path.join(os.path.abspath(root), plain))  # noqa: PTH100, PTH118 - links stay as they are
    below = os.path.relpath(joined, os.path.abspath(root))  # noqa: PTH100
    if "\0" in name or below.startswith("..") or below == ".":
        raise DataError(f"{who}: {name!a} lies outside the folder of the list: move the list to a folder above")
    return below


def _classes(labels: Sequence[str], classes: tuple[str, ...] | None, *, who: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers, and what the classes are called; labels may be names or numbers."""
    if classes is not None and all(label in set(classes) for label in labels):
        return numbers_of(labels, classes, who=who), classes
    if all(label.isascii() and label.isdigit() and len(label) < 6 for label in labels):
        numbers = np.array([int(label) for label in labels], dtype=np.int64)
        names = numbered(int(numbers.max()) + 1, who=who) if classes is None else classes
        check_numbers(numbers, names, who=who)
        return numbers, names
    names = tuple(sorted(set(labels))) if classes is None else classes
    return numbers_of(labels, names, who=who), names


def _part(text: str, path: Path) -> str:
    part = PARTS.get(text.lower())
    if part is None:
        raise DataError(f"{path}: {text!r} is no part of a set, use {', '.join(sorted(PARTS))}")
    return part
