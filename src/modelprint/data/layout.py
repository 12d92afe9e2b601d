"""Which class, and which published part, each picture of a folder or an archive belongs to: by their names alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import numbers_of

PARTS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}  # what folders of the published parts are called
ORDER = ("train", "val", "test")
PICTURE_SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".webp", ".gif", ".avif", ".tif", ".tiff"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".heic"}
)
_LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx", "icon\r"})  # of file managers, in lower case

Names = tuple[str, ...]  # of the folders above a picture, and its own


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The pictures of a set in their order: by part, by class, by name.

    Attributes:
        order: of the pictures that were given, those that belong to the set.
        labels: int64, one for each of these.
        class_names: in the order of their numbers.
        counts: of the pictures of each published part; all are of "train" where nothing is published.
        notes: what a user should know.
    """

    order: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def is_leftover(name: str) -> bool:
    """Whether a file or folder is hidden, or left by a file manager.

    >>> [is_leftover(name) for name in ("._cat.png", "Thumbs.db", "__MACOSX", "cat.png")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.lower() in _LEFTOVERS


def is_picture(name: str) -> bool:
    """Whether a file says by its suffix that it is a picture.

    >>> is_picture("a.TIF"), is_picture("a.txt")
    (True, False)
    """
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def laid_out(
    pictures: Sequence[Names],
    folders: Sequence[str] = (),
    *,
    who: str,
    classes: Sequence[str] | None = None,
    plural: str | None = None,
) -> Layout:
    """Class and part of each picture.

    Args:
        pictures: below the root of the set.
        folders: that stand at the root, those without pictures, too.
        classes: in the order of their numbers; the class of a picture is then the deepest folder that is one of these.
            None: the topmost folder is the class, and classes are sorted by name.
        plural: what the files are called in messages, where they are no pictures.

    Raises:
        DataError: no class folders, no pictures, folders of no class, or parts of other classes.
    """
    named, files = plural or "pictures", plural or "images"
    parts, notes = _parts(pictures, who=who, listed=classes is not None), list[str]()
    known = None if classes is None else frozenset(classes)
    below = {part: 0 if part is None else 1 for part in set(parts)}
    of_class: list[str | None] = []
    for names, part in zip(pictures, parts, strict=True):
        of_class.append(_class_of(names[below[part] : -1], known))
    outside = [names for names, name in zip(pictures, of_class, strict=True) if name is None]
    if outside and classes is not None:
        shown = "/".join(outside[0])
        raise DataError(
            f"{who}: {shown} lies in no folder of a class, and with it {len(outside) - 1} more: "
            f"the classes are {', '.join(classes[:5])}{' ...' if len(classes) > 5 else ''}; add its class to the list"
        )
    if outside:
        notes.append(f"{len(outside)} {named} lie in no class folder and are left out: {'/'.join(outside[0])} ...")
    inside = [number for number, name in enumerate(of_class) if name is not None]
    class_names = tuple(classes) if classes is not None else _own_classes(of_class, parts, folders, who, files)
    if not inside:
        raise DataError(f"{who}: no {plural or 'images (png, jpg ...)'} in its class folders")
    shown_classes = {of_class[number] for number in inside}
    if classes is None and len(shown_classes) < 2:
        raise DataError(
            f"{who}: expected one folder of {files} per class, found {files} in one folder only, {shown_classes.pop()}"
        )
    labels = numbers_of([str(of_class[number]) for number in inside], class_names, who=who)
    rank = {part: place for place, part in enumerate(ORDER)}
    keys = [
        (rank[parts[number] or "train"], label, pictures[number]) for number, label in zip(inside, labels, strict=True)
    ]
    sorted_ = sorted(range(len(keys)), key=keys.__getitem__)
    counts = {part: sum((parts[number] or "train") == part for number in inside) for part in ORDER}
    empty = [name for number, name in enumerate(class_names) if not (labels == number).any()]
    if empty:
        shown = f"{', '.join(empty[:5])}{' ...' if len(empty) > 5 else ''}"
        notes.append(f"there are no {named} of {shown}: such classes keep their numbers")
    if classes is None and any(len(pictures[number]) > below[parts[number]] + 2 for number in inside):
        notes.append(f"{named} in folders within class folders are of the class of the topmost (--classes says others)")
    return Layout(
        order=np.array([inside[place] for place in sorted_], dtype=np.int64),
        labels=labels[sorted_],
        class_names=class_names,
        counts=counts,
        notes=tuple(notes),
    )


def _parts(pictures: Sequence[Names], *, who: str, listed: bool) -> list[str | None]:
    """The published part of each picture; None for all where the folders at the root are classes.

    Args:
        listed: whether a list says which folders are classes.

    Raises:
        DataError: folders at the root of which some hold class folders as parts do, and others are no parts.
    """
    nothing: list[str | None] = [None] * len(pictures)
    tops = {names[0] for names in pictures if len(names) > 1}
    classes_within = dict.fromkeys(tops, True)
    for names in pictures:
        if len(names) == 2:
            classes_within[names[0]] = False
    published = sorted(top for top in tops if top.lower() in PARTS and classes_within[top])
    if not published:
        return nothing
    others = sorted(top for top in tops if top.lower() not in PARTS)
    training = any(PARTS[top.lower()] == "train" for top in published)
    if training and others and not listed:
        raise DataError(
            f"{who}: {', '.join(published)} are parts of a set by their names, {', '.join(others[:5])} are none: move "
            "one or the other away, or name the classes with --classes FILE"
        )
    if not training and not others and not listed:
        raise DataError(
            f"{who}: {', '.join(published)} hold class folders, but there is no folder train: name one of them, "
            f"{who}/{published[0]}"
        )
    if others or not training:
        return nothing
    return [PARTS.get(names[0].lower()) if len(names) > 1 else None for names in pictures]


def _class_of(folders: Names, classes: frozenset[str] | None) -> str | None:
    """The class of a picture in these folders; None where there is none."""
    if classes is None:
        return folders[0] if folders else None
    for depth in range(len(folders), 0, -1):
        for name in (folders[depth - 1], "/".join(folders[:depth])):
            if name in classes:
                return name
    return None


def _own_classes(
    of_class: Sequence[str | None],
    parts: Sequence[str | None],
    folders: Sequence[str],
    who: str,
    files: str,
) -> tuple[str, ...]:
    """The classes by their folders, sorted; those of the training part where parts are published."""
    if all(part is None for part in parts):
        names = tuple(sorted({*folders, *(name for name in of_class if name is not None)}))
        if len(names) < 2:
            raise DataError(f"{who}: expected one folder of {files} per class, found {len(names)} folders")
        return names
    by_part: dict[str, set[str]] = {part: set() for part in ORDER}
    for name, part in zip(of_class, parts, strict=True):
        if name is not None and part is not None:
            by_part[part].add(name)
    strange = sorted((by_part["val"] | by_part["test"]) - by_part["train"])
    if strange:
        raise DataError(
            f"{who}: {', '.join(strange[:5])} of the validation or test part is no class of the training part: "
            "name all classes with --classes FILE"
        )
    if len(by_part["train"]) < 2:
        raise DataError(f"{who}: expected one folder of {files} per class, found {len(by_part['train'])} folders")
    return tuple(sorted(by_part["train"]))
