"""`load_data("cifar10:owner")`: a named, fixed part of a set.

`train` and `test` are the standard parts. `owner`, `stranger`, `attacker`, `queries` and `holdout` are disjoint parts
of all images of a set: what the source learns from, what independent models of other data learn from, what an attacker
holds, what queries are made of, and what accuracy is measured on. The order is one permutation per set, from a constant
seed, so that a slice means the same images to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.folders import ImageFolder, list_image_folder
from modelprint.data.labelled import LabelledSet
from modelprint.data.named import NAMED_SETS, RawSet
from modelprint.data.on_disk import OnDisk, joined_rows, rows
from modelprint.modalities.image.reading import to_uint8_nchw

ORDER_SEED = 20_241_123
SPLITS = ("owner", "stranger", "attacker", "queries", "holdout")
# Shares for any set; the named ones have the sizes of the published experiments.
_SHARES = {"owner": 1 / 3, "stranger": 1 / 3, "attacker": 1 / 6, "queries": 1 / 12, "holdout": 1 / 12}
_SIZES = {
    "digits": {"owner": 600, "stranger": 600, "attacker": 297, "queries": 150, "holdout": 150},
    "fashion-mnist": {"owner": 25_000, "stranger": 25_000, "attacker": 10_000, "queries": 5_000, "holdout": 5_000},
    "cifar10": {"owner": 20_000, "stranger": 20_000, "attacker": 10_000, "queries": 5_000, "holdout": 5_000},
}
_DIGITS_TEST = 500
_MOST_CLASSES = 100_000
_REFERENCE = re.compile(r"^(?P<name>.+?)(?::(?P<split>[a-z]+))?(?:\[(?P<start>\d*):(?P<stop>\d*)\])?$")


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
    name, split, start, stop = parse_reference(reference)
    whole = _whole(name, split)
    index = _part_index(name, whole.labels, whole.trained, split)
    lower, upper = start or 0, len(index) if stop is None else stop
    if not lower < upper <= len(index):
        raise DataError(f"{reference}: [{lower}:{upper}] is not a part of the {len(index)} images of {name}:{split}")
    chosen = index[lower:upper]
    return LabelledSet(
        name=reference, stored=whole.read(chosen), labels=whole.labels[chosen], class_names=whole.class_names
    )


def part_sizes(name: str) -> dict[str, int]:
    """How many inputs each part of a whole set holds, by the part's name; 0 where the set is too small for it.

    Raises:
        DataError: there is no such set.
    """
    whole = _whole(name, "train")
    return {split: len(_part_index(name, whole.labels, whole.trained, split)) for split in ("train", "test", *SPLITS)}


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """A whole set: its labels, and a way to read some of its inputs.

    Attributes:
        trained: how many are of the published training part, which stands first.
        read: stored inputs by an index, in its order; mapped from disk where they are too large for memory.
    """

    labels: np.ndarray
    trained: int
    class_names: tuple[str, ...]
    read: Callable[[np.ndarray], np.ndarray]


def _whole(name: str, split: str) -> _Whole:
    if name not in NAMED_SETS and Path(name).is_dir():
        folder = _listed(name)
        if folder.large:
            return _Whole(labels=folder.labels, trained=len(folder), class_names=folder.class_names, read=folder.read)
    raw = load_raw(name)
    return _Whole(
        labels=np.concatenate([raw.train_labels, raw.test_labels]),
        trained=len(raw.train_labels),
        class_names=raw.class_names,
        read=lambda index: _read(raw, split, index),
    )


def _read(raw: RawSet, split: str, index: np.ndarray) -> np.ndarray:
    """Some inputs of a whole set; how they lie in memory decides the last bits of what is trained, so it stays."""
    if split not in ("train", "test"):
        return joined_rows(raw.train_images, raw.test_images, index)
    if split == "train" or not len(raw.test_labels):
        return _contiguous(rows(raw.train_images, index))
    return _contiguous(rows(raw.test_images, index - len(raw.train_labels)))


def _contiguous(images: np.ndarray) -> np.ndarray:
    return images if isinstance(images, OnDisk) else np.ascontiguousarray(images)


@lru_cache(maxsize=4)
def _listed(name: str) -> ImageFolder:
    return list_image_folder(Path(name))


def parse_reference(reference: str) -> tuple[str, str, int | None, int | None]:
    """Name, split ("train" unless said) and slice of a DATA argument.

    >>> parse_reference("cifar10:owner[0:500]")
    ('cifar10', 'owner', 0, 500)
    >>> parse_reference("photos")
    ('photos', 'train', None, None)
    """
    match = _REFERENCE.match(reference)
    if match is None:
        raise DataError(f"{reference!r} is not NAME, NAME:SPLIT or NAME:SPLIT[a:b]")
    start, stop = (int(text) if text else None for text in (match["start"], match["stop"]))
    return match["name"], match["split"] or "train", start, stop


@lru_cache(maxsize=4)
def load_raw(name: str) -> RawSet:
    """A whole set by name or path, in its own order; kept for the next call."""
    if name in NAMED_SETS:
        return NAMED_SETS[name]()
    path = Path(name)
    if path.is_dir():
        folder = _listed(name)
        images, labels = folder.read(np.arange(len(folder))), folder.labels
        return RawSet(
            train_images=images,
            train_labels=labels,
            test_images=images[:0],
            test_labels=labels[:0],
            class_names=folder.class_names,
        )
    if path.suffix == ".npz":
        return _raw_from_npz(path)
    known = ", ".join(NAMED_SETS)
    raise DataError(f"{name!r} is no data set: use {known}, a folder of class folders, or an .npz file")


def _raw_from_npz(path: Path) -> RawSet:
    arrays = read_npz_arrays(path, large_images=("x_train", "x_test"))
    if not {"x_train", "y_train"} <= set(arrays):
        raise DataError(f"{path} holds {sorted(arrays)}: expected Keras' layout, x_train, y_train, x_test, y_test")
    train = _images(arrays["x_train"], f"{path}: x_train")
    train_labels = _labels(arrays["y_train"], len(train), path)
    test, test_labels = train[:0], train_labels[:0]
    if "x_test" in arrays and "y_test" in arrays:
        test = _images(arrays["x_test"], f"{path}: x_test")
        test_labels = _labels(arrays["y_test"], len(test), path)
        if test.shape[1:] != train.shape[1:]:
            raise DataError(
                f"{path}: images of x_test are {test.shape[1:]}, those of x_train {train.shape[1:]}: one size"
            )
    names = arrays.get("class_names")
    classes = int(max(train_labels.max(initial=0), test_labels.max(initial=0))) + 1
    class_names = tuple(map(str, names)) if names is not None else tuple(str(label) for label in range(classes))
    return RawSet(
        train_images=train,
        train_labels=train_labels,
        test_images=test,
        test_labels=test_labels,
        class_names=class_names,
    )


def _images(images: np.ndarray, who: str) -> np.ndarray:
    return images if isinstance(images, OnDisk) else to_uint8_nchw(images, who=who)


def _labels(labels: np.ndarray, count: int, path: Path) -> np.ndarray:
    labels = labels.reshape(-1)
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: labels must be class numbers, got {labels.dtype}")
    if len(labels) != count:
        raise DataError(f"{path}: {count} images but {len(labels)} labels")
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= _MOST_CLASSES:
        raise DataError(f"{path}: labels run from {low} to {high}: number the classes from 0 on")
    return labels.astype(np.int64)


def _part_index(name: str, labels: np.ndarray, trained: int, split: str) -> np.ndarray:
    """Which inputs of a whole set a split holds, in its order: the published training part first, then the test part.

    Args:
        labels: of the whole set.
        trained: how many inputs are of the published training part; all where nothing was published.
    """
    if split in ("train", "test"):
        return _standard_index(name, labels, trained, split)
    if split not in SPLITS:
        raise DataError(f"{name}:{split}: unknown split, use train, test, {', '.join(SPLITS)}")
    order = fixed_order(len(labels))
    start = 0
    for other, size in split_sizes(name, len(labels)).items():
        if other == split:
            return order[start : start + size]
        start += size
    raise AssertionError(split)


def _standard_index(name: str, labels: np.ndarray, trained: int, split: str) -> np.ndarray:
    if trained == len(labels):  # no published parts: a fixed stratified cut
        test_size = _DIGITS_TEST if name == "digits" else len(labels) // 5
        return _stratified(labels, test_size)[split]
    if split == "train":
        return fixed_order(trained, salt=1)
    return trained + fixed_order(len(labels) - trained, salt=2)


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
