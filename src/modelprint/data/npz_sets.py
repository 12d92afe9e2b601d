"""Labelled images in an npz of Keras' layout: x_train, y_train, x_test, y_test, and perhaps class_names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.class_lists import MOST_CLASSES, check_numbers, numbered, numbers_of, read_class_list
from modelprint.data.labelled import Numbering
from modelprint.data.named import RawSet
from modelprint.data.on_disk import OnDisk
from modelprint.data.references import AS_IT_IS, Reading
from modelprint.modalities.image.reading import to_uint8_nchw


def read_npz_set(path: Path, reading: Reading = AS_IT_IS) -> RawSet:
    """A whole set; labels may be class numbers, names, or one-hot rows.

    Raises:
        DataError: other arrays than these, images that are none, or labels that no class has.
    """
    arrays = read_npz_arrays(path, large_images=("x_train", "x_test"))
    if not {"x_train", "y_train"} <= set(arrays):
        raise DataError(f"{path} holds {sorted(arrays)}: expected Keras' layout, x_train, y_train, x_test, y_test")
    train = _images(arrays["x_train"], f"{path}: x_train")
    test = train[:0]
    labels = [_labels(arrays["y_train"], len(train), path)]
    if "x_test" in arrays and "y_test" in arrays:
        test = _images(arrays["x_test"], f"{path}: x_test")
        labels.append(_labels(arrays["y_test"], len(test), path))
        if test.shape[1:] != train.shape[1:]:
            raise DataError(
                f"{path}: images of x_test are {test.shape[1:]}, those of x_train {train.shape[1:]}: one size"
            )
    classes = None if reading.classes is None else read_class_list(reading.classes)
    own = None if "class_names" not in arrays else tuple(map(str, arrays["class_names"].reshape(-1)))
    numbers, class_names = _numbered(labels, own, classes, who=str(path))
    return RawSet(
        train_images=train,
        train_labels=numbers[0],
        test_images=test,
        test_labels=numbers[1] if len(numbers) > 1 else numbers[0][:0],
        class_names=class_names,
        numbering=_numbering(labels, own, classes),
    )


def _images(images: np.ndarray, who: str) -> np.ndarray:
    return images if isinstance(images, OnDisk) else to_uint8_nchw(images, who=who)


def _are_names(labels: np.ndarray) -> bool:
    return labels.dtype.kind in "US"


def _labels(labels: np.ndarray, count: int, path: Path) -> np.ndarray:
    """Names, or class numbers as int64; of one-hot rows, where the one stands."""
    if labels.ndim == 2 and labels.shape[1] > 1 and len(labels) == count and _is_one_hot(labels):
        return np.asarray(labels.argmax(1), dtype=np.int64)
    labels = labels.reshape(-1)
    if not np.issubdtype(labels.dtype, np.integer) and not _are_names(labels):
        raise DataError(f"{path}: labels must be class numbers, names, or one-hot rows, got {labels.dtype}")
    if len(labels) != count:
        raise DataError(f"{path}: {count} images but {len(labels)} labels")
    if labels.dtype.kind == "S":
        return np.array([name.decode("utf-8", "replace") for name in labels.tolist()])
    if _are_names(labels):
        return labels
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= MOST_CLASSES:
        raise DataError(f"{path}: labels run from {low} to {high}: number the classes from 0 on")
    return labels.astype(np.int64)


def _is_one_hot(labels: np.ndarray) -> bool:
    """Whether each row has a single one and zeros."""
    return labels.dtype.kind in "biuf" and bool(
        ((labels == 0) | (labels == 1)).all() and (labels.sum(1, dtype=np.float64) == 1).all()
    )


def _numbering(labels: Sequence[np.ndarray], own: tuple[str, ...] | None, classes: tuple[str, ...] | None) -> Numbering:
    if classes is not None:
        return "list"
    return "names" if own is not None or any(_are_names(some) for some in labels) else "numbers"


def _numbered(
    labels: Sequence[np.ndarray], own: tuple[str, ...] | None, classes: tuple[str, ...] | None, *, who: str
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Class numbers of the training and test part, and what the classes are called.

    Args:
        own: class names that the file holds; its numbers count these.
        classes: a list of the user's, in whose order classes are numbered.
    """
    if own is not None and len(set(own)) != len(own):
        raise DataError(f"{who}: class_names has a name twice")
    names = own or classes
    if any(_are_names(some) for some in labels):
        if not all(_are_names(some) for some in labels):
            raise DataError(f"{who}: labels are names in one part and numbers in the other: save both alike")
        names = classes or own or tuple(sorted({str(label) for some in labels for label in some}))
        return [numbers_of([str(label) for label in some], names, who=who) for some in labels], names
    if names is None:
        return list(labels), numbered(1 + max(int(some.max(initial=0)) for some in labels))
    for some in labels:
        check_numbers(some, names, who=who)
    if own is not None and classes is not None and own != classes:
        places = numbers_of(own, classes, who=f"{who}: class_names")
        return [places[some] for some in labels], classes
    return list(labels), names
