"""Networks that somebody's code builds: `file.py:callable` or `package.module:callable`.

Nothing here is reached unless the user named the code on the command line, or said --trust-code.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import operator
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import cast

from torch import nn

from modelprint.core.errors import ModelError
from modelprint.core.own_code import generators_kept, running

Numbers = Mapping[str, int | tuple[int, int]]


def build_from_code(arch: str, arguments: Mapping[str, object], known: Numbers, *, folder: Path = Path()) -> nn.Module:
    """The untrained network that `file.py:callable` or `package.module:callable` returns.

    Args:
        arguments: keyword arguments of the callable.
        known: channels, size, classes and the like, handed over where the callable takes them by name.
        folder: what a relative file is relative to.

    Raises:
        ModelError: no such file, module or callable, or it fails, or returns something else.
    """
    with (
        callable_named(arch, folder=folder) as function,
        generators_kept(),
        running(f"{arch} failed", function=function, hint="; look at --arch-args"),
    ):
        module = function(**{**_taken(function, known), **arguments})
    if not isinstance(module, nn.Module):
        returned = "nothing" if module is None else f"a {type(module).__name__}"
        raise ModelError(f"{arch} returned {returned}: it must return a torch.nn.Module")
    return module


@contextlib.contextmanager
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
    with generators_kept(), running(f"cannot import {source}"):
        module = _module_at(folder / source) if source.endswith(".py") else importlib.import_module(source)
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


@contextlib.contextmanager
def _importing_from(place: Path) -> Iterator[None]:
    """While user code is imported, modules beside it can be, too."""
    folder = str(place.resolve().parent if place.suffix == ".py" else place.resolve())
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _taken(
    function: Callable[..., object], known: Mapping[str, int | tuple[int, int]]
) -> dict[str, int | tuple[int, int]]:
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # of some built-in callables
        return {}
    return {name: value for name, value in known.items() if name in parameters}
