"""What is said of a model by its caller, by files beside it and by the card in its file, laid one over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import TypeVar

from modelprint.core.errors import ModelError
from modelprint.modalities.base import InputSpec, modality_of
from modelprint.nn.arch_names import located, same_arch
from modelprint.nn.class_count import LISTED, ClassCountError
from modelprint.nn.files import ModelCard
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec_file import SpecFile

T = TypeVar("T")
OF_DATA = "the data"


@dataclass(frozen=True, kw_only=True)
class ArchName:
    """An architecture by name, and how far it is trusted.

    Attributes:
        name: as `nn.arch_names` reads it, with files where they lie.
        trusted: whether code may be run for it.
        folder: where modules of `package.module:callable` are looked for, too.
        code: SHA-256 that its code had when the model was made, where that is known.
    """

    name: str
    trusted: bool
    folder: Path = field(default_factory=Path)
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """Per channel; one value stands for all channels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model, as far as one source describes it; None = it does not say.

    Attributes:
        who: the source, for messages.
        channels, height, size, classes: inputs are (channels, height, size); outputs are (classes,).
        inputs: of another modality than images, in place of channels, height and size.
        class_names: in the order of the outputs; of configs that name them.
        bgr, value_range, resize_to, head: as in `ModelSpec`.
    """

    who: str
    arch: ArchName | None = None
    arch_args: Mapping[str, object] | None = None
    normalisation: Normalisation | None = None
    channels: int | None = None
    height: int | None = None
    size: int | None = None
    classes: int | None = None
    inputs: InputSpec | None = None
    class_names: tuple[str, ...] | None = None
    bgr: bool | None = None
    value_range: tuple[float, float] | None = None
    resize_to: tuple[int, int] | None = None
    head: str | None = None

    def over(self, lower: Description) -> Description:
        """This one, completed by another; the numbers that both give must agree.

        Raises:
            ModelError: they do not.
        """
        same = self.arch is None or (lower.arch is not None and same_arch(lower.arch.name, self.arch.name))
        arch = self.arch or lower.arch
        if self.arch is not None and lower.arch is not None and same:
            arch = replace(self.arch, code=self.arch.code or lower.arch.code)
        tells = any(value is not None for value in (lower.channels, lower.size, lower.classes))
        return Description(
            who=f"{self.who} or {lower.who}" if tells else self.who,
            arch=arch,
            arch_args=lower.arch_args if self.arch_args is None and same else self.arch_args,
            normalisation=self.normalisation or lower.normalisation,
            channels=_agreed("channels", self.channels, self.who, lower.channels, lower.who),
            size=_agreed("size", self.size, self.who, lower.size, lower.who),
            height=_agreed("height", self.height, self.who, lower.height, lower.who),
            classes=_agreed("classes", self.classes, self.who, lower.classes, lower.who),
            inputs=_same_inputs(self, lower),
            class_names=self.class_names or lower.class_names,
            bgr=lower.bgr if self.bgr is None else self.bgr,
            value_range=self.value_range or lower.value_range,
            resize_to=self.resize_to or lower.resize_to,
            head=self.head or lower.head,
        )

    def without_size(self) -> Description:
        """The same, as if nothing were said of the size of inputs."""
        return replace(self, height=None, size=None, resize_to=None)


def layered(*descriptions: Description) -> Description:
    """One description from several, the first of which wins; numbers must agree.

    Raises:
        ModelError: they do not.
    """
    return reduce(lambda upper, lower: upper.over(lower), descriptions)


def _agreed(what: str, one: T | None, who: str, other: T | None, other_who: str) -> T | None:
    if one is not None and other is not None and one != other:
        hint = f", or give --size {other} to have images resized" if what in ("size", "height") else ""
        text = (
            f"{what} differ: {other} by {other_who}, {one} by {who}: use data that the model was made for, "
            f"or another model{hint}"
        )
        if what == "classes" and isinstance(one, int) and isinstance(other, int):
            raise ClassCountError(f"{text}; {LISTED}", classes=one if other_who == OF_DATA else other)
        raise ModelError(text)
    return other if one is None else one


def _same_inputs(one: Description, other: Description) -> InputSpec | None:
    """What inputs of another modality than images are, by the one that a model brings, else by the data."""
    given = [each for each in (one, other) if each.inputs is not None]
    images = [each for each in (one, other) if each.inputs is None and each.channels is not None]
    if given and images:
        named, what = given[0], given[0].inputs
        assert what is not None
        raise ModelError(
            f"{named.who} is of {modality_of(what).plural}, {images[0].who} of images: use data that the model was "
            "made for"
        )
    if len(given) < 2:
        return given[0].inputs if given else None
    brought, own = (each.inputs for each in sorted(given, key=lambda each: each.who == OF_DATA))
    assert brought is not None
    assert own is not None
    other_shape = brought.shape != own.shape and not modality_of(brought).reshapes
    if brought.modality_name != own.modality_name or other_shape:
        raise ModelError(
            f"the model takes {modality_of(brought).plural} of {brought.described}, the data are "
            f"{modality_of(own).plural} of {own.described}: use data that the model was made for"
        )
    return brought


def normalisation(mean: Sequence[float] | None, std: Sequence[float] | None, *, who: str) -> Normalisation | None:
    """A normalisation from what was said; None when nothing was.

    >>> normalisation([0.5], [0.25], who="x")
    Normalisation(mean=(0.5,), std=(0.25,))

    Raises:
        ModelError: one without the other, or a standard deviation that is not positive.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise ModelError(f"{who}: mean and std go together, got mean={mean}, std={std}: give both, or neither")
    if not mean or not std or not all(value > 0 for value in std):
        raise ModelError(f"{who}: expected a mean and a positive std per channel, got mean={mean}, std={std}")
    return Normalisation(mean=tuple(map(float, mean)), std=tuple(map(float, std)))


