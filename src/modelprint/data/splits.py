"""`load_data("cifar10:owner")`: a named, fixed part of a set.

`train` and `test` are the standard parts. `owner`, `stranger`, `attacker`, `queries` and `holdout` are disjoint parts
of all images of a set: what the source learns from, what independent models of other data learn from, what an attacker
holds, what queries are made of, and what accuracy is measured on. The order is one permutation per set, from a constant
seed, so that a slice means the same images to everybody. Of inputs that are no images the order is that of their
hashes: it does not depend on the order of rows in a file, and equal inputs stand together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.column_files import SUFFIXES as COLUMN_SUFFIXES
from modelprint.data.column_files import column_files, list_columns
from modelprint.data.folders import list_image_folder, list_zip
from modelprint.data.labelled import LabelledSet, Numbering
from modelprint.data.named import RawSet
from modelprint.data.npz_sets import read_npz_set
from modelprint.data.on_disk import OnDisk, joined_rows, rows
from modelprint.data.pictures import PictureSet
from modelprint.data.readers import READERS, reader_of
from modelprint.data.references import AS_IT_IS, Reading, Reference, read_reference
from modelprint.data.references import parse_reference as parse_reference
from modelprint.data.sets import NAMED_SETS
from modelprint.data.tables import list_table
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE

ORDER_SEED = 20_241_123
TABLES = (".csv", ".tsv")  # of pictures and their labels
SPLITS = ("owner", "stranger", "attacker", "queries", "holdout")
# Shares for any set; the named ones have the sizes of the published experiments.
_SHARES = {"owner": 1 / 3, "stranger": 1 / 3, "attacker": 1 / 6, "queries": 1 / 12, "holdout": 1 / 12}
_SIZES = {
    "digits": {"owner": 600, "stranger": 600, "attacker": 297, "queries": 150, "holdout": 150},
    "fashion-mnist": {"owner": 25_000, "stranger": 25_000, "attacker": 10_000, "queries": 5_000, "holdout": 5_000},
    "cifar10": {"owner": 20_000, "stranger": 20_000, "attacker": 10_000, "queries": 5_000, "holdout": 5_000},
}
_DIGITS_TEST = 500


def fixed_order(count: int, *, salt: int = 0) -> np.ndarray:
    """The permutation of a set of that size; the legacy generator's stream is frozen by NumPy's policy.

    >>> fixed_order(5).tolist()
    [0, 2, 1, 3, 4]
    """
    return np.random.RandomState(ORDER_SEED + salt).permutation(count)


def split_sizes(name: str, count: int) -> dict[str, int]:
    """How many images each zoo split of a set of `count` images has.

    >>> split_sizes("cifar10", 60000)["owner"], sum(split_sizes("anything", 1000).values())
    (20000, 1000)
    """
    if name in _SIZES:
        return _SIZES[name]
    sizes = {split: int(count * share) for split, share in _SHARES.items()}
    sizes["owner"] += count - sum(sizes.values())
    return sizes


def load_data(reference: str) -> LabelledSet:
    """The images that a DATA argument names: a named set, a folder of class folders, or an npz, perhaps a part of it.

    Args:
        reference: "digits", "cifar10:train[0:20000]", "shots.npz:test", "photos/".

    Raises:
        DataError: nothing there, an unknown split, or an empty slice; the message says which.
    """
    asked = read_reference(reference)
    whole = _whole(asked)
    index = whole.part(asked.name, asked.split)
    lower, upper = asked.start or 0, len(index) if asked.stop is None else asked.stop
    if not lower < upper <= len(index):
        raise DataError(
            f"{reference}: [{lower}:{upper}] is not a part of the {len(index)} {whole.modality.plural} of "
            f"{asked.name}:{asked.split}"
        )
    chosen = index[lower:upper]
    return LabelledSet(
        name=reference,
        stored=whole.read(chosen),
        labels=whole.labels[chosen],
        class_names=whole.class_names,
        numbering=whole.numbering,
        modality=whole.modality,
    )


def part_sizes(reference: str) -> dict[str, int]:
    """How many inputs each part of a whole set holds, by the part's name; 0 where the set is too small for it.

    Raises:
        DataError: there is no such set.
    """
    asked = read_reference(reference)
    whole = _whole(asked)
    standard = ("train", "val", "test") if whole.validated else ("train", "test")
    return {split: len(whole.part(asked.name, split)) for split in (*standard, *SPLITS)}


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """A whole set: its labels, and a way to read some of its inputs.

    Attributes:
        trained: how many are of the published training part, which stands first.
        validated: how many are of the published validation part, which stands next.
        read: stored inputs by an index, in its order; mapped from disk where they are too large for memory.
        modality: of the inputs.
    """

    labels: np.ndarray
    trained: int
    validated: int = 0
    class_names: tuple[str, ...]
    numbering: Numbering
    read: Callable[[np.ndarray], np.ndarray]
    modality: Modality = IMAGE

    def part(self, name: str, split: str) -> np.ndarray:
        """Which inputs a split holds, in its order."""
        if self.modality.name == IMAGE.name:
            return _part_index(name, self.labels, self.trained, self.validated, split)
        hashes = self.modality.hashes(self.read(np.arange(len(self.labels))))
        return _part_by_hash(name, hashes, self.trained, self.validated, split)


def _whole(asked: Reference) -> _Whole:
    name, split = asked.name, asked.split
    if is_of_pictures(name, asked.reading):
        pictures = _listed(name, asked.reading)
        if pictures.large:
            return _Whole(
                labels=pictures.labels,
                trained=pictures.counts["train"],
                validated=pictures.counts["val"],
                class_names=pictures.class_names,
                numbering=pictures.numbering,
                read=pictures.read,
            )
    raw = load_raw(name, asked.reading)
    return _Whole(
        labels=np.concatenate([raw.train_labels, raw.test_labels]),
        trained=len(raw.train_labels),
        validated=raw.validated,
        class_names=raw.class_names,
        numbering=raw.numbering,
        read=lambda index: _read(raw, split if raw.modality.name == IMAGE.name else "all", index),
        modality=raw.modality,
    )


def is_of_pictures(name: str, reading: Reading = AS_IT_IS) -> bool:
    """Whether a set consists of pictures in files, which can be brought to one size when they are read."""
    path = Path(name)
    if name in NAMED_SETS or not (path.is_dir() or (path.suffix.lower() in _LISTS and path.exists())):
        return False
    return reader_of(path, reading) is None


def _read(raw: RawSet, split: str, index: np.ndarray) -> np.ndarray:
    """Some inputs of a whole set; how they lie in memory decides the last bits of what is trained, so it stays."""
    if split not in ("train", "test"):
        return joined_rows(raw.train_images, raw.test_images, index)
    if split == "train" or not len(raw.test_labels):
        return _contiguous(rows(raw.train_images, index))
    return _contiguous(rows(raw.test_images, index - len(raw.train_labels)))


def _contiguous(images: np.ndarray) -> np.ndarray:
    return images if isinstance(images, OnDisk) else np.ascontiguousarray(images)


def is_table(name: str) -> bool:
    """Whether a set is a list of pictures in a table, whose columns options may name."""
    path = Path(name)
    if name in NAMED_SETS:
        return False
    return bool(column_files(path)) if path.is_dir() else path.suffix.lower() in (*TABLES, *COLUMN_SUFFIXES)


_LISTS: dict[str, Callable[[Path, Reading], PictureSet]] = {
    ".zip": list_zip,
    **dict.fromkeys(TABLES, list_table),
    **dict.fromkeys(COLUMN_SUFFIXES, list_columns),
}


@lru_cache(maxsize=4)
def _listed(name: str, reading: Reading = AS_IT_IS) -> PictureSet:
    path = Path(name)
    if path.is_dir():
        return list_columns(path, reading) if column_files(path) else list_image_folder(path, reading)
    return _LISTS[path.suffix.lower()](path, reading)


@lru_cache(maxsize=4)
def load_raw(name: str, reading: Reading = AS_IT_IS) -> RawSet:
    """A whole set by name or path, in its own order; kept for the next call."""
    if name in NAMED_SETS:
        _refuse_reading(name, reading, "a published set is read as it is")
        return NAMED_SETS[name]()
    path = Path(name)
    if (reader := reader_of(path, reading)) is not None:
        return reader.read(path, reading)
    if is_of_pictures(name, reading):
        listed = _listed(name, reading)
        images, labels, trained = listed.read(np.arange(len(listed))), listed.labels, listed.counts["train"]
        return RawSet(
            train_images=images[:trained],
            train_labels=labels[:trained],
            test_images=images[trained:],
            test_labels=labels[trained:],
            class_names=listed.class_names,
            numbering=listed.numbering,
            validated=listed.counts["val"],
        )
    if path.suffix == ".npz":
        return read_npz_set(path, reading)
    known = ", ".join(NAMED_SETS)
    raise DataError(
        f"{name!r} is no data set: use {known}, a folder or .zip of class folders, a .csv or .parquet list of "
        f"pictures, an .npz file, or {', '.join(READERS[one].forms for one in READERS)}"
    )


def _refuse_reading(name: str, reading: Reading, why: str) -> None:
    """Refuse options that have no effect on a set."""
    if reading != AS_IT_IS:
        raise DataError(f"{name}: {why}: leave {reading.text().replace('&', ', ')} out")


def _part_index(name: str, labels: np.ndarray, trained: int, validated: int, split: str) -> np.ndarray:
    """Which inputs of a whole set a split holds, in its order: the published parts stand one after the other.

    Args:
        labels: of the whole set.
        trained, validated: how many inputs are of the published training and validation parts; all are of the
            training part where nothing was published.
    """
    if split in ("train", "val", "test"):
        return _standard_index(name, labels, trained, validated, split)
    if split not in SPLITS:
        raise DataError(f"{name}:{split}: unknown split, use train, test, {', '.join(SPLITS)}")
    order = fixed_order(len(labels))
    start = 0
    for other, size in split_sizes(name, len(labels)).items():
        if other == split:
            return order[start : start + size]
        start += size
    raise AssertionError(split)


def _part_by_hash(name: str, hashes: list[str], trained: int, validated: int, split: str) -> np.ndarray:
    """Which inputs of a whole set a split holds, in the order of their hashes; arguments as of `_part_index`."""
    order, published = np.argsort(np.array(hashes), kind="stable"), trained < len(hashes)
    if split in SPLITS:
        sizes = split_sizes(name, len(order))
        start = sum(sizes[other] for other in SPLITS[: SPLITS.index(split)])
        return order[start : start + sizes[split]]
    if split not in ("train", "val", "test") or (split == "val" and not validated):
        raise DataError(f"{name}:{split}: no such split, use train, test, {', '.join(SPLITS)}")
    if not published:
        cut = len(order) - len(order) // 5
        return order[:cut] if split == "train" else order[cut:]
    tested = trained + validated if trained + validated < len(order) else trained
    first, last = {"train": (0, trained), "val": (trained, trained + validated), "test": (tested, len(order))}[split]
    return order[(order >= first) & (order < last)]


def _standard_index(name: str, labels: np.ndarray, trained: int, validated: int, split: str) -> np.ndarray:
    if split == "val" and not validated:
        raise DataError(f"{name}:val: there is no validation part, use train, test, {', '.join(SPLITS)}")
    if trained == len(labels):  # no published parts: a fixed stratified cut
        test_size = _DIGITS_TEST if name == "digits" else len(labels) // 5
        return _stratified(labels, test_size)[split]
    if split == "train":
        return fixed_order(trained, salt=1)
    tested = trained + validated
    if split == "val" or tested == len(labels):
        return trained + fixed_order(validated, salt=3)
    return tested + fixed_order(len(labels) - tested, salt=2)


def _stratified(labels: np.ndarray, test_size: int) -> dict[str, np.ndarray]:
    """A fixed cut in which every class keeps its share (largest remainders)."""
    order = fixed_order(len(labels), salt=1)
    counts = np.bincount(labels)
    quota = counts * test_size / len(labels)
    take = np.floor(quota).astype(int)
    for label in np.argsort(take - quota, kind="stable")[: test_size - take.sum()]:
        take[label] += 1
    rank = np.zeros(len(labels), dtype=int)  # position of each image within its class, in the fixed order
    for label in range(len(counts)):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    in_test = rank < take[labels]
    return {"test": order[in_test[order]], "train": order[~in_test[order]]}
