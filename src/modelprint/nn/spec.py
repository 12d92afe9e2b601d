"""What a model file says about itself: architecture, arguments, input, preprocessing; and how to build it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from torch import Tensor, nn

from modelprint.core.identity import canonical_json
from modelprint.core.records import Record
from modelprint.modalities.base import MODALITIES, InputSpec, Modality, modality_of, read_spec
from modelprint.nn.arch_names import kind_of
from modelprint.nn.architectures import Normalized
from modelprint.nn.bodies import build_body

MAX_SIDE = 4096
MAX_CLASSES = 100_000
MAX_ARGUMENT = 10_000

ArchArgument = int | float | bool | str | list[int | float | str] | None
Shape = tuple[int, ...]


class ModelSpec(Record):
    """A network of any architecture, complete enough to build it untrained.

    Whoever builds a spec runs the code that its `arch` names: `nn.loading` makes specs from files only where the user
    named that code or trusts the file.

    Attributes:
        arch: a registered name, `file.py:callable`, `package.module:callable`, `timm:NAME`, `torchvision:NAME` or
            `hf:FOLDER`.
        channels, size: of images: inputs are (channels, size, size).
        classes: outputs are (classes,).
        input: of inputs of another modality: their spec, as JSON; its class names count where there are `classes`.
        height: of inputs that are not square; `size` is their width.
        mean, std: per channel (of vectors, per column), on the scale of `value_range`; one value stands for all.
        bgr: whether the network takes blue, green, red.
        value_range: lowest and highest value of what is normalised; None: 0 and 1.
        resize_to: (height, width) that the network itself takes, where its inputs are resized to it.
        head: the name of the last layer, where it was named.
        code: SHA-256 of the file that `arch` points to, where it points to one.
    """

    arch: str
    arch_args: dict[str, ArchArgument] = Field(default_factory=dict)
    channels: int | None = Field(default=None, ge=1, le=16)
    size: int | None = Field(default=None, ge=1, le=MAX_SIDE)
    input: dict[str, Any] | None = None
    classes: int = Field(ge=2, le=MAX_CLASSES)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    height: int | None = Field(default=None, ge=1, le=MAX_SIDE)
    bgr: bool = False
    value_range: tuple[float, float] | None = None
    resize_to: tuple[int, int] | None = None
    head: str | None = None
    code: str | None = None

    @field_validator("std")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or min(value) <= 0:
            raise ValueError(f"std must be positive, got {value}")
        return value

    @field_validator("arch_args")
    @classmethod
    def _bounded(cls, value: dict[str, ArchArgument], info: ValidationInfo) -> dict[str, ArchArgument]:
        """Arguments of what a file may name by itself, bounded, so that its claims cost nothing."""
        if kind_of(info.data.get("arch", "")) in ("file", "module"):
            return value
        for name, argument in value.items():
            for number in argument if isinstance(argument, list) else [argument]:
                if isinstance(number, int | float) and abs(number) > MAX_ARGUMENT:
                    raise ValueError(f"{name}={number} is beyond {MAX_ARGUMENT}")
        return value

    @model_validator(mode="after")
    def _of_images_or_another_modality(self) -> Self:
        of_images = self.channels is not None and self.size is not None
        if of_images == (self.input is not None):
            raise ValueError("inputs are images of some channels and size, or what `input` says: give one of them")
        if self.input is not None and not self.inputs.shape:
            raise ValueError(f"inputs without a shape: {self.input}")
        return self

    @model_validator(mode="after")
    def _one_per_channel(self) -> Self:
        channels = self.shape[0]
        if not {len(self.mean), len(self.std)} <= {1, channels}:
            raise ValueError(
                f"{len(self.mean)} means and {len(self.std)} stds for {channels} channels: give one per channel"
            )
        if self.resize_to is not None and not all(1 <= side <= MAX_SIDE for side in self.resize_to):
            raise ValueError(f"resize_to must lie between 1 and {MAX_SIDE}, got {self.resize_to}")
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was added to the format later stands in a file only where it says something: old hashes stay."""
        fields: dict[str, Any] = handler(self)
        added = ("channels", "size", "input", "height", "bgr", "value_range", "resize_to", "head", "code")
        return {name: value for name, value in fields.items() if name not in added or value not in (None, False)}

    @property
    def shape(self) -> Shape:
        """Of inputs; of images (channels, height, width)."""
        if self.channels is None or self.size is None:
            return self.inputs.shape
        return self.channels, self.height or self.size, self.size

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """In the order of the outputs, where the spec of the inputs names them."""
        names = tuple((self.input or {}).get("class_names", ()))
        return names if len(names) == self.classes else None

    @property
    def inputs(self) -> InputSpec:
        """What the model takes, and the classes it tells apart: by number where nothing names them."""
        names = self.class_names or tuple(map(str, range(self.classes)))
        if self.input is None:
            return MODALITIES["image"].spec(self.shape, names)
        return read_spec({**self.input, "class_names": names})

    @property
    def modality(self) -> Modality:
        """Of the inputs."""
        return modality_of(self.inputs)

    def blank(self, count: int, *, device: torch.device | None = None) -> Tensor:
        """So many inputs of zeros, as the model takes them; of tokens, the first of the vocabulary."""
        if self.input is None:
            return torch.zeros(count, *self.shape, device=device)
        modality = self.modality
        stored = np.zeros((count, *self.shape), next(iter(modality.codecs.values())))
        return modality.to_model(stored, device=device)

    @property
    def network_shape(self) -> Shape:
        """Of what the network itself takes, after resizing."""
        return (self.shape[0], *self.resize_to) if self.resize_to is not None else self.shape

    def canonical(self) -> str:
        """The one spelling of this spec."""
        return canonical_json(self.model_dump(mode="json")).decode()


def build(spec: ModelSpec, *, seed: int = 0) -> Normalized:
    """An untrained network of that spec; the same seed gives the same weights.

    Raises:
        ModelError: arguments that the architecture does not take, code that fails, or a library that is missing.
    """
    with torch.random.fork_rng(devices=[]):
        if torch.cuda.is_available() or torch.backends.mps.is_available():
            torch.manual_seed(seed)
        else:  # for each device that is not there torch keeps a stack trace, which takes longer than a small network
            torch.default_generator.manual_seed(seed)
        body = body_of(spec)
    return with_preprocessing(body, spec)


def body_of(spec: ModelSpec) -> nn.Module:
    """The untrained network of a spec without its preprocessing, its weights drawn from torch's own generator.

    Raises:
        ModelError: as `build` does.
    """
    inputs = None if spec.input is None else spec.inputs
    return build_body(spec.arch, spec.arch_args, shape=spec.network_shape, classes=spec.classes, inputs=inputs)


def with_preprocessing(body: nn.Module, spec: ModelSpec) -> Normalized:
    """A network behind the preprocessing of its spec."""
    return Normalized(
        body, spec.mean, spec.std, bgr=spec.bgr, value_range=spec.value_range or (0.0, 1.0), size=spec.resize_to
    )
