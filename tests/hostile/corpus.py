"""One hostile input, as a record; and the list of all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tests.hostile.seeds import Seeds

REFUSED = frozenset({1, 3})  # an error that the user can mend, or an integrity failure
ANY = frozenset({0, 1, 3})  # damage that may be harmless: another weight, another pixel
READ = frozenset({0})  # harmless: what matters is what is printed and written
OWN = frozenset({2})  # a plan or key of the user's own is at fault: a usage error, as documented

GIB = 2**30


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one input is made.

    Attributes:
        root: an empty folder of its own.
        seeds: whole things to damage.
        stack: for servers, which run until the command has ended.
        canary: a file that nothing may make; a payload that runs would.
        secret: a file outside `root` whose text nothing may show.
    """

    root: Path
    seeds: Seeds
    stack: ExitStack
    canary: Path
    secret: Path

    def file(self, name: str, data: bytes | str) -> str:
        """The path of a new file, with folders as its name says."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return str(path)


Make = Callable[[Place], str]
Command = Callable[[Place, str], list[str]]


@dataclass(frozen=True, kw_only=True)
class HostileInput:
    """What is given to a command, and what must come of it.

    Attributes:
        name: unique, "kind/family/case".
        make: writes it, or starts its server; its path or address.
        command: the words of the command that it is given to.
        exits: exit codes that are right.
        says: a regular expression that the one line of the error must match.
        seconds: of wall time, at most, on a machine that does nothing else.
        memory: bytes beyond what the process had, of it and of its children, at most.
        quick: whether it belongs to the part that always runs.
        pages: whether files that the command writes are looked at as HTML.
    """

    name: str
    make: Make = field(repr=False)
    command: Command = field(repr=False)
    exits: frozenset[int] = REFUSED
    says: str = ""
    seconds: float = 5.0
    memory: int = 3 * GIB // 2
    quick: bool = False
    pages: bool = False

    @property
    def kind(self) -> str:
        """The module of `kinds/` that it is from."""
        return self.name.split("/", 1)[0]

    @property
    def group(self) -> str:
        """Kind and family: of each, some are in the quick part."""
        return self.name.rsplit("/", 1)[0]


Family = Callable[[], Iterator[HostileInput]]
_FAMILIES: list[Family] = []


def family(make: Family) -> Family:
    """Register a function that yields hostile inputs."""
    _FAMILIES.append(make)
    return make


def hostile(
    name: str,
    make: Make,
    command: Command,
    says: str = "",
    exits: frozenset[int] = REFUSED,
    *,
    seconds: float = 5.0,
    memory: int = 3 * GIB // 2,
    quick: bool = False,
    pages: bool = False,
) -> HostileInput:
    """One input, in a line."""
    return HostileInput(
        name=name, make=make, command=command, says=says, exits=exits, seconds=seconds, memory=memory, quick=quick,
        pages=pages,
    )  # fmt: skip


def content(file: str, data: bytes | str | Callable[[Place], bytes | str]) -> Make:
    """Makes a file of that content; content that needs the seeds is a function of the place."""
    return lambda place: place.file(file, data(place) if callable(data) else data)


@cache
def every_input() -> dict[str, HostileInput]:
    """All inputs by name, in a fixed order."""
    import tests.hostile.kinds as rooms

    for module in sorted(iter_modules(rooms.__path__), key=lambda module: module.name):
        import_module(f"{rooms.__name__}.{module.name}")
    listed: dict[str, HostileInput] = {}
    for one in _FAMILIES:
        for entry in one():
            assert entry.name not in listed, f"two hostile inputs are called {entry.name}"
            listed[entry.name] = entry
    return listed


def quick_part(inputs: dict[str, HostileInput], *, each: int = 1) -> list[HostileInput]:
    """Of each family some inputs, drawn by name, and those that are marked."""
    groups: dict[str, list[HostileInput]] = {}
    for entry in inputs.values():
        groups.setdefault(entry.group, []).append(entry)
    chosen: list[HostileInput] = []
    for name, members in groups.items():
        drawn = random.Random(name).sample(members, min(each, len(members)))
        chosen += [entry for entry in members if entry.quick or entry in drawn]
    return chosen
