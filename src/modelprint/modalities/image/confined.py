"""Pictures that strangers made are decoded in a confined child; what comes back are pixels."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from jaxtyping import UInt8

from modelprint.core.errors import DataError
from modelprint.core.sandbox import Limits, Room, SandboxError, Unconfined, room
from modelprint.modalities.image.preparing import AS_THEY_ARE, Preparation, UnreadableError
from modelprint.modalities.image.reading import Like
from modelprint.modalities.image.storage import STORED

HANDLER = "modelprint.modalities.image.picture_child:handler"
# For a batch; the largest picture takes 2.3 GiB. Of processor time, a child has used at most half when it is replaced.
LIMITS = Limits(memory=3 * 2**30, seconds=60.0, processor=1200.0, answer=2**30)
ALONE = 5.0  # seconds for one picture, once a batch has taken too long
_ROUNDS, _LONGEST = 256, 60.0  # batches that one child reads, and seconds: its processor time is limited


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """Where a picture lies: in a file of its own, in an archive, or in a column of a file.

    Attributes:
        place: the file, or the archive.
        member: its name in the archive.
        column, row: in a file of columns.
    """

    place: Path
    member: str | None = None
    column: str | None = None
    row: int = 0

    @property
    def name(self) -> str:
        """For messages."""
        if self.column is not None:
            return f"{self.place}, row {self.row},"
        return str(self.place) if self.member is None else f"{self.place}/{self.member}"

    @property
    def within(self) -> str | list[str | int] | None:
        """Where it lies within the file, as the child is told."""
        return self.member if self.column is None else [self.column, self.row]


@dataclass(frozen=True, kw_only=True)
class Bad:
    """A picture that cannot be decoded: its number among those that were asked for, and what is wrong."""

    number: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Pictures, uint8 (k, c, h, w), of which the bad ones are black."""

    pictures: UInt8[np.ndarray, "k c h w"]
    bad: tuple[Bad, ...]


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was seen of pictures that were decoded and left where they are; `shapes` has None for bad ones."""

    shapes: tuple[tuple[int, ...] | None, ...]
    bad: tuple[Bad, ...]


class PictureReader:
    """Reads pictures, while it is entered (`with PictureReader(...) as reader:`).

    Args:
        who: what they are of, for messages.
        how: what is done with each.
    """

    def __init__(self, who: str, how: Preparation = AS_THEY_ARE) -> None:
        self.who, self.how = who, how
        self._child: Room | Unconfined | None = None
        self._rounds, self._seconds = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def names(self, archive: Path) -> list[str]:
        """The files in a zip archive, sorted.

        Raises:
            DataError: it is none, or a bomb, or its names lead elsewhere.
            SandboxError: it takes too much memory or time.
        """
        limits = Limits(memory=LIMITS.memory, seconds=LIMITS.seconds, answer=LIMITS.answer)
        with room(HANDLER, who=str(archive), limits=limits) as child:
            answer, _ = child.call({"do": "names", "place": str(archive.absolute()), "name": str(archive)})
        names = answer.get("names")
        if not isinstance(names, list):
            raise _senseless()
        return [str(name) for name in names]

    def columns(
        self, file: Path, *, image: str | None, label: str | None, usual: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Any]:
        """What a Parquet or Arrow file says of its rows: labels, class_names, image, paths, as of a `Listing`.

        Raises:
            DataError: it cannot be read, or has no such columns.
            SandboxError: it takes too much memory or time.
        """
        memory = 2**30 + 4 * file.stat().st_size if file.is_file() else 2**30
        limits = Limits(memory=memory, seconds=LIMITS.seconds, answer=LIMITS.answer)
        words = {"image": image, "label": label, "usual": {what: list(names) for what, names in usual.items()}}
        with room(HANDLER, who=str(file), limits=limits) as child:
            answer, _ = child.call({"do": "columns", "place": str(file.absolute()), "name": str(file), **words})
        labels, paths = answer.get("labels"), answer.get("paths")
        if not isinstance(labels, list) or not all(type(one) in (str, int) for one in labels):
            raise _senseless()
        if (paths is None) == (answer.get("image") is None) or len(paths or labels) != len(labels):
            raise _senseless()
        return answer

    def recognised(self, files: Sequence[PictureFile]) -> list[bool]:
        """Of each file, whether it begins as a picture of a format that is read, whatever its name.

        Raises:
            SandboxError: looking takes too much memory or time.
        """
        answer, _ = self._call(_message("recognise", files, self.how))
        kinds = answer.get("recognised")
        if not isinstance(kinds, list) or len(kinds) != len(files):
            raise _senseless()
        return [bool(kind) for kind in kinds]

    def first(self, file: PictureFile) -> Like:
        """The picture that all others must be like.

        Raises:
            UnreadableError: it is no image.
            SandboxError: it takes too much memory or time.
        """
        looked = self._look_alone(file)
        if looked.bad:
            raise UnreadableError(looked.bad[0].reason)
        (shape,) = looked.shapes
        return Like(shape=shape or (), name=file.name)

    def read(self, files: Sequence[PictureFile], like: Like) -> Batch:
        """Pictures in the order of their files.

        Raises:
            DataError: one is of another size.
            SandboxError: one takes too much memory or time.
        """
        try:
            answer, arrays = self._call({**_message("read", files, self.how), "like": [list(like.shape), like.name]})
        except SandboxError:
            for file in files:  # each for itself, so that the one at fault is named
                self._look_alone(file)
            raise
        pictures = arrays.get("pictures")
        if pictures is None or pictures.dtype != STORED or pictures.shape != (len(files), *like.shape):
            raise DataError(f"{self.who}: the process that read it gave no pictures: remove it or make it again")
        return Batch(pictures=pictures, bad=_bad(answer, len(files)))

    def look(self, files: Sequence[PictureFile]) -> Looked:
        """Decode pictures of any sizes, to see which are bad; those that take too much memory or time are bad, too."""
        try:
            answer, _ = self._call(_message("check", files, self.how))
        except SandboxError:
            return self._look_at_each(files)
        return _looked(answer, len(files))

    def _look_at_each(self, files: Sequence[PictureFile]) -> Looked:
        shapes: list[tuple[int, ...] | None] = []
        bad: list[Bad] = []
        for number, file in enumerate(files):
            try:
                one = self._look_alone(file)
            except SandboxError as error:
                shapes.append(None)
                bad.append(Bad(number=number, reason=str(error)))
                continue
            shapes += one.shapes
            bad += [Bad(number=number, reason=other.reason) for other in one.bad]
        return Looked(shapes=tuple(shapes), bad=tuple(bad))

    def _look_alone(self, file: PictureFile) -> Looked:
        limits = Limits(memory=LIMITS.memory, seconds=ALONE, answer=LIMITS.answer)
        with room(HANDLER, who=file.name, limits=limits) as child:
            answer, _ = child.call(_message("check", [file], self.how))
        return _looked(answer, 1)

    def _call(self, message: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, np.ndarray]]:
        if self._rounds >= _ROUNDS or self._seconds > _LONGEST:
            self._end()
        if self._child is None:
            self._child = room(HANDLER, who=self.who, limits=LIMITS).__enter__()
        began = time.monotonic()
        try:
            return self._child.call(message)
        except BaseException:
            self._end()
            raise
        finally:
            self._rounds += 1
            self._seconds += time.monotonic() - began

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
        self._child, self._rounds, self._seconds = None, 0, 0.0


def _message(do: str, files: Sequence[PictureFile], how: Preparation) -> dict[str, Any]:
    return {
        "do": do,
        "files": [[str(file.place.absolute()), file.name, file.within] for file in files],
        "how": asdict(how),
    }


def _bad(answer: Mapping[str, Any], count: int) -> tuple[Bad, ...]:
    """What a child says of bad pictures, if it makes sense."""
    try:
        bad = tuple(Bad(number=number, reason=str(reason)) for number, reason in answer["bad"])
    except (KeyError, TypeError, ValueError) as error:
        raise _senseless() from error
    if not all(type(one.number) is int and 0 <= one.number < count for one in bad):
        raise _senseless()
    return bad


def _looked(answer: Mapping[str, Any], count: int) -> Looked:
    try:
        shapes = tuple(None if shape is None else tuple(map(int, shape)) for shape in answer["shapes"])
    except (KeyError, TypeError, ValueError) as error:
        raise _senseless() from error
    if len(shapes) != count or not all(shape is None or len(shape) == 3 for shape in shapes):
        raise _senseless()
    return Looked(shapes=shapes, bad=_bad(answer, count))


def _senseless() -> DataError:
    return DataError("the process that read pictures gave an answer that makes no sense: try again")
