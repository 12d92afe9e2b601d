"""Vectors as a modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int32

from modelprint.core.errors import DataError
from modelprint.core.registry import Registry
from modelprint.modalities.base import MODALITIES, InputSpec, Labelled, Modality, Scale
from modelprint.modalities.space import Box
from modelprint.modalities.transform import Points, Transform
from modelprint.modalities.vector import mixing, storage
from modelprint.modalities.vector.bringing import brought
from modelprint.modalities.vector.picture import svg_uri
from modelprint.modalities.vector.spec import Column, VectorSpec, plain_columns
from modelprint.modalities.vector.transforms import TRANSFORMS
from modelprint.modalities.vector.wire import VectorWire, rows_of, values_of
from modelprint.modalities.wire import Wire

if TYPE_CHECKING:
    import torch
    from torch import Tensor


LEAST_SPREAD = 0.02  # of a column's range: where nearly all cells are equal, the others would be far outside


class Vector(Modality):
    """Rows of a table; models take each column from 0, its least value, to 1, its largest.

    The registered one has no columns of its own; data sets and fingerprints have one with theirs.

    Attributes:
        columns: as in `VectorSpec`.
    """

    name: ClassVar[str] = "vector"
    singular: ClassVar[str] = "vector"
    plural: ClassVar[str] = "vectors"
    parts: ClassVar[str] = "cells"
    codecs: ClassVar[Mapping[str, np.dtype[Any]]] = {"int32-steps": storage.STORED, "float32": storage.POINTS}
    transforms: Registry[type[Transform]] = TRANSFORMS
    mixes: ClassVar[bool] = True
    reshapes: ClassVar[bool] = True
    learning_rate: ClassVar[float] = 0.05  # layers without BatchNorm diverge sooner

    def __init__(self, columns: tuple[Column, ...] = ()) -> None:
        self.columns = columns
        self.span = storage.spans(columns)
        self.wire: Wire = VectorWire(columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and self.columns == other.columns

    def __hash__(self) -> int:
        return hash((self.name, self.columns))

    @property
    def space(self) -> Box:
        """[0, 1]; the step is that of the finest column."""
        return Box(low=0.0, high=1.0, step=1 / float(self.span.max(initial=1.0)))

    def spec(self, shape: tuple[int, ...], class_names: Sequence[str]) -> VectorSpec:
        """The columns and the classes."""
        return VectorSpec(columns=self.columns or plain_columns(shape[0]), class_names=tuple(class_names))

    def read_spec(self, fields: Mapping[str, Any]) -> VectorSpec:
        """The spec of a manifest."""
        return VectorSpec.model_validate(fields)

    def of(self, spec: InputSpec) -> Vector:
        """Vectors of these columns."""
        assert isinstance(spec, VectorSpec)
        return Vector(spec.columns)

    def brought(self, stored: np.ndarray, own: Modality, *, who: str) -> Int32[np.ndarray, "n columns"]:
        """Rows of another table: columns by name, in this order and these steps; beyond the ends, the ends."""
        assert isinstance(own, Vector)
        return brought(storage.as_levels(stored, own.span), own.columns, self.columns, who=who)

    def scale(self, stored: np.ndarray, *, block: int | None = None) -> Scale:
        """Of each column, to four digits; categories stay as they are."""
        points = self.as_points(stored).astype(np.float64)
        listed = np.array([column.categories is not None for column in self.columns], dtype=bool)
        mean = np.where(listed, 0.0, points.mean(axis=0))
        std = np.where(listed, 1.0, np.maximum(points.std(axis=0), LEAST_SPREAD))
        return Scale(mean=tuple(np.round(mean, 4).tolist()), std=tuple(np.round(std, 4).tolist()))

    def check_set(self, stored: np.ndarray, *, who: str) -> None:
        """Refuse all but steps of the columns."""
        if stored.ndim != 2 or stored.dtype != storage.STORED:
            raise DataError(f"{who}: expected int32 (n, columns), got {stored.dtype} {stored.shape}")

    def check(self, inputs: np.ndarray) -> None:
        """Refuse what are neither steps of these columns nor points in [0, 1]."""
        storage.check_vectors(inputs, self.columns)

    def to_model(
        self,
        inputs: np.ndarray | Tensor,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Float[Tensor, "n columns"]:
        """Floats in [0, 1]."""
        return storage.to_model(inputs, self.span, device=device, dtype=dtype)

    def to_stored(self, points: Tensor) -> Int32[Tensor, "n columns"]:
        """The nearest steps, whole numbers and categories."""
        return storage.to_stored(points, self.span)

    def as_points(self, inputs: np.ndarray) -> Points:
        """Float32 in [0, 1]."""
        return storage.as_points(inputs, self.span)

    def for_code(self, inputs: np.ndarray) -> Float[np.ndarray, "n columns"]:
        """Float32, the values that stand in the table; of categories, their numbers."""
        if not self.columns:
            return self.as_points(inputs)
        return values_of(storage.as_levels(inputs, self.span), self.columns).astype(np.float32)

    def stored_as(self, codec: str) -> str:
        """Steps of the columns, or floats."""
        return "steps of each column" if codec == "int32-steps" else super().stored_as(codec)

    def whole_steps(self, change: float) -> float:
        """The change itself: each column has steps of its own."""
        return change

    def within(self, points: Tensor, change: float) -> tuple[Tensor, Tensor]:
        """The least and largest value of each cell, on whole steps of its column."""
        import torch

        span = torch.as_tensor(self.span, dtype=points.dtype, device=points.device)
        steps, at = (change * span + 1e-6).floor(), (points * span).round()
        return (at - steps).clamp_(min=0).div_(span), torch.minimum(at + steps, span).div_(span)

    def steps(self, inputs: np.ndarray) -> Float[np.ndarray, "n columns"]:
        """Steps of each column."""
        levels: np.ndarray = inputs.astype(np.float64)
        return levels * self.span if inputs.dtype.kind == "f" else levels

    def mix(self, data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
        """Some cells of one row in another."""
        return mixing.cells_mixed(data, count, generator=generator)

    def neighbours(self, data: Labelled) -> Labelled:
        """One cell of each row moved by a step."""
        return mixing.moved(data, self.span)

    def picture(self, stored: np.ndarray, *, before: np.ndarray | None = None) -> str | None:
        """A table of names and values, in which changed cells are marked."""
        if not self.columns:
            return None
        names = [column.name for column in self.columns]
        return svg_uri(names, self._cells(stored), before=None if before is None else self._cells(before))

    def _cells(self, stored: np.ndarray) -> list[str]:
        (row,) = rows_of(storage.as_levels(stored[None], self.span), self.columns)
        return [str(cell) for cell in row]


VECTOR = Vector()
MODALITIES.register("vector")(VECTOR)
