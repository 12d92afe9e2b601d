"""How inputs leave for servers and foreign files: tensors in JSON or in memory, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from jaxtyping import Shaped

from modelprint.core.errors import DataError, MisfitError, SuspectError

Layout = Literal["nchw", "nhwc"]
Number = Literal["float32", "uint8", "text"]
FLOATS: Number = "float32"
BYTES: Number = "uint8"
TEXTS: Number = "text"
NUMBERS: Mapping[str, Number] = {"FP32": FLOATS, "FP64": FLOATS, "UINT8": BYTES, "BYTES": TEXTS}
Picture = Literal["png", "jpeg", "wav"]


@dataclass(frozen=True, kw_only=True)
class TensorForm:
    """How a model wants its tensor, as far as a file or a user says.

    Attributes:
        layout: the order of axes, where a modality has several.
        dtype: of the tensor.
        mean, std: taken off and divided by, where the model does not do that itself.
        size, bgr, value_range: of pictures; as in `ModelOptions`.
        channels: of pictures, where a model takes others than they have.
    """

    layout: Layout | None = None
    dtype: Number = FLOATS
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    size: tuple[int, int] | None = None
    bgr: bool = False
    value_range: tuple[float, float] = (0.0, 1.0)
    channels: int | None = None

    def asks_beyond(self, *known: str) -> bool:
        """Whether it says anything but these fields.

        >>> TensorForm(bgr=True).asks_beyond("mean", "std"), TensorForm(mean=(0.5,)).asks_beyond("mean", "std")
        (True, False)
        """
        return any(
            getattr(self, field.name) not in (field.default, ()) for field in fields(self) if field.name not in known
        )


PLAIN = TensorForm()


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
        datatypes: of the Open Inference Protocol, in which inputs can be sent, the usual one first.
    """

    suffix: ClassVar[str] = ""
    exact: ClassVar[tuple[str, ...]] = ()
    datatypes: ClassVar[tuple[str, ...]] = ("FP32", "FP64")

    def sent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which one input is sent in a tensor.

        Args:
            shape: of one stored input.
        """
        return shape

    def invocation(self, inputs: Shaped[np.ndarray, "n ..."], encoder: Encoder) -> Mapping[str, object]:
        """The JSON by which MLflow's scoring server is asked."""
        return {"inputs": encoder.encode(inputs).tolist()}

    def records(self, inputs: Shaped[np.ndarray, "n ..."]) -> list[Any]:
        """Each input as the JSON value that a server of records gets."""
        records: list[Any] = self.encoder().encode(inputs).tolist()
        return records

    def encoder(self, form: TensorForm = PLAIN) -> Encoder:
        """What makes a model's tensor.

        Raises:
            SuspectError: the form asks for something that this modality does not have.
        """
        if form.asks_beyond():
            raise SuspectError(
                "these inputs are sent as floats as they are: leave layout, dtype, mean, std, size, bgr and range out"
            )
        return PlainEncoder()

    def enlarged(self, one: Shaped[np.ndarray, ...], least: int | None) -> Shaped[np.ndarray, ...]:
        """An input of at least a size, where a server takes no smaller one; as it is, where inputs have no size."""
        return one

    def enlarging(self, shape: tuple[int, ...], least: int | None) -> str | None:
        """What `enlarged` does to inputs of a shape, in words; None where it does nothing."""
        return None

    def size_taken(self, declared: Sequence[int | None], shape: tuple[int, ...]) -> tuple[int, int] | None:
        """The size that a model takes, where it declares another one than inputs have and they can be resized.

        Args:
            declared: sizes, batch axis first; None or -1 where any is taken.
            shape: of one stored input.
        """
        return None

    def other_shapes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        """Shapes of inputs that models may take in place of this one, since `recoloured` makes one of the other."""
        return ()

    def recoloured(self, inputs: Shaped[np.ndarray, "n ..."], channels: int) -> Shaped[np.ndarray, "n ..."]:
        """Inputs of another number of channels.

        Raises:
            MisfitError: this modality has none.
        """
        raise MisfitError(f"these inputs cannot be given {channels} channels")

    def channels_taken(self, declared: Sequence[int | None], shape: tuple[int, ...]) -> int | None:
        """The channels that a model takes, where it declares others than inputs have and they can be recoloured.

        Args:
            declared: sizes, batch axis first; None or -1 where any is taken.
            shape: of one stored input.
        """
        return None

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
            values: float32 (n, ...), or objects where they are texts.

        Raises:
            DataError: numbers that the type does not hold.
        """
        if dtype != "float32":
            raise DataError(f"these inputs are sent as floats, not as {dtype}")
        return values

    def file_type(self, kind: Picture) -> str:
        """The media type of the files that `file` makes when it is asked for a kind."""
        return f"image/{kind}"

    def file(self, one: np.ndarray, kind: Picture = "png") -> bytes:
        """One input as the bytes of a file.

        Raises:
            SuspectError: this modality, or such an input, has no such file.
        """
        raise SuspectError(f"these inputs cannot be sent as {kind.upper()} files: use a protocol that takes tensors")
