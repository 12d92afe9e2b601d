"""How inputs leave for servers and foreign files: tensors in JSON or in memory, and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Shaped

from modelprint.core.errors import DataError, SuspectError

Layout = Literal["nchw", "nhwc"]
Number = Literal["float32", "uint8"]
FLOATS: Number = "float32"
BYTES: Number = "uint8"
Picture = Literal["png", "jpeg"]


class Encoder(Protocol):
    """Turns inputs into a model's tensor."""

    def encode(self, inputs: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
        """The tensor that the model takes."""


class PlainEncoder:
    """Inputs as they are, float32."""

    def encode(self, inputs: Shaped[np.ndarray, "n ..."]) -> Shaped[np.ndarray, "n ..."]:
        """The same numbers."""
        return np.ascontiguousarray(inputs, dtype=np.float32)


class Wire:
    """What a modality sends. This one sends floats as they are, and no files.

    Attributes:
        suffix: of the files that it writes; empty where it writes none.
        exact: codecs of fingerprints whose queries such a file holds as they are.
    """

    suffix: ClassVar[str] = ""
    exact: ClassVar[tuple[str, ...]] = ()

    def encoder(
        self,
        *,
        layout: Layout | None = None,
        dtype: Number = "float32",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Encoder:
        """What makes a model's tensor.

        Args:
            layout: the order of axes, where a modality has several.
            dtype: of the tensor.
            mean, std: taken off and divided by, where the model does not do that itself.

        Raises:
            SuspectError: something that this modality does not have.
        """
        if layout is not None or dtype != "float32" or mean is not None or std is not None:
            raise SuspectError("these inputs are sent as floats as they are: leave layout, dtype, mean and std out")
        return PlainEncoder()

    def layout(self, declared: Sequence[int | None], shape: tuple[int, ...], *, who: str) -> Layout | None:
        """The order of axes in which a model takes inputs, by the shape that it declares, batch axis first.

        Args:
            declared: sizes; None or -1 where any is taken.
            shape: of one stored input.

        Raises:
            MisfitError: inputs of that shape do not fit.
        """
        return None

    def decoded(self, values: np.ndarray, dtype: Number) -> np.ndarray:
        """Inputs from numbers that a client sent as that type.

        Args:
            values: float32 (n, ...).

        Raises:
            DataError: numbers that the type does not hold.
        """
        if dtype != "float32":
            raise DataError(f"these inputs are sent as floats, not as {dtype}")
        return values

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """One input as the bytes of a file.

        Raises:
            SuspectError: this modality, or such an input, has no such file.
        """
        raise SuspectError(f"these inputs cannot be sent as {kind.upper()} files: use a protocol that takes tensors")
