"""The face of every modality: all that the rest of the package asks about inputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped
from pydantic import Field

from modelprint.core.convention import Convention
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.core.identity import stored_hashes
from modelprint.core.input_words import InputWords
from modelprint.core.records import Record
from modelprint.core.registry import Registry
from modelprint.modalities.space import Box, Space
from modelprint.modalities.transform import Points, Transform
from modelprint.modalities.wire import Wire

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Stored = Shaped[np.ndarray, "n ..."]


class InputSpec(Record):
    """What models of a task take, and the classes they tell apart; each modality has its own, with a version.

    A manifest of before modalities names none: its inputs are images.
    """

    class_names: tuple[str, ...] = Field(min_length=2)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one stored input."""
        raise NotImplementedError

    @property
    def modality_name(self) -> str:
        """Under which the modality is registered."""
        raise NotImplementedError

    @property
    def described(self) -> str:
        """The size of an input, in words."""
        return " x ".join(map(str, self.shape))

    @property
    def numbers(self) -> Mapping[str, int]:
        """What code that builds networks may want to know of inputs, by the names that its arguments usually have."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """What is taken off points, and what they are divided by: one number for each channel or column, or for all."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Stored inputs, and their labels."""

    stored: Stored
    labels: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Labelled:
        """Some of them."""
        return Labelled(stored=self.stored[index], labels=self.labels[index])

    def joined(self, other: Labelled) -> Labelled:
        """These, then those."""
        return Labelled(
            stored=np.concatenate([self.stored, other.stored]), labels=np.concatenate([self.labels, other.labels])
        )


