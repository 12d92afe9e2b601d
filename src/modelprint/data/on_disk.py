"""Arrays too large for memory: mapped from files in the user's cache, so that the system reads the pages that are used.

They are NumPy arrays like any other; a slice is a view that copies nothing, and other processes map the same file.
"""

from __future__ import annotations

import atexit
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import DataError

LARGEST_IN_MEMORY = 2**30  # bytes of inputs; larger sets are mapped
BLOCK = 2**26  # bytes that are copied at a time

Fill = Callable[[np.ndarray], None]


class OnDisk(np.ndarray):
    """An array that is mapped from a file; pickling it names the file, not its contents.

    Attributes:
        file: where it lies; None for arrays that were computed from such an array.
    """

    file: Path | None = None

    def __array_finalize__(self, other: Any) -> None:
        """A view of a mapped array is mapped from the same file."""
        self.file = getattr(other, "file", None)

    def __reduce__(self) -> Any:
        """The file and the place in it, where this array is one stretch of it."""
        whole = None if self.file is None else _mapped_whole(self)
        if whole is None or not self.flags.c_contiguous:
            return np.asarray(self).__reduce__()
        offset = self.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        return mapped, (self.file, self.shape, self.dtype.str, offset)


def mapped(file: Path, shape: tuple[int, ...], dtype: str, offset: int = 0) -> OnDisk:
    """The array in a file, from a byte on; what is written into it stays in this process."""
    array = np.memmap(file, dtype=np.dtype(dtype), mode="c", offset=offset, shape=shape).view(OnDisk)
    array.file = file
    return array


def _mapped_whole(array: np.ndarray) -> np.memmap[Any, Any] | None:
    """The mapped file that an array is a view of."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap) and not isinstance(base.base, np.ndarray):
            return base
        base = base.base
    return None


def cache_folder() -> Path:
    """Where arrays are kept: `arrays` in the user's cache."""
    import pooch

    return Path(pooch.os_cache("modelprint")) / "arrays"


def is_large(shape: Iterable[int], dtype: np.dtype[Any]) -> bool:
    """Whether an array is mapped, not held in memory."""
    return math.prod(shape) * dtype.itemsize > LARGEST_IN_MEMORY


def block_rows(shape: Iterable[int], dtype: np.dtype[Any]) -> int:
    """How many rows of a shape are read, computed and written at a time."""
    return max(1, BLOCK // max(1, math.prod(shape) * dtype.itemsize))


def kept(key: str, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Fill) -> OnDisk:
    """The array that was kept under a key; `fill` writes it when there is none. It stays for the next command.

    Raises:
        DataError: the disk has too little room.
    """
    file = cache_folder() / f"{key}.bin"
    if not (file.is_file() and file.stat().st_size == math.prod(shape) * dtype.itemsize):
        _fill(file, shape, dtype, fill)
    return mapped(file, shape, dtype.str)


def spilled(shape: tuple[int, ...], dtype: np.dtype[Any], fill: Fill) -> OnDisk:
    """An array that `fill` writes, removed when this program ends.

    Raises:
        DataError: the disk has too little room.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=f"part-{os.getpid()}-", suffix=".bin")
    os.close(descriptor)
    owner = os.getpid()
    atexit.register(lambda: Path(name).unlink(missing_ok=True) if os.getpid() == owner else None)
    _fill(Path(name), shape, dtype, fill)
    return mapped(Path(name), shape, dtype.str)


def rows(array: np.ndarray, index: np.ndarray | slice) -> np.ndarray:
    """Some rows of an array: a view of a slice, a copy of others, which is mapped where it is large.

    >>> rows(np.arange(4), np.array([3, 1])).tolist(), rows(np.arange(4), np.arange(4) > 1).tolist()
    ([3, 1], [2, 3])
    """
    if isinstance(index, slice):
        return array[index]
    index = np.flatnonzero(index) if index.dtype == bool else index
    return computed_rows((len(index), *array.shape[1:]), array.dtype, lambda part: np.asarray(array[index[part]]))


def joined_rows(one: np.ndarray, other: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Some rows of two arrays as if one stood behind the other, which are never put together.

    >>> joined_rows(np.array([10, 11]), np.array([12, 13]), np.array([3, 0])).tolist()
    [13, 10]
    """

    def gather(part: slice) -> np.ndarray:
        chosen = index[part]
        first = chosen < len(one)
        block = np.empty((len(chosen), *one.shape[1:]), one.dtype)  # strides of its own: they decide how sums round
        block[first], block[~first] = one[chosen[first]], other[chosen[~first] - len(one)]
        return block

    return computed_rows((len(index), *one.shape[1:]), one.dtype, gather)


def computed_rows(shape: tuple[int, ...], dtype: np.dtype[Any], gather: Callable[[slice], np.ndarray]) -> np.ndarray:
    """The rows that `gather` gives for slices: all at once where they fit memory, else in blocks, mapped from disk.

    Args:
        shape: of all rows together.
    """
    if not is_large(shape, dtype):
        return gather(slice(0, shape[0]))
    size = block_rows(shape[1:], dtype)

    def fill(target: np.ndarray) -> None:
        for start in range(0, shape[0], size):
            part = slice(start, min(start + size, shape[0]))
            target[part] = gather(part)

    return spilled(shape, dtype, fill)


def _fill(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any], fill: Fill) -> None:
    """Write a file whole, or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    needed, free = math.prod(shape) * dtype.itemsize, shutil.disk_usage(file.parent).free
    if needed > free:
        raise DataError(
            f"{needed / 1e9:.1f} GB of inputs are mapped from {file.parent}, where {free / 1e9:.1f} GB are free: free "
            "some space, set XDG_CACHE_HOME to another disk, or use a part of the data, NAME:train[0:10000]"
        )
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        target = np.memmap(fresh, dtype=dtype, mode="w+", shape=shape)
        fill(target)
        target.flush()
        del target
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
