"""Pictures that strangers made are decoded in a confined child; what comes back are pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import UInt8

from modelprint.core.errors import DataError
from modelprint.core.sandbox import Limits, Room, SandboxError, Unconfined, room
from modelprint.modalities.image.reading import Like
from modelprint.modalities.image.storage import STORED

HANDLER = "modelprint.modalities.image.picture_child:handler"
LIMITS = Limits(memory=3 * 2**30, seconds=60.0, answer=2**30)  # for a batch; the largest picture takes 2.3 GiB
ALONE = 5.0  # seconds for one picture, once a batch has taken too long
_ROUNDS = 256  # batches that one child reads: its processor time is limited


class PictureReader:
    """Reads pictures, while it is entered (`with PictureReader(...) as reader:`).

    Args:
        who: what they are of, for messages.
    """

    def __init__(self, who: str) -> None:
        self.who = who
        self._child: Room | Unconfined | None = None
        self._rounds = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def first(self, file: Path) -> Like:
        """The picture that all others must be like.

        Raises:
            DataError: it is no image.
            SandboxError: it takes too much memory or time.
        """
        limits = Limits(memory=LIMITS.memory, seconds=ALONE, answer=LIMITS.answer)
        return Like(shape=_one(file, None, limits).shape[1:], name=str(file))

    def read(self, files: Sequence[Path], like: Like) -> UInt8[np.ndarray, "k c h w"]:
        """Pictures in the order of their files.

        Raises:
            DataError: one is no image, or of another size.
            SandboxError: one takes too much memory or time.
        """
        if self._rounds == _ROUNDS:
            self._end()
        if self._child is None:
            self._child = room(HANDLER, who=self.who, limits=LIMITS).__enter__()
        self._rounds += 1
        try:
            _, arrays = self._child.call(_message(files, like))
        except SandboxError:
            self._end()
            _refuse_the_one(files, like)
            raise
        return _checked(arrays.get("pictures"), (len(files), *like.shape), self.who)

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child, self._rounds = None, 0


def _refuse_the_one(files: Sequence[Path], like: Like) -> None:
    """Read pictures each for itself, so that the one at fault is named.

    Raises:
        SandboxError: it takes too much memory or time.
    """
    limits = Limits(memory=LIMITS.memory, seconds=ALONE, answer=LIMITS.answer)
    for file in files:
        _one(file, like, limits)


def _one(file: Path, like: Like | None, limits: Limits) -> np.ndarray:
    with room(HANDLER, who=str(file), limits=limits) as child:
        _, arrays = child.call(_message([file], like))
    pictures = arrays.get("pictures")
    shape = (1, *like.shape) if like is not None else (1, *(pictures.shape[1:] if pictures is not None else ()))
    return _checked(pictures, shape, str(file))


def _message(files: Sequence[Path], like: Like | None) -> dict[str, object]:
    return {
        "files": [[str(file.absolute()), str(file)] for file in files],
        "like": None if like is None else [list(like.shape), like.name],
    }


def _checked(pictures: np.ndarray | None, shape: tuple[int, ...], who: str) -> np.ndarray:
    """What a child gave, if it is pictures of that shape."""
    if pictures is None or pictures.dtype != STORED or pictures.shape != shape or len(shape) != 4:
        raise DataError(f"{who}: the process that read it gave no pictures: remove it or make it again")
    return pictures
