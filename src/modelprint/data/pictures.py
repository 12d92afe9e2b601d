"""Sets of pictures in files: decoded in a confined child, into memory or into an array on disk."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.files import write_text
from modelprint.core.identity import canonical_json
from modelprint.data import on_disk
from modelprint.data.labelled import Numbering
from modelprint.data.notes import note
from modelprint.data.on_disk import block_rows, is_large, kept
from modelprint.modalities.image.confined import PictureFile, PictureReader
from modelprint.modalities.image.preparing import AS_THEY_ARE, Preparation, UnreadableError
from modelprint.modalities.image.reading import Like
from modelprint.modalities.image.storage import STORED

BATCHES, MOST_TOGETHER = 8, 1024  # messages of a block's bytes; pictures in one message
MOST_RESIZED = 64  # pictures in one message where they are made smaller: they may be photographs
FLOOR = 2**30  # bytes of pixels that a folder may always hold
GROWTH = 200  # of larger ones: how many times the bytes of its files they may be
COUNTING = 60.0  # seconds that bad pictures are counted for, once there is one


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """The files of a set, before any is decoded but the first.

    Attributes:
        root: where they lie, for messages.
        files: those of the training part first, then validation, then test; each part sorted by class, then by name.
        labels: int64 (n,).
        like: the first picture.
        how: what is done with each.
        counts: of the files of each published part; all are of "train" where nothing is published.
        numbering: what the class numbers rest on, as of a `LabelledSet`.
    """

    root: Path
    files: tuple[PictureFile, ...]
    labels: np.ndarray
    class_names: tuple[str, ...]
    like: Like
    how: Preparation = AS_THEY_ARE
    counts: Mapping[str, int] = field(default_factory=dict)
    numbering: Numbering = "names"

    def __len__(self) -> int:
        return len(self.files)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image, (channels, height, width)."""
        return self.like.shape

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
        return kept(_key(chosen, self.how), shape, STORED, lambda target: self._decode(chosen, target))

    def _decode(self, files: Sequence[PictureFile], target: np.ndarray) -> None:
        """Read files into the rows of an array."""
        order = _by_rows(files)
        with PictureReader(str(self.root), self.how) as reader:
            for part in _batches(files, self.how, self.shape):
                some = part if order is None else order[part]
                chosen = files[part] if order is None else [files[number] for number in order[part]]
                batch = reader.read(chosen, self.like)
                if batch.bad:
                    raise _refusal(self.root, self.files, self.how, batch.bad[0].reason)
                target[some] = batch.pictures


def picture_set(
    root: Path,
    files: Sequence[PictureFile],
    labels: np.ndarray,
    class_names: tuple[str, ...],
    *,
    how: Preparation,
    counts: Mapping[str, int],
    numbering: Numbering,
    skip_bad: bool,
) -> PictureSet:
    """A set of these files, the first of which gives the size of all.

    Args:
        skip_bad: whether files that cannot be decoded are left out, for which all are decoded once.

    Raises:
        DataError: no picture, or pictures that unpack to far more than they weigh.
        SandboxError: the first takes too much memory or time.
    """
    files = list(files)
    if skip_bad:
        good = _good(root, files, how)
        ends = np.cumsum([counts.get(part, 0) for part in counts])
        starts = [0, *ends[:-1]]
        counts = {
            part: int(((good >= start) & (good < end)).sum())
            for part, start, end in zip(counts, starts, ends, strict=True)
        }
        files, labels = [files[number] for number in good], labels[good]
    with PictureReader(str(root), how) as reader:
        try:
            like = reader.first(files[0])
        except UnreadableError as error:
            raise _refusal(root, files, how, str(error)) from error
    if how.size is None:
        _refuse_bombs(root, files, like.shape)
    return PictureSet(
        root=root,
        files=tuple(files),
        labels=labels,
        class_names=class_names,
        like=like,
        how=how,
        counts=counts,
        numbering=numbering,
    )


def _by_rows(files: Sequence[PictureFile]) -> np.ndarray | None:
    """The order in which pictures of columns are read, as neighbouring rows lie together; None for others."""
    if not files or files[0].column is None:
        return None
    return np.array(sorted(range(len(files)), key=lambda number: (files[number].place, files[number].row)))


