"""Models that are opened when they are needed, and let go: many of them need not fit into memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from modelprint.modalities.base import InputSpec
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import LoadedModel, of_module, open_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec


@runtime_checkable
class ModelRef(Protocol):
    """A model that may lie in a file until it is opened.

    Attributes:
        identity: SHA-256 of its file or weights.
        spec, card: as of `LoadedModel`.
        path: its file, where it has one.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102
    @property
    def spec(self) -> ModelSpec | None: ...  # noqa: D102
    @property
    def card(self) -> ModelCard | None: ...  # noqa: D102
    @property
    def path(self) -> Path | None: ...  # noqa: D102

    def opened(self, device: torch.device | None = None) -> AbstractContextManager[nn.Module]:
        """The model in evaluation mode, on a device, for the length of a `with` block; it takes inputs in [0, 1]."""
        ...


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model in a file, which is read anew each time it is opened.

    Attributes:
        path: its file; None where that is a passing one.
        identity: SHA-256 of its file or weights.
        read: reads the file.
    """

    path: Path | None
    identity: str
    spec: ModelSpec | None
    card: ModelCard | None
    read: Callable[[], LoadedModel]

    @contextmanager
    def opened(self, device: torch.device | None = None) -> Iterator[nn.Module]:
        """The model, read from its file and forgotten afterwards."""
        module = self.read().module
        yield module if device is None else module.to(device)


def held(modules: Iterable[nn.Module]) -> tuple[ModelRef, ...]:
    """Models that lie in memory, for callers who have them there anyway."""
    return tuple(of_module(module) for module in modules)


def stored_model(
    path: Path,
    options: ModelOptions,
    *,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    inputs: InputSpec | None = None,
    files_first: bool = False,
    resize: bool = False,
) -> tuple[StoredModel, LoadedModel]:
    """A reference to a model file, and the model as it was opened this once to see that it can be read.

    Raises:
        ModelError: as `open_model` does.
    """

    def read() -> LoadedModel:
        return open_model(
            path, options, shape=shape, classes=classes, inputs=inputs, files_first=files_first, resize=resize
        )

    model = read()
    return StoredModel(path=path, identity=model.identity, spec=model.spec, card=model.card, read=read), model
