"""Folders of images, one folder per class: decoded in a confined child, into memory or into an array on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_json
from modelprint.data.on_disk import block_rows, is_large, kept
from modelprint.modalities.image.confined import PictureReader
from modelprint.modalities.image.reading import IMAGE_SUFFIXES, Like
from modelprint.modalities.image.storage import STORED

BATCHES, MOST_TOGETHER = 8, 1024  # messages of a block's bytes; pictures in one message
FLOOR = 2**30  # bytes of pixels that a folder may always hold
GROWTH = 200  # of larger ones: how many times the bytes of its files they may be


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
        like = Like(shape=self.shape, name=str(self.files[0]))
        together = max(1, min(MOST_TOGETHER, block_rows(self.shape, STORED) // BATCHES))
        with PictureReader(str(self.root)) as reader:
            for start in range(0, len(files), together):
                batch = files[start : start + together]
                target[start : start + len(batch)] = reader.read(batch, like)


def list_image_folder(root: Path) -> ImageFolder:
    """The images of a folder with one folder per class, sorted by name.

    Raises:
        DataError: no class folders, no images, or pictures that unpack to far more than they weigh.
        SandboxError: the first takes too much memory or time.
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
    with PictureReader(str(root)) as reader:
        shape = reader.first(files[0][0]).shape
    _refuse_bombs(root, [path for path, _ in files], shape)
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


def _refuse_bombs(root: Path, files: Sequence[Path], shape: tuple[int, ...]) -> None:
    """Refuse a folder whose pictures, all of one size, unpack to far more than they weigh."""
    pixels = len(files) * math.prod(shape)
    if pixels <= FLOOR:
        return
    weight = sum(_state(file).st_size for file in files)
    if pixels > GROWTH * weight:
        raise DataError(
            f"{root} is refused: its files have {weight:,} bytes but would unpack to {pixels:,}; use a part of it"
        )


def _state(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError as error:
        raise DataError(f"{file} cannot be read as an image ({error.strerror}): remove it or make it again") from error


def _key(files: Sequence[Path]) -> str:
    """A name for what files hold, by their places, sizes and times."""
    states = [(str(file.resolve()), (state := _state(file)).st_size, state.st_mtime_ns) for file in files]
    return digest_json(states).removeprefix("sha256:")[:32]
