"""Folders and zip archives of images, one folder per class: listed here, decoded by `pictures`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.class_lists import read_class_list
from modelprint.data.layout import Names, is_leftover, is_picture, laid_out
from modelprint.data.notes import note
from modelprint.data.pictures import PictureSet, picture_set
from modelprint.data.references import AS_IT_IS, Reading
from modelprint.modalities.image.confined import PictureFile, PictureReader

MOST_OTHERS, _SAMPLE = 20_000, 64  # files without a picture, after which some are looked at; how many of them
_MOST_TOGETHER = 1024  # files that are looked at in one message


def list_image_folder(root: Path, reading: Reading = AS_IT_IS) -> PictureSet:
    """The images of a folder with one folder per class, perhaps below `train`, `val` and `test`.

    Files are pictures by their suffix, or else by their content.

    Raises:
        DataError: no class folders, no images, or pictures that unpack to far more than they weigh.
        SandboxError: the first takes too much memory or time.
    """
    listed: list[tuple[Names, PictureFile]] = []
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not is_leftover(entry.name))
    seen = False
    for path in _files(root):
        listed.append((path.relative_to(root).parts, PictureFile(place=path)))
        seen = seen or is_picture(path.name)
        if len(listed) == MOST_OTHERS and not seen:
            _refuse_others(root, [file for _, file in listed])
    return _listed(root, listed, reading, folders=folders)


def list_zip(path: Path, reading: Reading = AS_IT_IS) -> PictureSet:
    """The images of a zip archive of such a folder, which may itself stand in one folder more.

    Raises:
        DataError: no zip archive, or a bomb; and as of a folder.
        SandboxError: as of a folder.
    """
    with PictureReader(str(path)) as reader:
        listed = [(tuple(part for part in member.split("/") if part), member) for member in reader.names(path)]
    members = [
        (names, PictureFile(place=path, member=member))
        for names, member in listed
        if not any(is_leftover(name) for name in names)
    ]
    while members and len({names[0] for names, _ in members}) == 1 and all(len(names) > 2 for names, _ in members):
        members = [(names[1:], file) for names, file in members]
    return _listed(path, members, reading)


def _refuse_others(root: Path, files: Sequence[PictureFile]) -> None:
    """Refuse a folder of very many files of which neither names nor contents are those of pictures, such as `/`.

    Raises:
        DataError: it is one.
    """
    some = files[:: len(files) // _SAMPLE]
    with PictureReader(str(root)) as reader:
        if not any(reader.recognised(some)):
            raise DataError(
                f"{root}: no images (png, jpg ...) among its first {len(files):,} files: name the folder of class "
                "folders"
            )


def read_image_folder(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and class names of a folder with one folder per class, sorted by name.

    Raises:
        DataError: no class folders, no images, or images of different sizes.
    """
    folder = list_image_folder(root)
    return folder.read(np.arange(len(folder))), folder.labels, folder.class_names


def _files(root: Path) -> Iterator[Path]:
    """The files below a folder, but what file managers left; a folder that is called like a picture counts as one.

    Folders at the root may be symbolic links, of which one level of folders is looked into; others are not followed.
    """
    for top in sorted(root.iterdir()):
        if is_leftover(top.name):
            continue
        if not top.is_dir():
            yield top
            continue
        for folder, within, files in os.walk(top):
            pictures = [name for name in within if is_picture(name)]
            linked_enough = top.is_symlink() and Path(folder) != top
            within[:] = sorted(
                name for name in within if not linked_enough and name not in pictures and not is_leftover(name)
            )
            yield from (Path(folder, name) for name in sorted([*files, *pictures]) if not is_leftover(name))


def _listed(
    root: Path, files: Sequence[tuple[Names, PictureFile]], reading: Reading, folders: Sequence[str] = ()
) -> PictureSet:
    pictures = _pictures(root, files)
    classes = None if reading.classes is None else read_class_list(reading.classes)
    layout = laid_out([names for names, _ in pictures], folders, who=str(root), classes=classes)
    for text in layout.notes:
        note(f"{root}: {text}")
    return picture_set(
        root,
        [pictures[number][1] for number in layout.order],
        layout.labels,
        layout.class_names,
        how=reading.preparation,
        counts=layout.counts,
        numbering="names" if classes is None else "list",
        skip_bad=reading.skip_bad,
    )


def _pictures(root: Path, files: Sequence[tuple[Names, PictureFile]]) -> list[tuple[Names, PictureFile]]:
    """Those that are pictures: by their suffix, or, of class folders' other files, by their content."""
    unknown = [number for number, (names, _) in enumerate(files) if len(names) > 1 and not is_picture(names[-1])]
    recognised: set[int] = set()
    if unknown:
        with PictureReader(str(root)) as reader:
            for start in range(0, len(unknown), _MOST_TOGETHER):
                some = unknown[start : start + _MOST_TOGETHER]
                kinds = reader.recognised([files[number][1] for number in some])
                recognised.update(number for number, kind in zip(some, kinds, strict=True) if kind)
    left = ["/".join(files[number][0]) for number in unknown if number not in recognised]
    if left:
        shown = f"{', '.join(left[:3])}{' ...' if len(left) > 3 else ''}"
        note(f"{root}: {len(left)} files are no pictures and are left out: {shown}")
    return [entry for number, entry in enumerate(files) if is_picture(entry[0][-1]) or number in recognised]
