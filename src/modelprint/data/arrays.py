"""The arrays of npz files, read in a confined child; those of images too large for memory are mapped from disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_json
from modelprint.core.sandbox import Limits, Room, Unconfined, room
from modelprint.data import on_disk
from modelprint.data.npz_files import open_npz
from modelprint.data.on_disk import block_rows, kept
from modelprint.modalities.image.storage import STORED

HANDLER = "modelprint.data.npz_child:handler"
LEAST_MEMORY, MEMORY_PER_BYTE = 2 * 2**30, 8  # of the child: for small files; for each byte of a large one
LEAST_SECONDS, BYTES_PER_SECOND = 30.0, 10 * 2**20


def read_npz_arrays(path: Path, *, large_images: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of an `.npz`, read without unpickling, in a child with limits.

    Args:
        large_images: members that hold images; where they are too large for memory they come as uint8 (n, c, h, w),
            mapped from disk.

    Raises:
        DataError: missing, truncated, a bomb, or holding Python objects.
        SandboxError: reading it takes too much memory or time.
    """
    size = _size(path)
    memory = LEAST_MEMORY + MEMORY_PER_BYTE * size
    limits = Limits(memory=memory, seconds=LEAST_SECONDS + size / BYTES_PER_SECOND, answer=memory)
    with room(HANDLER, who=str(path), limits=limits) as child:
        answer, arrays = child.call(
            {
                "do": "open",
                "place": str(path.absolute()),
                "name": str(path),
                "large": list(large_images),
                "than": on_disk.LARGEST_IN_MEMORY,
            }
        )
        mapped = {name: _mapped_images(child, path, name, tuple(shape)) for name, shape in answer["large"].items()}
    return {**arrays, **mapped}


def read_own_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a published data set, read in this process: its user chose the place where it lies.

    Raises:
        DataError: as `read_npz_arrays`.
    """
    with open_npz(path) as file:
        return file.arrays()


def _size(path: Path) -> int:
    """Bytes of a file that there is."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.is_dir():
        raise DataError(f"{path} is no file: name an .npz")
    return path.stat().st_size


def _mapped_images(child: Room | Unconfined, path: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The images of a member, brought to uint8 (n, c, h, w) some at a time, and mapped from disk."""
    together = block_rows(shape[1:], np.dtype(np.float64))  # what they may be in the file

    def fill(target: np.ndarray) -> None:
        for start in range(0, shape[0], together):
            count = min(together, shape[0] - start)
            _, arrays = child.call({"do": "rows", "array": name, "count": count})
            if arrays["rows"].dtype != STORED or arrays["rows"].shape != (count, *shape[1:]):
                raise DataError(f"{path}: {name} cannot be read as images: it is truncated, or damaged")
            target[start : start + count] = arrays["rows"]

    state = path.stat()
    key = digest_json([str(path.resolve()), name, state.st_size, state.st_mtime_ns])
    return kept(key.removeprefix("sha256:")[:32], shape, STORED, fill)
