"""Parquet and Arrow files of pictures, alone or in a folder as Hugging Face's data sets are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.layout import ORDER, PARTS, is_leftover, is_picture
from modelprint.data.notes import note
from modelprint.data.pictures import PictureSet, picture_set
from modelprint.data.references import AS_IT_IS, Reading
from modelprint.data.tables import LABEL_COLUMNS, PATH_COLUMNS, below
from modelprint.modalities.image.confined import PictureFile, PictureReader

SUFFIXES = (".parquet", ".arrow")
_OWN = re.compile(r"(cache|indices)-.*")  # what Hugging Face's library keeps for itself


def column_files(root: Path) -> list[Path]:
    """The files of columns in a folder and in folders of it; none where these hold pictures."""
    if _has_pictures(root):
        return []
    return sorted(
        path
        for pattern in ("*", "*/*")
        for path in root.glob(pattern)
        if path.suffix.lower() in SUFFIXES and not _OWN.match(path.name) and not is_leftover(path.name)
    )


def list_columns(path: Path, reading: Reading = AS_IT_IS) -> PictureSet:
    """The pictures of Parquet or Arrow files, which hold them or list their paths; in the order of the rows.

    Raises:
        DataError: no pyarrow, no such columns, labels that no class has; and as of a list of pictures.
        SandboxError: they take too much memory or time.
    """
    if find_spec("pyarrow") is None:
        raise DataError(
            f"{path}: reading Parquet and Arrow files needs pyarrow: pip install 'modelprint[parquet]', or save the "
            "pictures in class folders, or list their files in a .csv"
        )
    places = column_files(path) if path.is_dir() else [path]
    parts = {place: _part(place, path) for place in places}
    if any(part is not None for part in parts.values()):
        others = [place.name for place, part in parts.items() if part is None]
        if others:
            note(f"{path}: {', '.join(others)} belong to no part and are left out")
        places = [place for part in ORDER for place in places if parts[place] == part]
    files: list[PictureFile] = []
    labels: list[str | int] = []
    counts = dict.fromkeys(ORDER, 0)
    named: list[list[str] | None] = []
    for place in places:
        listed = _listing(place, reading)
        kept = _labelled(listed)
        if len(kept) < len(listed["labels"]):
            note(f"{place}: {len(listed['labels']) - len(kept)} rows without a label (-1) are left out")
        rows = _files(place, listed)
        files += [rows[row] for row in kept]
        labels += [listed["labels"][row] for row in kept]
        named.append(listed["class_names"])
        counts[parts[place] or "train"] += len(kept)
    if not files:
        raise DataError(f"{path} lists no pictures")
    if any(names != named[0] for names in named):
        raise DataError(f"{path}: its files name other classes: {places[0].name} and another")
    classes = None if reading.classes is None else read_class_list(reading.classes)
    numbers, class_names, numbering = _classes(labels, named[0], classes, who=str(path))
    return picture_set(
        path,
        files,
        numbers,
        class_names,
        how=reading.preparation,
        counts=counts,
        numbering=numbering,
        skip_bad=reading.skip_bad,
    )


def _listing(place: Path, reading: Reading) -> Mapping[str, Any]:
    with PictureReader(str(place)) as reader:
        return reader.columns(
            place, image=reading.path, label=reading.label, usual={"path": PATH_COLUMNS, "label": LABEL_COLUMNS}
        )


def _labelled(listed: Mapping[str, Any]) -> list[int]:
    """The rows with a label: where classes are named, -1 stands for none, as in test parts of published sets."""
    labels = listed["labels"]
    return [row for row in range(len(labels)) if listed["class_names"] is None or labels[row] != -1]


def _files(place: Path, listed: Mapping[str, Any]) -> list[PictureFile]:
    if listed["image"] is not None:
        return [PictureFile(place=place, column=listed["image"], row=row) for row in range(len(listed["labels"]))]
    return [
        PictureFile(place=place.parent / below(place.parent, name, f"{place}, row {row}"))
        for row, name in enumerate(listed["paths"])
    ]


def _classes(
    labels: Sequence[str | int], own: Sequence[str] | None, classes: tuple[str, ...] | None, *, who: str
) -> tuple[np.ndarray, tuple[str, ...], Numbering]:
    """Class numbers, what the classes are called, and what the numbers rest on."""
    names = [label for label in labels if isinstance(label, str)]
    if names and len(names) < len(labels):
        raise DataError(f"{who}: labels are names in some rows and numbers in others: save all alike")
    if names:
        chosen = classes or tuple(sorted(set(names)))
        return numbers_of(names, chosen, who=who), chosen, "names" if classes is None else "list"
    numbers = np.array(labels, dtype=np.int64)
    given = None if own is None else tuple(own)
    counted = given or classes or numbered(int(numbers.max(initial=0)) + 1, who=who)
    check_numbers(numbers, counted, who=who)
    if given is not None and classes is not None and given != classes:
        return numbers_of(given, classes, who=f"{who}: its class names")[numbers], classes, "list"
    return numbers, counted, "list" if classes is not None else "numbers" if given is None else "names"


def _part(place: Path, root: Path) -> str | None:
    """The published part that a file belongs to, by its name or its folder's."""
    words = [word.lower() for word in re.split(r"[-_.]", place.name)]
    part = next((PARTS[word] for word in words if word in PARTS), None)
    return part or (PARTS.get(place.parent.name.lower()) if place.parent != root else None)


def _has_pictures(root: Path) -> bool:
    """Whether a folder has a folder with pictures."""
    folders = (top for top in root.iterdir() if top.is_dir() and not is_leftover(top.name))
    return any(is_picture(entry.name) for top in folders for entry in top.iterdir())
