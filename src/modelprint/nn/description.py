"""What is said of a model by its caller, by a spec file and by the card in its file, laid one over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import TypeVar

from modelprint.core.errors import ModelError
from modelprint.nn.files import ModelCard
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec_file import SpecFile

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class ArchName:
    """An architecture by name, and how far it is trusted.

    Attributes:
        name: registered, or `file.py:callable`, or `package.module:callable`.
        trusted: whether code may be run for it.
        folder: what a file in the name is relative to.
    """

    name: str
    trusted: bool
    folder: Path = field(default_factory=Path)


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """Per channel on the [0, 1] scale; one value stands for all channels."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Description:
    """A model, as far as one source describes it; None = it does not say.

    Attributes:
        who: the source, for messages.
        channels, size, classes: inputs are (channels, size, size); outputs are (classes,).
    """

    who: str
    arch: ArchName | None = None
    arch_args: Mapping[str, object] | None = None
    normalisation: Normalisation | None = None
    channels: int | None = None
    size: int | None = None
    classes: int | None = None

    def over(self, lower: Description) -> Description:
        """This one, completed by another; the numbers that both give must agree.

        Raises:
            ModelError: they do not.
        """
        same_arch = self.arch is None or (lower.arch is not None and lower.arch.name == self.arch.name)
        tells = any(value is not None for value in (lower.channels, lower.size, lower.classes))
        return Description(
            who=f"{self.who} or {lower.who}" if tells else self.who,
            arch=self.arch or lower.arch,
            arch_args=lower.arch_args if self.arch_args is None and same_arch else self.arch_args,
            normalisation=self.normalisation or lower.normalisation,
            channels=_agreed("channels", self.channels, self.who, lower.channels, lower.who),
            size=_agreed("size", self.size, self.who, lower.size, lower.who),
            classes=_agreed("classes", self.classes, self.who, lower.classes, lower.who),
        )


def layered(*descriptions: Description) -> Description:
    """One description from several, the first of which wins; numbers must agree."""
    return reduce(lambda upper, lower: upper.over(lower), descriptions)


def _agreed(what: str, one: T | None, who: str, other: T | None, other_who: str) -> T | None:
    if one is not None and other is not None and one != other:
        raise ModelError(
            f"{what} differ: {other} by {other_who}, {one} by {who}: use data that the model was made for, "
            "or another model"
        )
    return other if one is None else one


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
    """What the caller says; the code that he names may be run."""
    return Description(
        who="the options",
        arch=None if options.arch is None else ArchName(name=options.arch, trusted=True),
        arch_args=options.arch_args,
        normalisation=normalisation(options.mean, options.std, who=who),
    )


def by_spec_file(spec: SpecFile, path: Path, *, trust_code: bool) -> Description:
    """What a spec file says."""
    return Description(
        who=str(path),
        arch=None if spec.arch is None else ArchName(name=spec.arch, trusted=trust_code, folder=path.parent),
        arch_args=spec.arch_args,
        normalisation=normalisation(spec.mean, spec.std, who=str(path)),
        channels=spec.channels,
        size=spec.size,
        classes=spec.classes,
    )


def by_card(card: ModelCard, path: Path, *, trust_code: bool) -> Description:
    """What the card in a safetensors file says."""
    spec = card.spec
    return Description(
        who=f"the metadata of {path}",
        arch=ArchName(name=spec.arch, trusted=trust_code, folder=path.parent),
        arch_args=spec.arch_args,
        normalisation=normalisation(spec.mean, spec.std, who=str(path)),
        channels=spec.channels,
        size=spec.size,
        classes=spec.classes,
    )
