"""Registries: a name for each scheme, attack and architecture, so that one file adds one.

What this package has is registered as its modules are imported (`import_all`), in the order of their names: tables
follow that order. What other packages have is registered from their entry points, when the registry is first used.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from modelprint.core.errors import ModelprintError, UsageError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named things of one kind, in the order in which they were registered; those of entry points last.

    Args:
        kind: what they are, for messages: "scheme".
        group: the group of entry points that other packages register theirs in; none where they cannot.

    >>> shapes: Registry[type] = Registry("shape")
    >>> @shapes.register("square")
    ... class Square: ...
    >>> shapes["square"] is Square, list(shapes)
    (True, ['square'])
    """

    def __init__(self, kind: str, *, group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._items: dict[str, T] = {}
        self._loaded: set[EntryPoint] = set()
        self._discovered = group is None

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that gives its object this name; a name is given once."""

        def add(item: T) -> T:
            if name in self._items:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._items[name] = item
            return item

        return add

    def discover(self) -> None:
        """Import what entry points name, and was not imported yet: they register themselves.

        Raises:
            ModelprintError: one cannot be imported; the message names it and its package.
        """
        self._discovered = True
        for entry in sorted(entry_points(group=self.group), key=lambda entry: entry.name) if self.group else ():
            if entry in self._loaded:
                continue
            self._loaded.add(entry)
            try:
                import_module(entry.module)
            except Exception as error:  # whatever another package's code raises
                package = entry.dist.name if entry.dist is not None else "an unknown package"
                raise ModelprintError(
                    f"{self.kind} {entry.name!r} of {package} ({entry.value}) cannot be imported: {error}; mend or "
                    "uninstall that package"
                ) from error

    def _known(self) -> dict[str, T]:
        if not self._discovered:
            self.discover()
        return self._items

    def __getitem__(self, name: str) -> T:
        known = self._known()
        try:
            return known[name]
        except KeyError:
            raise UsageError(f"unknown {self.kind} {name!r}: use one of {', '.join(known)}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())


def import_all(package: str, paths: Iterable[str]) -> None:
    """Import every module of a package, in the order of their names.

    Args:
        package: its full name, as in `__name__`.
        paths: its folders, as in `__path__`.
    """
    for name in sorted(module.name for module in pkgutil.iter_modules(paths)):
        import_module(f"{package}.{name}")