def by_options(options: ModelOptions, *, who: str) -> Description:
    """What the caller says; the code that he names may be run. His `size` is the loader's business."""
    arch = None if options.arch is None else ArchName(name=located(options.arch, Path()), trusted=True)
    return Description(
        who="the options",
        arch=arch,
        arch_args=options.arch_args,
        normalisation=normalisation(options.mean, options.std, who=who),
        bgr=options.bgr,
        value_range=options.value_range,
        head=options.head,
    )


def by_spec_file(spec: SpecFile, path: Path, *, options: ModelOptions) -> Description:
    """What a spec file says."""
    return Description(
        who=str(path),
        arch=None if spec.arch is None else _named_by_file(spec.arch, path.parent, options),
        arch_args=spec.arch_args,
        normalisation=normalisation(spec.mean, spec.std, who=str(path)),
        channels=spec.channels,
        size=spec.size,
        height=spec.height or spec.size,
        classes=spec.classes,
        bgr=spec.bgr,
        value_range=spec.value_range,
        head=spec.head,
    )


def by_card(card: ModelCard, path: Path, *, options: ModelOptions) -> Description:
    """What the card in a safetensors file says."""
    spec = card.spec
    return Description(
        who=f"the metadata of {path}",
        arch=replace(_named_by_file(spec.arch, path.parent, options), code=spec.code),
        arch_args=spec.arch_args,
        normalisation=normalisation(spec.mean, spec.std, who=str(path)),
        channels=spec.channels,
        size=spec.size,
        height=spec.height or spec.size,
        classes=spec.classes,
        inputs=None if spec.input is None else spec.inputs,
        class_names=spec.class_names,
        bgr=spec.bgr,
        value_range=spec.value_range,
        resize_to=spec.resize_to,
        head=spec.head,
    )


def _named_by_file(arch: str, folder: Path, options: ModelOptions) -> ArchName:
    """An architecture that a file names: its code is trusted if the user says so, or named the very same code."""
    name = located(arch, folder)
    known = options.arch is not None and same_arch(located(options.arch, Path()), name)
    return ArchName(name=name, trusted=options.trust_code or known, folder=folder)