def _batches(files: Sequence[PictureFile], how: Preparation, shape: tuple[int, ...]) -> Iterator[slice]:
    """The files in parts, each for one message."""
    together = max(1, min(MOST_TOGETHER, block_rows(shape, STORED) // BATCHES))
    if how.size is not None:
        together = min(together, MOST_RESIZED)
    for start in range(0, len(files), together):
        yield slice(start, min(start + together, len(files)))


def _good(root: Path, files: Sequence[PictureFile], how: Preparation) -> np.ndarray:
    """The numbers of the files that can be decoded; kept for the next command.

    Raises:
        DataError: none can.
    """
    record = on_disk.cache_folder() / f"{_key(files, how)}.bad.json"
    try:
        reasons = {int(number): str(reason) for number, reason in json.loads(record.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        reasons = _bad_ones(root, files, how)
        record.parent.mkdir(parents=True, exist_ok=True)
        write_text(record, json.dumps(reasons))
    if len(reasons) == len(files):
        raise DataError(f"{root}: none of its {len(files)} pictures can be decoded: {next(iter(reasons.values()))}")
    if reasons:
        first = "; ".join(list(reasons.values())[:3])
        note(f"{root}: {len(reasons)} of {len(files)} pictures cannot be decoded and are left out: {first}")
    return np.array([number for number in range(len(files)) if number not in reasons], dtype=np.int64)


def _bad_ones(root: Path, files: Sequence[PictureFile], how: Preparation, seconds: float = math.inf) -> dict[int, str]:
    """What is wrong with each file that cannot be decoded, by its number, as far as the time reaches."""
    reasons: dict[int, str] = {}
    end = time.monotonic() + seconds
    with PictureReader(str(root), how) as reader:
        for start in range(0, len(files), MOST_RESIZED):
            if time.monotonic() > end:
                break
            looked = reader.look(files[start : start + MOST_RESIZED])
            reasons |= {start + bad.number: bad.reason for bad in looked.bad}
    return reasons


def _refusal(root: Path, files: Sequence[PictureFile], how: Preparation, reason: str) -> DataError:
    """Why a set is refused of which at least one picture cannot be decoded, and how many there are."""
    count = len(_bad_ones(root, files, how, COUNTING))
    if count < 2:
        return DataError(f"{reason}, or leave it out with --skip-bad")
    return DataError(
        f"{reason}; {count} of {len(files)} pictures of {root} cannot be decoded: --skip-bad leaves them out"
    )


def _refuse_bombs(root: Path, files: Sequence[PictureFile], shape: tuple[int, ...]) -> None:
    """Refuse a set whose pictures, all of one size, unpack to far more than they weigh."""
    pixels = len(files) * math.prod(shape)
    if pixels <= FLOOR:
        return
    weight = sum(_state(place).st_size for place in {file.place for file in files})
    if pixels > GROWTH * weight:
        raise DataError(
            f"{root} is refused: its files have {weight:,} bytes but would unpack to {pixels:,}; use a part of it"
        )


def _state(file: Path) -> os.stat_result:
    try:
        return file.stat()
    except OSError as error:
        raise DataError(f"{file} cannot be read as an image ({error.strerror}): remove it or make it again") from error


def _key(files: Sequence[PictureFile], how: Preparation) -> str:
    """A name for what files hold, by their places, sizes and times, and for what is done with it."""
    known = hashlib.sha256(canonical_json(None if how == AS_THEY_ARE else asdict(how)))
    last, state = None, None
    for file in files:  # one after the other: millions of names are never held at once
        if file.place != last:
            last, state = file.place, [os.path.realpath(file.place), *_size_and_time(file.place)]
        known.update(canonical_json([state, file.within]))
    return known.hexdigest()[:32]


def _size_and_time(file: Path) -> tuple[int, int]:
    """Of a file; -1 twice where it is missing, which whoever reads it will say."""
    try:
        state = file.stat()
    except OSError:
        return -1, -1
    return state.st_size, state.st_mtime_ns
