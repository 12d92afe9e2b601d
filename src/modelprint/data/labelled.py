"""A set of labelled 8-bit images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_arrays, stored_hashes
from modelprint.data.on_disk import rows


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Images and their true labels.

    Attributes:
        name: what the user wrote, "cifar10:train[0:20000]".
        stored: uint8 of shape (n, channels, height, width).
        labels: int64 of shape (n,), in 0..classes - 1.
        class_names: one name per class.
    """

    name: str
    stored: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.stored.ndim != 4 or self.stored.dtype != np.uint8:
            raise DataError(f"{self.name}: expected uint8 (n, c, h, w), got {self.stored.dtype} {self.stored.shape}")
        if len(self.stored) != len(self.labels):
            raise DataError(f"{self.name}: {len(self.stored)} images but {len(self.labels)} labels")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < self.classes:
            raise DataError(
                f"{self.name}: labels run from {self.labels.min()} to {self.labels.max()}, "
                f"expected 0 to {self.classes - 1}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        channels, height, width = self.stored.shape[1:]
        return channels, height, width

    @cached_property
    def identity(self) -> str:
        """SHA-256 over images and labels."""
        return digest_arrays({"images": self.stored, "labels": self.labels})

    def take(self, index: np.ndarray | slice, *, name: str | None = None) -> LabelledSet:
        """Some of the images, in the order of the index."""
        return LabelledSet(
            name=name or self.name,
            stored=rows(self.stored, index),
            labels=self.labels[index],
            class_names=self.class_names,
        )


def shared_inputs(one: LabelledSet, other: LabelledSet) -> int:
    """How many images of one set stand in the other, by hash of their pixels."""
    if one.shape != other.shape:
        return 0
    known = set(stored_hashes(other.stored))
    return sum(value in known for value in stored_hashes(one.stored))
