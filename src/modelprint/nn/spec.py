"""What a model file says about itself: architecture, arguments, input, normalisation."""

from __future__ import annotations

import inspect
from typing import Any, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import nn

from modelprint.core.errors import ModelError
from modelprint.core.identity import canonical_json
from modelprint.core.records import Record
from modelprint.nn.architectures import ARCHITECTURES, Normalized

MAX_SIDE = 4096
MAX_CLASSES = 100_000
MAX_ARGUMENT = 10_000


class ModelSpec(Record):
    """A registered architecture, complete enough to build it.

    Attributes:
        channels, size, classes: inputs are (channels, size, size); outputs are (classes,).
        mean, std: per channel, on the [0, 1] scale; one value stands for all channels.
    """

    arch: str
    arch_args: dict[str, int | float | bool | str] = Field(default_factory=dict)
    channels: int = Field(ge=1, le=16)
    size: int = Field(ge=1, le=MAX_SIDE)
    classes: int = Field(ge=2, le=MAX_CLASSES)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @field_validator("std")
    @classmethod
    def _positive(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or min(value) <= 0:
            raise ValueError(f"std must be positive, got {value}")
        return value

    @field_validator("arch_args")
    @classmethod
    def _bounded(cls, value: dict[str, int | float | bool | str]) -> dict[str, int | float | bool | str]:
        for name, argument in value.items():
            if isinstance(argument, int | float) and abs(argument) > MAX_ARGUMENT:
                raise ValueError(f"{name}={argument} is beyond {MAX_ARGUMENT}")
        return value

    @model_validator(mode="after")
    def _one_per_channel(self) -> Self:
        if not {len(self.mean), len(self.std)} <= {1, self.channels}:
            raise ValueError(
                f"{len(self.mean)} means and {len(self.std)} stds for {self.channels} channels: give one per channel"
            )
        return self

    def canonical(self) -> str:
        """The one spelling of this spec."""
        return canonical_json(self.model_dump(mode="json")).decode()


def build(spec: ModelSpec, *, seed: int = 0) -> Normalized:
    """An untrained network of that spec; the same seed gives the same weights.

    Raises:
        ModelError: arguments that the architecture does not take.
    """
    architecture = ARCHITECTURES[spec.arch]
    known = inspect.signature(architecture).parameters
    unknown = sorted(set(spec.arch_args) - set(known))
    if unknown:
        takes = ", ".join(sorted(set(known) - {"channels", "size", "classes"})) or "no arguments"
        raise ModelError(f"architecture {spec.arch} does not take {', '.join(unknown)}: it takes {takes}")
    arguments: dict[str, Any] = dict(spec.arch_args)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body: nn.Module = architecture(channels=spec.channels, size=spec.size, classes=spec.classes, **arguments)
    return Normalized(body, spec.mean, spec.std)
