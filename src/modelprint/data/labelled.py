"""A set of labelled inputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.identity import digest_arrays
from modelprint.data.on_disk import rows
from modelprint.modalities.base import InputSpec, Labelled, Modality
from modelprint.modalities.image import IMAGE

Numbering = Literal["list", "names", "numbers"]


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Inputs and their true labels.

    Attributes:
        name: what the user wrote, "cifar10:train[0:20000]".
        stored: (n, ...), in the type in which the modality stores inputs.
        labels: int64 of shape (n,), in 0..classes - 1.
        class_names: one name per class.
        modality: what kind of inputs these are.
        numbering: what the class numbers rest on: a list, or publication ("list"), the order of names in the data
            ("names"), or numbers alone ("numbers"), so that there may be more classes than the largest label says.
    """

    name: str
    stored: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    modality: Modality = IMAGE
    numbering: Numbering = "list"

    def __post_init__(self) -> None:
        self.modality.check_set(self.stored, who=self.name)
        if len(self.stored) != len(self.labels):
            raise DataError(f"{self.name}: {len(self.stored)} {self.modality.plural} but {len(self.labels)} labels")
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
    def shape(self) -> tuple[int, ...]:
        """Of one input."""
        return tuple(self.stored.shape[1:])

    @property
    def spec(self) -> InputSpec:
        """What models of this task take."""
        return self.modality.spec(self.shape, self.class_names)

    @property
    def pairs(self) -> Labelled:
        """Inputs and labels, without what they are called."""
        return Labelled(stored=self.stored, labels=self.labels)

    @cached_property
    def identity(self) -> str:
        """SHA-256 over inputs and labels."""
        return digest_arrays({self.modality.plural: self.stored, "labels": self.labels})

    def take(self, index: np.ndarray | slice, *, name: str | None = None) -> LabelledSet:
        """Some of the inputs, in the order of the index."""
        return LabelledSet(
            name=name or self.name,
            stored=rows(self.stored, index),
            labels=self.labels[index],
            class_names=self.class_names,
            modality=self.modality,
            numbering=self.numbering,
        )


def shared_inputs(one: LabelledSet, other: LabelledSet) -> int:
    """How many inputs of one set stand in the other, by hash."""
    if one.modality != other.modality or one.shape != other.shape:
        return 0
    known = set(other.modality.hashes(other.stored))
    return sum(value in known for value in one.modality.hashes(one.stored))
