"""Pickles whose objects are not made: tensors come out, and everything else is an inert record of what it was.

A checkpoint often holds more than weights: settings of a training library, a scheduler, the whole network. To unpickle
such objects is to run the code that the file names. Here no name of a file is ever imported: the few makers of tensors
that torch itself writes are looked up in a table, and every other name becomes a class that keeps what it is given and
does nothing.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

MOST_MODULES = 20_000  # of a pickled network
_SHOWN, _LONGEST = 3, 80  # names of classes in a message, and letters of each
_MAKERS: Mapping[str, Any] = {
    f"torch._utils.{name}": getattr(torch._utils, name)
    for name in (
        "_rebuild_tensor",
        "_rebuild_tensor_v2",
        "_rebuild_parameter",
        "_rebuild_parameter_with_state",
        "_rebuild_qtensor",
    )
} | {"torch.Size": torch.Size, "torch.device": torch.device, "builtins.set": set, "builtins.frozenset": frozenset}
_RUNNING = frozenset(  # modules that a file names to run something, not to keep something
    {
        "os", "posix", "nt", "sys", "subprocess", "pty", "socket", "shutil", "ctypes", "importlib", "imp", "runpy",
        "code", "codeop", "webbrowser", "timeit", "pdb", "bdb", "cProfile", "profile", "trace", "pip", "http", "urllib",
        "requests", "marshal", "pickle", "_pickle", "dill", "cloudpickle", "sqlite3", "smtplib", "ftplib",
    }
)  # fmt: skip
_RUNNING_BUILTINS = frozenset({"eval", "exec", "execfile", "compile", "open", "__import__", "breakpoint", "input"})


_PLAIN = frozenset(
    {"collections.OrderedDict", "collections.defaultdict", *(f"builtins.{name}" for name in ("dict", "list", "int"))}
)


class Inert(dict[Any, Any]):
    """An object of a class that was not imported: it keeps its entries and attributes, and does nothing.

    Attributes:
        kind: "module.name" of its class, as the file says.
        attributes: its state by name.
    """

    kind = "unknown"
    attributes: Mapping[Any, Any] = {}
    dump_patches = False  # torch asks this of a network's class in old files

    def __new__(cls, *given: Any, **named: Any) -> Inert:
        """A new one, whatever it is given."""
        return dict.__new__(cls)

    def __init__(self, *given: Any, **named: Any) -> None:
        if len(given) == 1 and type(given[0]) is list:  # an ordered dictionary of old: its pairs
            self.update(tuple(pair) for pair in given[0] if isinstance(pair, list | tuple) and len(pair) == 2)

    def __setstate__(self, state: Any) -> None:
        """Keep what the class would have been given."""
        parts = state if isinstance(state, tuple) else (state,)
        named = [part for part in parts if isinstance(part, Mapping)]
        self.attributes = {name: value for part in named for name, value in part.items()}

    def __call__(self, *given: Any, **named: Any) -> Inert:
        """Nothing happens."""
        return self

    def __hash__(self) -> int:  # type: ignore[override]  # a file may use one as a key
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def append(self, value: Any) -> None:
        """Of lists: not kept."""

    def extend(self, values: Iterable[Any]) -> None:
        """Of lists: not kept."""


class _Maker:
    """Calls a function of the table; a file can change nothing on it."""

    __slots__ = ("_function", "_seen")

    def __init__(self, function: Callable[..., Any], seen: Callable[[Any], None]) -> None:
        self._function, self._seen = function, seen

    def __call__(self, *given: Any) -> Any:
        value = self._function(*given)
        self._seen(value)
        return value

    def __setstate__(self, state: Any) -> None:
        """Nothing is set."""


class InertContents:
    """What was in a checkpoint.

    Args:
        data: the file, a zip archive or as torch saved before 1.6; no TorchScript.

    Attributes:
        loaded: the outermost object.
        kinds: classes that were not imported, "module.name", in order of appearance.
        tensors: how many there are, shared ones counted for each name.
    """

    def __init__(self, data: bytes) -> None:
        self.kinds: dict[str, None] = {}
        self.tensors = 0
        contents = self

        class Unpickler(pickle.Unpickler):
            def find_class(self, module_name: str, global_name: str, /) -> Any:
                return contents._named(f"{module_name}.{global_name}")

        def load(stream: Any, **options: Any) -> Any:
            return Unpickler(stream, **options).load()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of old formats, which it reads all the same
            self.loaded = torch.load(
                io.BytesIO(data),
                map_location="cpu",
                pickle_module=SimpleNamespace(Unpickler=Unpickler, load=load, __name__="inert"),
                weights_only=False,  # by this unpickler, which imports nothing
            )

    def running(self) -> str | None:
        """A name that was put into the file to run something, if there is one."""
        for kind in self.kinds:
            module, _, name = kind.rpartition(".")
            outermost = module.split(".")[0]
            if outermost in _RUNNING or (outermost == "builtins" and name in _RUNNING_BUILTINS):
                return kind
            if outermost in ("torch", "numpy") and "load" in name:
                return kind
        return None

    def _counted(self, value: Any) -> None:
        self.tensors += isinstance(value, Tensor)

    def _named(self, name: str) -> Any:
        name = name.replace("__builtin__.", "builtins.", 1)  # as Python 2 called it
        if name in _MAKERS:
            return _Maker(_MAKERS[name], self._counted)
        kind, _, short = name.partition("torch.")
        if not kind and isinstance(getattr(torch, short, None), torch.dtype):
            return getattr(torch, short)
        if name in ("torch.storage.UntypedStorage", "torch.UntypedStorage"):
            return torch.UntypedStorage
        if name not in _PLAIN:
            self.kinds[name] = None
        return type("Inert", (Inert,), {"kind": name})


def state_of_network(network: Inert) -> dict[str, Tensor] | None:
    """The state dict of a network that was pickled whole, from its parts; None where an object is no network.

    >>> layer = Inert()
    >>> layer.attributes = {"_parameters": {"bias": torch.zeros(2)}, "_buffers": {}, "_modules": {}}
    >>> network = Inert()
    >>> network.attributes = {"_parameters": {}, "_buffers": {}, "_modules": {"head": layer}}
    >>> list(state_of_network(network))
    ['head.bias']
    """
    if "_parameters" not in network.attributes or "_modules" not in network.attributes:
        return None
    state: dict[str, Tensor] = {}
    waiting: list[tuple[str, Any]] = [("", network)]
    for _ in range(MOST_MODULES):
        if not waiting:
            break
        prefix, module = waiting.pop(0)
        parts = getattr(module, "attributes", {})
        passing = parts.get("_non_persistent_buffers_set", ())
        for name, value in [*_entries(parts, "_parameters"), *_entries(parts, "_buffers")]:
            if isinstance(value, Tensor) and not (isinstance(passing, set) and name in passing):
                state[f"{prefix}{name}"] = value
        waiting += [(f"{prefix}{name}.", child) for name, child in _entries(parts, "_modules")]
    return state


def listed_kinds(kinds: Iterable[str]) -> str:
    """Some names of classes, for a message.

    >>> listed_kinds(["a.B", "c.D", "e.F", "g.H"])
    'a.B, c.D, e.F and 1 more'
    """
    names = [kind if len(kind) <= _LONGEST else f"{kind[:_LONGEST]}..." for kind in kinds]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _entries(parts: Mapping[Any, Any], name: str) -> list[tuple[Any, Any]]:
    inner = parts.get(name)
    return list(inner.items()) if isinstance(inner, Mapping) else []
