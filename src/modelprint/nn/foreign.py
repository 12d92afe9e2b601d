"""Models that need somebody's code to run: an architecture named `file.py:callable`, or an exported program.

Nothing here is reached unless the user named the code on the command line, or said --trust-code.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import io
import operator
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.weight_files import first_line, refuse_bombs


def is_code(arch: str) -> bool:
    """Whether an architecture is named by its code rather than by a registered name.

    >>> is_code("nets.py:tiny"), is_code("package.nets:tiny"), is_code("resnet20")
    (True, True, False)
    """
    return ":" in arch or arch.endswith(".py")


def build_from_code(
    arch: str, arguments: Mapping[str, object], known: Mapping[str, int], *, folder: Path = Path()
) -> nn.Module:
    """The untrained network that `file.py:callable` or `package.module:callable` returns.

    Args:
        arguments: keyword arguments of the callable.
        known: channels, size and classes, as far as known; handed over where the callable takes them by name.
        folder: what a relative file is relative to.

    Raises:
        ModelError: no such file, module or callable, or it fails, or returns something else.
    """
    with callable_named(arch, folder=folder) as function:
        try:
            module = function(**{**_taken(function, known), **arguments})
        except Exception as error:  # somebody's code may raise anything
            raise ModelError(
                f"{arch} failed: {type(error).__name__}: {first_line(error)}; look at --arch-args"
            ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(f"{arch} returned a {type(module).__name__}: it must return a torch.nn.Module")
    return module


@contextmanager
def callable_named(code: str, *, folder: Path = Path()) -> Iterator[Callable[..., object]]:
    """What `file.py:callable` or `package.module:callable` names; inside, modules beside it can be imported.

    Raises:
        ModelError: no such file, module or callable.
    """
    source, _, name = code.rpartition(":")
    if not source or not name:
        raise ModelError(f"{code!r} names no callable: write path/to/file.py:callable")
    with _importing_from(folder / source if source.endswith(".py") else folder):
        yield _callable(source, name, folder)


def _callable(source: str, name: str, folder: Path) -> Callable[..., object]:
    try:
        module = _module_at(folder / source) if source.endswith(".py") else importlib.import_module(source)
    except Exception as error:  # somebody's code may raise anything
        raise ModelError(f"cannot import {source}: {type(error).__name__}: {first_line(error)}") from error
    try:
        function = operator.attrgetter(name)(module)
    except AttributeError:
        offered = ", ".join(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise ModelError(f"{source} has no {name}: it has {offered or 'no callables'}") from None
    if not callable(function):
        raise ModelError(f"{source}:{name} is a {type(function).__name__}: name a function or a class")
    return cast(Callable[..., object], function)


def _module_at(path: Path) -> ModuleType:
    name = f"modelprint_arch_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importing_from(place: Path) -> Iterator[None]:
    """While user code is imported, modules beside it can be, too."""
    folder = str(place.resolve().parent if place.suffix == ".py" else place.resolve())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _taken(function: Callable[..., object], known: Mapping[str, int]) -> dict[str, int]:
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # of some built-in callables
        return {}
    return {name: value for name, value in known.items() if name in parameters}


class Exported(nn.Module):
    """A program made by torch.export: it has no training mode, so that `eval()` must not reach it."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program
        self.training = False

    def train(self, mode: bool = True) -> Exported:
        """Nothing changes: the program was exported in the mode it has."""
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of shape (n, classes)."""
        logits: Tensor = self.program(inputs)
        return logits


def load_exported(data: bytes, path: Path) -> Exported:
    """A network saved by torch.export.save; its loader may unpickle, so the caller must have been told to trust it.

    Raises:
        ModelError: truncated, or something else.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise ModelError(f"{path} is not a whole .pt2 file: it is truncated, or of another format; copy it again")
    refuse_bombs(data, path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program: Any = torch.export.load(io.BytesIO(data))
            return Exported(program.module())
    except Exception as error:  # torch.export raises nearly anything on a damaged archive
        raise ModelError(f"{path} is not a program that torch.export saved ({first_line(error)})") from error
