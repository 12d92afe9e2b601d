"""Vectors as a server gets them: floats in tensors, rows with the names of their columns, JSON records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int32, Shaped

from modelprint.core.errors import DataError, MisfitError, SuspectError
from modelprint.modalities.vector.spec import Column
from modelprint.modalities.vector.storage import STORED, as_levels, spans
from modelprint.modalities.wire import PLAIN, Encoder, Layout, Number, Picture, TensorForm, Wire

Cell = float | int | str


def values_of(levels: Int32[np.ndarray, "n columns"], columns: Sequence[Column]) -> Float[np.ndarray, "n columns"]:
    """The values that stand in a table, float64; of categories, their numbers in the list."""
    parts = [column.values(levels[:, place]) for place, column in enumerate(columns)]
    return np.stack(parts, axis=1) if parts else levels.astype(np.float64)


def rows_of(levels: Int32[np.ndarray, "n columns"], columns: Sequence[Column]) -> list[list[Cell]]:
    """The rows of a table: whole numbers, numbers with a point, and names of categories."""
    values = values_of(levels, columns)
    parts: list[list[Cell]] = []
    for place, column in enumerate(columns):
        if column.categories is not None:
            parts.append([column.categories[level] for level in levels[:, place]])
        else:
            parts.append([int(value) if column.whole else float(value) for value in values[:, place]])
    return [list(row) for row in zip(*parts, strict=True)]


def levels_of(values: Float[np.ndarray, "n columns"], columns: Sequence[Column]) -> Int32[np.ndarray, "n columns"]:
    """The levels of values as they stand in a table, categories by their numbers; beyond the ends, the ends.

    Raises:
        DataError: another number of columns, NaN, or a number that is no category's.
    """
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise DataError(f"expected rows of {len(columns)} columns, got shape {values.shape}")
    levels = np.empty(values.shape, STORED)
    for place, column in enumerate(columns):
        cells = values[:, place]
        strange = ~np.isfinite(cells)
        if column.categories is not None:
            strange |= (cells != np.rint(cells)) | (cells < 0) | (cells >= column.levels)
        if strange.any():
            row = int(np.flatnonzero(strange)[0])
            wanted = "a number" if column.categories is None else f"the number of a category, 0 to {column.levels - 1}"
            raise DataError(f"row {row}, column {column.name}: {cells[row]} is not {wanted}")
        levels[:, place] = column.levels_of(cells)
    return levels


@dataclass(frozen=True, kw_only=True)
class VectorEncoder:
    """Makes a model's tensor: float32, the values that stand in the table.

    Attributes:
        mean, std: of each column, or of all; taken off and divided by.
    """

    columns: tuple[Column, ...]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def encode(self, inputs: Shaped[np.ndarray, "n columns"]) -> Float[np.ndarray, "n columns"]:
        """The tensor that the model takes."""
        values = values_of(as_levels(inputs, spans(self.columns)), self.columns)
        if set(self.mean) != {0.0} or set(self.std) != {1.0}:
            values = (values - np.array(self.mean)) / np.array(self.std)
        return np.ascontiguousarray(values, dtype=np.float32)


class VectorWire(Wire):
    """Floats as they stand in the table, and JSON records with the names of the columns."""

    suffix: ClassVar[str] = "json"
    exact: ClassVar[tuple[str, ...]] = ("int32-steps",)

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def encoder(self, form: TensorForm = PLAIN) -> Encoder:
        """The values of the table, perhaps normalised by the mean and spread of each column."""
        if form.asks_beyond("mean", "std"):
            raise SuspectError(
                "vectors are sent as floats as they stand in the table: leave layout, dtype, size, bgr out"
            )
        for numbers in (form.mean, form.std):
            if numbers is not None and len(numbers) not in (1, len(self.columns)):
                raise SuspectError(f"{len(numbers)} means or stds for {len(self.columns)} columns: give one per column")
        return VectorEncoder(
            columns=self.columns,
            mean=(0.0,) if form.mean is None else tuple(form.mean),
            std=(1.0,) if form.std is None else tuple(form.std),
        )

    def invocation(self, inputs: Shaped[np.ndarray, "n columns"], encoder: Encoder) -> Mapping[str, object]:
        """A data frame, split into the names of its columns and its rows."""
        levels = as_levels(inputs, spans(self.columns))
        names = [column.name for column in self.columns]
        return {"dataframe_split": {"columns": names, "data": rows_of(levels, self.columns)}}

    def layout(self, declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout | None:
        """None; a model must take as many columns as there are."""
        wanted = [None if size is None or size < 0 else size for size in declared[1:]]
        if wanted and wanted not in ([None], [shape[0]]):
            taken = " x ".join("any" if size is None else str(size) for size in wanted)
            raise MisfitError(
                f"{who} takes {taken} numbers, the vectors have {shape[0]} columns: it was made for another table, or "
                "this is the wrong fingerprint"
            )
        return None

    def decoded(self, values: np.ndarray, dtype: Number) -> Int32[np.ndarray, "n columns"]:
        """Levels of what a client sent: values as they stand in the table."""
        if dtype != "float32":
            raise DataError(f"vectors are sent as floats, not as {dtype}")
        return levels_of(values, self.columns)

    def records(self, inputs: Shaped[np.ndarray, "n columns"]) -> list[Any]:
        """Each row as an object with the names of the columns."""
        names = [column.name for column in self.columns]
        rows = rows_of(as_levels(inputs, spans(self.columns)), self.columns)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """A JSON object of one row."""
        if one.dtype.kind == "f":
            raise SuspectError("vectors of floats cannot be written as rows, which would round them")
        return json.dumps(self.records(one[None])[0], ensure_ascii=False).encode()
