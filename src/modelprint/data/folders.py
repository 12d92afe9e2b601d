"""Folders of images, one folder per class: read at once, or decoded by threads into an array on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_json
from modelprint.data.on_disk import block_rows, is_large, kept
from modelprint.modalities.image.reading import IMAGE_SUFFIXES, read_picture, small_enough
from modelprint.modalities.image.storage import STORED

_MOST_READERS = 8


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """The files of a folder, before any is decoded but the first.

    Attributes:
        files: sorted by class, then by name.
        labels: int64 (n,).
        shape: of an image, (channels, height, width), by the first.
    """

    root: Path
    files: tuple[Path, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def large(self) -> bool:
        """Whether all images together are too large for memory."""
        return is_large((len(self), *self.shape), STORED)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Some images, uint8 (k, c, h, w), in the order of the index; mapped from disk where they are large.

        Raises:
            DataError: a file that is no image, or of another size than the first.
        """
        chosen = [self.files[number] for number in index]
        shape = (len(chosen), *self.shape)
        if not is_large(shape, STORED):
            images = np.empty(shape, STORED)
            self._decode(chosen, images)
            return images
        return kept(_key(chosen), shape, STORED, lambda target: self._decode(chosen, target))

    def _decode(self, files: Sequence[Path], target: np.ndarray) -> None:
        """Read files into the rows of an array."""
        with small_enough(), ThreadPoolExecutor(max_workers=min(_MOST_READERS, os.cpu_count() or 1)) as readers:
            together = block_rows(self.shape, target.dtype)
            for start in range(0, len(files), together):
                for place, picture in enumerate(readers.map(read_picture, files[start : start + together]), start):
                    _check_shape(picture, files[place], self.shape, self.files[0])
                    target[place] = picture


def list_image_folder(root: Path) -> ImageFolder:
    """The images of a folder with one folder per class, sorted by name.

    Raises:
        DataError: no class folders, or no images.
    """
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if len(folders) < 2:
        raise DataError(f"{root}: expected one folder of images per class, found {len(folders)} folders")
    files = [
        (path, label)
        for label, folder in enumerate(folders)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise DataError(f"{root}: no images (png, jpg ...) in its class folders")
    with small_enough():
        shape = read_picture(files[0][0]).shape
    return ImageFolder(
        root=root,
        files=tuple(path for path, _ in files),
        labels=np.array([label for _, label in files], dtype=np.int64),
        class_names=tuple(folder.name for folder in folders),
        shape=shape,
    )


def read_image_folder(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and class names of a folder with one folder per class, sorted by name.

    Raises:
        DataError: no class folders, no images, or images of different sizes.
    """
    folder = list_image_folder(root)
    return folder.read(np.arange(len(folder))), folder.labels, folder.class_names


def _check_shape(picture: np.ndarray, path: Path, shape: tuple[int, ...], first: Path) -> None:
    if picture.shape != shape:
        raise DataError(
            f"{path} is {_as_picture(picture.shape)} but {first} is {_as_picture(shape)}: "
            "bring all images to one size and mode"
        )


def _as_picture(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(h, w), or (h, w, c) of colour."""
    return shape[1:] if shape[0] == 1 else (*shape[1:], shape[0])


def _key(files: Sequence[Path]) -> str:
    """A name for what files hold, by their places, sizes and times."""
    states = [(str(file.resolve()), (state := file.stat()).st_size, state.st_mtime_ns) for file in files]
    return digest_json(states).removeprefix("sha256:")[:32]
