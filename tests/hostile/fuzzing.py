"""Hostile inputs, damaged further: what is near a crafted input is where the next hole is looked for."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from tests.hostile.corpus import HostileInput, Place
from tests.hostile.mutation import DAMAGES

LARGEST = 2**20  # bytes of a file that is damaged; larger ones are slow to write and find nothing new
ALL_EXITS = frozenset({0, 1, 2, 3})
PREFIX = "fuzz"
_SLOW = ("endless", "greedy", "bombs", "key", "places", "together")


def can_be_fuzzed(entry: HostileInput) -> bool:
    """Whether it is of files, and quick: servers, endless loops and the like are left to the corpus itself."""
    slow = entry.seconds > 5 or any(
        word in entry.name for word in ("endless", "greedy", "bombs", "key", "places", "together")
    )
    return entry.kind != "http_servers" and not slow


def fuzzed(entry: HostileInput, seed: int) -> HostileInput:
    """The same input, one of its files damaged in one to three ways that the seed decides."""

    def make(place: Place) -> str:
        made = entry.make(place)
        _damage(place.root, random.Random(f"{seed} {entry.name}"))
        return made

    return replace(entry, name=f"{PREFIX}/{seed}/{entry.name}", make=make, exits=ALL_EXITS, says="", seconds=10.0)


def named(name: str, inputs: dict[str, HostileInput]) -> HostileInput:
    """The input of that name, a fuzzed one too."""
    if not name.startswith(f"{PREFIX}/"):
        return inputs[name]
    _, seed, original = name.split("/", 2)
    return fuzzed(inputs[original], int(seed))


def _damage(root: Path, draw: random.Random) -> None:
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    small = [path for path in files if 1 < path.stat().st_size <= LARGEST]
    if not small:
        return
    path = draw.choice(small)
    data = path.read_bytes()
    for _ in range(draw.randint(1, 3)):
        if len(data) > 1:
            data = DAMAGES[draw.choice(sorted(DAMAGES))](data, draw)
    path.write_bytes(data)
