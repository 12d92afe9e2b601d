"""The arrays of npz files; those of images too large for memory are mapped from disk."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_json
from modelprint.core.untrusted import BombError, check_zip
from modelprint.data.on_disk import block_rows, is_large, kept
from modelprint.modalities.image.reading import to_uint8_nchw

_LARGEST_GROWTH = 200  # of an archive; labels pack well, images hardly
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz_arrays(path: Path, *, large_images: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, read without unpickling.

    Args:
        large_images: members that hold images; where they are too large for memory they come as uint8 (n, c, h, w),
            mapped from disk.

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
                mapped = {name for name in large_images if name in archive.files and _is_large(stream, name)}
                arrays = {name: archive[name] for name in archive.files if name not in mapped}
            arrays |= {name: _mapped_images(stream, path, name) for name in sorted(mapped)}
        return {name: value for name, value in arrays.items() if isinstance(value, np.ndarray)}
    except BombError as error:
        raise DataError(f"{path} is refused: {error}") from error
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, RuntimeError, AttributeError) as error:
        raise DataError(f"{path} cannot be read as npz ({error}): it is truncated, or holds Python objects") from error


def _is_large(stream: IO[bytes], name: str) -> bool:
    """Whether a member's array is too large for memory."""
    with zipfile.ZipFile(stream) as archive, archive.open(f"{name}.npy") as part:
        shape, _, dtype = _header(part)
    return is_large(shape, dtype)


def _mapped_images(stream: IO[bytes], path: Path, name: str) -> np.ndarray:
    """The images of a member, brought to uint8 (n, c, h, w) some at a time, and mapped from disk."""
    who = f"{path}: {name}"
    with zipfile.ZipFile(stream) as archive, archive.open(f"{name}.npy") as part:
        shape, fortran, dtype = _header(part)
        if fortran:
            raise ValueError(f"{name} is too large to be read in Fortran's order: save it in C's")
        one = to_uint8_nchw(np.zeros((1, *shape[1:]), dtype), who=who)
        size = math.prod(shape[1:]) * dtype.itemsize
        together = block_rows(shape[1:], dtype)

        def fill(target: np.ndarray) -> None:
            for start in range(0, shape[0], together):
                count = min(together, shape[0] - start)
                rows = np.frombuffer(part.read(count * size), dtype).reshape(count, *shape[1:])
                target[start : start + count] = to_uint8_nchw(rows, who=who)

        state = path.stat()
        key = digest_json([str(path.resolve()), name, state.st_size, state.st_mtime_ns])
        return kept(key.removeprefix("sha256:")[:32], (shape[0], *one.shape[1:]), one.dtype, fill)


def _header(part: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(part)
    read_header = _HEADERS.get(version)
    if read_header is None:
        raise ValueError(f"an array is of version {version}")
    shape, fortran, dtype = read_header(part)
    return shape, fortran, dtype


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
                try:
                    shape, _, dtype = _header(part)
                except Exception as error:  # of a damaged header, numpy's reader raises nearly anything
                    raise ValueError(f"{entry.filename} has no readable header") from error
                claimed = part.tell() + math.prod(shape) * dtype.itemsize
            if claimed != entry.file_size and not dtype.hasobject:
                raise ValueError(f"{entry.filename} claims {claimed:,} bytes but has {entry.file_size:,}")
    stream.seek(0)
