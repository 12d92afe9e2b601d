"""npz files and folders of images, brought to uint8 (n, channels, height, width)."""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.untrusted import BombError, check_zip

_LARGEST_GROWTH = 200  # of an archive; labels pack well, images hardly
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".ppm", ".pgm"})


def to_uint8_nchw(images: np.ndarray, *, who: str) -> np.ndarray:
    """Images as uint8 (n, c, h, w), from uint8 or float in [0, 1], NHWC, NHW or NCHW.

    >>> to_uint8_nchw(np.ones((2, 4, 4, 3), np.float32), who="x").shape
    (2, 3, 4, 4)

    Raises:
        DataError: a float outside [0, 1], another type, or no axis of 1 or 3 channels.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[-1] in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    elif images.ndim != 4 or images.shape[1] not in (1, 3):
        raise DataError(f"{who}: expected NHWC, NHW or NCHW images with 1 or 3 channels, got shape {images.shape}")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{who}: expected uint8, or float in [0, 1], got {images.dtype}")
    low, high = float(images.min(initial=0.0)), float(images.max(initial=0.0))
    if not (low >= 0.0 and high <= 1.0):
        raise DataError(f"{who}: expected inputs in [0, 1], got min {low:.4g}, max {high:.4g}: divide by 255 first")
    return np.ascontiguousarray(np.rint(images * 255.0).astype(np.uint8))


def read_npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, read without unpickling.

    Raises:
        DataError: missing, truncated, or holding Python objects.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if not path.is_file():
        raise DataError(f"{path} is no file: name an .npz")
    try:
        with path.open("rb") as stream:
            check_zip(stream, growth=_LARGEST_GROWTH)
            _check_headers(stream)
            with np.load(stream, allow_pickle=False) as archive:
                found = {name: archive[name] for name in archive.files}
        return {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    except BombError as error:
        raise DataError(f"{path} is refused: {error}") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, RuntimeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as npz ({error}): it is truncated, or holds Python objects") from error


def _check_headers(stream: IO[bytes]) -> None:
    """Refuse arrays whose headers claim more, or less, than there is; memory would be set aside for the claim.

    Raises:
        ValueError: such a header, or none.
    """
    with zipfile.ZipFile(stream) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            with archive.open(entry) as part:
                version = np.lib.format.read_magic(part)
                read_header = _HEADERS.get(version)
                if read_header is None:
                    raise ValueError(f"{entry.filename} is of version {version}")
                try:
                    shape, _, dtype = read_header(part)
                except Exception as error:  # of a damaged header, numpy's reader raises nearly anything
                    raise ValueError(f"{entry.filename} has no readable header") from error
                claimed = part.tell() + math.prod(shape) * dtype.itemsize
            if claimed != entry.file_size and not dtype.hasobject:
                raise ValueError(f"{entry.filename} claims {claimed:,} bytes but has {entry.file_size:,}")
    stream.seek(0)


@contextmanager
def _small_enough() -> Iterator[None]:
    """Inside, a picture of very many pixels is an error."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except Image.DecompressionBombWarning as warning:
            raise Image.DecompressionBombError(str(warning)) from warning


def read_image_folder(root: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Images, labels and class names of a folder with one folder per class, sorted by name.

    Raises:
        DataError: no class folders, no images, or images of different sizes.
    """
    from PIL import Image, UnidentifiedImageError

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
    pictures: list[np.ndarray] = []
    for path, _ in files:
        try:
            with _small_enough(), Image.open(path) as image:
                grey = image.mode in ("1", "L", "I;16")
                pictures.append(np.asarray(image.convert("L" if grey else "RGB")))
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise DataError(f"{path} cannot be read as an image ({error}): remove it or make it again") from error
        if pictures[-1].shape != pictures[0].shape:
            raise DataError(
                f"{path} is {pictures[-1].shape} but {files[0][0]} is {pictures[0].shape}: "
                "bring all images to one size and mode"
            )
    labels = np.array([label for _, label in files], dtype=np.int64)
    return to_uint8_nchw(np.stack(pictures), who=str(root)), labels, tuple(folder.name for folder in folders)