class Modality(ABC):
    """One kind of input.

    *Stored* inputs are what data sets and fingerprints hold and APIs carry; *points* are what models take, floats.

    Attributes:
        name: under which it is registered, and which specs carry.
        singular, plural: what one input, and several, are called in messages.
        parts: what the numbers of an input are called in reports, several of them.
        codecs: the types in which a fingerprint may hold queries, by the name in its manifest, the usual one first.
        transforms: what may happen to inputs on the way, by name: evasions, and what enrollment can expect.
        mixes: whether `mix` makes new inputs.
        reshapes: whether `brought` takes inputs of another shape, such as rows with further columns.
        learning_rate: the highest at which one-cycle SGD trains small networks of such inputs.
    """

    name: ClassVar[str]
    singular: ClassVar[str]
    plural: ClassVar[str]
    parts: ClassVar[str] = "values"
    codecs: ClassVar[Mapping[str, np.dtype[Any]]]
    transforms: Registry[type[Transform]]
    wire: Wire = Wire()
    mixes: ClassVar[bool] = False
    reshapes: ClassVar[bool] = False
    learning_rate: ClassVar[float] = 0.1

    @property
    def words(self) -> InputWords:
        """What reports call inputs."""
        article = "an" if self.singular[0] in "aeiou" else "a"
        return InputWords(one=f"{article} {self.singular}", name=self.singular, names=self.plural, parts=self.parts)

    @property
    @abstractmethod
    def space(self) -> Space:
        """Where points lie."""

    @abstractmethod
    def spec(self, shape: tuple[int, ...], class_names: Sequence[str]) -> InputSpec:
        """What models take whose stored inputs have a shape."""

    @abstractmethod
    def read_spec(self, fields: Mapping[str, Any]) -> InputSpec:
        """The spec that a manifest holds.

        Raises:
            ValueError: fields that this version does not know, or that are missing.
        """

    def of(self, spec: InputSpec) -> Modality:
        """The modality as inputs of a spec have it; another one only where the space or the wire depends on the spec.

        Such a modality compares equal to another of the same spec.
        """
        return self

    def brought(self, stored: Stored, own: Modality, *, who: str) -> Stored:
        """Stored inputs of another set as this one stores them: columns by name, ranges and steps of its own.

        Args:
            own: the modality of these inputs, of the same name.
            who: the set, for messages.

        Raises:
            DataError: they lack something that inputs of this modality have.
        """
        return stored

    def scale(self, stored: Stored, *, block: int | None = None) -> Scale | None:
        """Mean and spread by which models normalise points; None where they take them as they are.

        Args:
            block: so many inputs are looked at at a time, in double precision; all at once unless given.
        """
        return None

    def for_code(self, inputs: np.ndarray) -> Any:
        """Inputs as a user's own function gets them; stored ones as they are stored, unless that says little."""
        return inputs

    @abstractmethod
    def check_set(self, stored: np.ndarray, *, who: str) -> None:
        """Refuse what no data set of this modality holds.

        Raises:
            DataError: another type or number of axes.
        """

    @abstractmethod
    def check(self, inputs: np.ndarray) -> None:
        """Refuse what no model of this modality is asked: neither stored inputs nor points.

        Raises:
            DataError: another type or number of axes, NaN, or points outside the space.
        """

    @abstractmethod
    def to_model(
        self,
        inputs: np.ndarray | Tensor,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Stored inputs as points on a device (their own unless named); points in that precision.

        Args:
            dtype: float32 unless named.
        """

    @abstractmethod
    def to_stored(self, points: Tensor) -> Tensor:
        """Points rounded to what is stored, on their device; they must lie in the space."""

    @abstractmethod
    def as_points(self, inputs: np.ndarray) -> Points:
        """As `to_model`, but arrays: float32, on this machine."""

    def hashes(self, stored: Stored) -> list[str]:
        """SHA-256 of each input, in hexadecimal."""
        return stored_hashes(stored)

    def codec(self, stored: Stored) -> str:
        """The name of the type in which inputs are stored.

        Raises:
            FingerprintError: none of the modality's types.
        """
        for name, dtype in self.codecs.items():
            if stored.dtype == dtype:
                return name
        raise FingerprintError(f"{self.plural} are stored as {', '.join(self.codecs)}, got {stored.dtype}")

    def stored_as(self, codec: str) -> str:
        """What a codec is called in a report."""
        return "32-bit floats" if self.codecs[codec].kind == "f" else f"{self.plural} of {self.codecs[codec]}"

    def rounded(self, points: Tensor) -> Tensor:
        """What a model sees of points once they are stored, in their own precision."""
        return self.to_model(self.to_stored(points), dtype=points.dtype)

    @property
    def box(self) -> Box:
        """The space, where it is continuous.

        Raises:
            FingerprintError: it is not.
        """
        if isinstance(self.space, Box):
            return self.space
        raise FingerprintError(f"{self.plural} cannot be moved along gradients: choose another scheme")

    def whole_steps(self, change: float) -> float:
        """The largest change, no larger than this one, that storing leaves as it is."""
        step = self.box.step
        return int(change / step + 1e-6) * step

    def within(self, points: Tensor, change: float) -> tuple[Tensor, Tensor]:
        """The least and largest point that can be stored, no farther than a change from each coordinate."""
        box, reach = self.box, self.whole_steps(change)
        return box.clip(points - reach), box.clip(points + reach)

    def steps(self, inputs: Stored) -> Float[np.ndarray, "n ..."]:
        """Inputs, stored or points, counted in steps between values that can be stored, float64."""
        return self.as_points(inputs).astype(np.float64) / self.box.step

    def largest_change(self, one: Stored, other: Stored) -> Float[np.ndarray, " n"]:
        """The L-infinity distance of each pair of inputs, on the scale of points."""
        change: np.ndarray = np.abs(self.as_points(other) - self.as_points(one)).reshape(len(one), -1).max(1)
        return change

    @property
    def changes(self) -> tuple[float, ...]:
        """Sizes of universal perturbations to try, in order: from hardly seen to plain.

        On the scale of points; of tokens, shares of the longest input.
        """
        return tuple(share * self.box.span for share in (0.04, 0.06, 0.08, 0.12, 0.16, 0.2, 0.25))

    def rows(self, points: Tensor) -> Tensor:
        """The same points as a view in which each is one stretch of memory."""
        return points

    def from_rows(self, rows: Tensor) -> Tensor:
        """The points that such a view is of."""
        return rows

    def augmented(self, stored: Tensor, kind: str, *, shift: int, generator: torch.Generator) -> Tensor:
        """Stored inputs as training sees them, each changed on its own without changing its class.

        Args:
            kind: "none", or what the modality knows.
            shift: how far inputs are moved, by kinds that move them.

        Raises:
            UsageError: the modality does not know that kind.
        """
        if kind == "none":
            return stored
        raise UsageError(f"{self.plural} are not augmented by {kind!r}: use augment=none")

    def usual_shift(self, shape: tuple[int, ...]) -> int:
        """How far training moves inputs of a shape, unless a recipe says it; 0: not at all."""
        return 0

    def mix(self, data: Labelled, count: int, *, generator: torch.Generator) -> Labelled:
        """New inputs, each made from two of different classes, with the class of the larger part.

        Raises:
            UsageError: this modality mixes nothing.
            ValueError: all inputs are of one class.
        """
        raise UsageError(f"{self.plural} cannot be mixed: choose a scheme or a setting that does not ask for it")

    def neighbours(self, data: Labelled) -> Labelled:
        """A new input beside each, of the same class, in order; none where the modality knows of no such change."""
        return data.take(np.arange(0))

    def swapped(self, one: Shaped[np.ndarray, ...]) -> Stored:
        """All inputs that differ from one by a single swap that people hardly notice; none in a continuous space."""
        return one[None][:0]

    def share_changed(self, one: Shaped[np.ndarray, ...], others: Stored) -> Float[np.ndarray, " n"]:
        """The share of an input that each other one, made from it by swaps, says otherwise: of texts, of the words."""
        return np.ones(len(others))

    @property
    def front_tokens(self) -> Shaped[np.ndarray, " tokens"]:
        """The tokens that a trigger in front of inputs is written in; none in a continuous space."""
        return np.zeros(0)

    def fronted(self, stored: Stored, front: Shaped[np.ndarray, " size"]) -> Stored:
        """Inputs with tokens in front, cut at their end where they grow too long; as they are in a continuous space."""
        return stored

    def drawn(self, shape: tuple[int, ...], count: int, *, generator: torch.Generator) -> Stored:
        """Stored inputs of uniform random coordinates."""
        import torch

        box = self.box
        unit = torch.rand((count, *shape), generator=generator)
        return self.to_stored(box.low + box.span * unit).numpy()

    def conventions(self, shape: tuple[int, ...]) -> Sequence[Sequence[Convention]]:
        """Ways in which models may want inputs of a shape prepared, in groups: the next where none of the last fits."""
        return ()

    def picture(self, stored: np.ndarray, *, before: np.ndarray | None = None) -> str | None:
        """One input as a picture's data URI for reports; None where there is no way to show it.

        Args:
            before: the input that it was made from, where that is known: what differs may be marked.
        """
        return None


MODALITIES: Registry[Modality] = Registry("modality", group="modelprint.modalities")


def read_spec(fields: Mapping[str, Any]) -> InputSpec:
    """The spec of a manifest; one that names no modality is of images.

    Raises:
        ValueError: a modality that is not registered, or fields that it does not know.
    """
    name = str(fields.get("modality", "image"))
    if name not in MODALITIES:
        raise ValueError(f"inputs are of modality {name!r}: this version knows {', '.join(MODALITIES)}")
    return MODALITIES[name].read_spec(fields)


def modality_of(spec: InputSpec) -> Modality:
    """The modality that a spec is of, as that spec has it."""
    return MODALITIES[spec.modality_name].of(spec)
