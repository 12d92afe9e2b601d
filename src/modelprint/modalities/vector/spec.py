"""What a classifier of vectors takes: the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from modelprint.core.records import Record
from modelprint.modalities.base import InputSpec

MOST_COLUMNS = 4096
MOST_LEVELS = 2**20  # of a column, so that float32 counts them exactly
MOST_CATEGORIES = 10_000
LONGEST_NAME = 200  # characters of a column's name


class Column(Record):
    """One column: numbers from the least to the largest in even steps, or one of some categories.

    Attributes:
        low: the least value.
        step: between neighbouring values, a power of ten, or the distance of whole numbers.
        levels: how many values there are.
        decimals: digits behind the point with which values are written; 0 of whole numbers.
        categories: the values in order, where they are names; their numbers are the levels.
    """

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    low: float = Field(default=0.0, allow_inf_nan=False)
    step: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    levels: int = Field(ge=1, le=MOST_LEVELS)
    decimals: int = Field(default=0, ge=0, le=30)
    categories: tuple[str, ...] | None = Field(default=None, max_length=MOST_CATEGORIES)

    @model_validator(mode="after")
    def _as_many_levels(self) -> Self:
        if self.categories is not None and len(self.categories) != self.levels:
            raise ValueError(f"column {self.name}: {len(self.categories)} categories, but {self.levels} levels")
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.categories is None and self.decimals == 0

    @property
    def high(self) -> float:
        """The largest value."""
        return float(self.values(np.array([self.levels - 1]))[0])

    def values(self, levels: np.ndarray) -> Float[np.ndarray, ...]:
        """The values of levels, float64, with no more digits than are written.

        >>> Column(name="width", low=0.3, step=0.1, levels=10, decimals=1).values(np.array([0, 3])).tolist()
        [0.3, 0.6]
        """
        values: np.ndarray = np.round(self.low + self.step * levels.astype(np.float64), self.decimals)
        return values

    def levels_of(self, values: np.ndarray) -> Float[np.ndarray, ...]:
        """The nearest levels of values, float64; those beyond the ends take the ends."""
        levels: np.ndarray = np.rint((values.astype(np.float64) - self.low) / self.step).clip(0, self.levels - 1)
        return levels


class VectorSpec(InputSpec):
    """Vectors of named columns."""

    modality: Literal["vector"] = "vector"
    version: Literal[1] = 1
    columns: tuple[Column, ...] = Field(min_length=1, max_length=MOST_COLUMNS)

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [column.name for column in self.columns]
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise ValueError(f"column {twice!r} is there twice")
        return self

    @property
    def shape(self) -> tuple[int]:
        """(columns,)."""
        return (len(self.columns),)

    @property
    def modality_name(self) -> str:
        """Always "vector"."""
        return self.modality

    @property
    def described(self) -> str:
        """How many columns, in words."""
        listed = sum(column.categories is not None for column in self.columns)
        return f"{len(self.columns)} columns" + (f", {listed} of categories" if listed else "")

    @property
    def numbers(self) -> Mapping[str, int]:
        """The number of columns, as code usually calls it."""
        return dict.fromkeys(
            ("features", "in_features", "n_features", "num_features", "columns", "input_size"), len(self.columns)
        )


def plain_columns(count: int) -> tuple[Column, ...]:
    """Columns of which nothing is known but that they lie between 0 and 1.

    >>> plain_columns(2)[1].name
    'x2'
    """
    levels = 2**16 + 1
    return tuple(
        Column(name=f"x{number}", step=1 / (levels - 1), levels=levels, decimals=17) for number in range(1, count + 1)
    )
