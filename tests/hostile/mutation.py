"""Whole bytes, damaged in ways that a name decides: cuts, flips, insertions, runs of zeros, swapped parts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tests.fuzz.mutation import SPICE
from tests.hostile.corpus import ANY, Command, HostileInput, Place, content, hostile

Damage = Callable[[bytes, random.Random], bytes]
Whole = Callable[[Place], bytes]


def cut(data: bytes, draw: random.Random) -> bytes:
    """The first part."""
    return data[: draw.randrange(len(data))]


def flipped(data: bytes, draw: random.Random) -> bytes:
    """With a bit of one to four bytes turned."""
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def spiced(data: bytes, draw: random.Random) -> bytes:
    """With something odd between its bytes."""
    place = draw.randrange(len(data))
    return data[:place] + draw.choice(SPICE) + data[place:]


def zeroed(data: bytes, draw: random.Random) -> bytes:
    """With a run of zeros."""
    place, length = draw.randrange(len(data)), draw.randint(1, 64)
    return data[:place] + bytes(len(data[place : place + length])) + data[place + length :]


def swapped(data: bytes, draw: random.Random) -> bytes:
    """With its two parts the other way round."""
    place = draw.randrange(1, len(data))
    return data[place:] + data[:place]


def doubled(data: bytes, draw: random.Random) -> bytes:
    """With a part twice."""
    place, length = draw.randrange(len(data)), draw.randint(1, 256)
    return data[: place + length] + data[place:]


DAMAGES: dict[str, Damage] = {
    "cut": cut, "flipped": flipped, "spiced": spiced, "zeroed": zeroed, "swapped": swapped, "doubled": doubled,
}  # fmt: skip


def damaged(
    group: str, file: str, whole: Whole, command: Command, count: int = 4, exits: frozenset[int] = ANY
) -> Iterator[HostileInput]:
    """Inputs of one whole thing, `count` of each kind of damage."""
    for kind, damage in DAMAGES.items():
        for number in range(count):
            yield hostile(
                f"{group}/{kind}-{number}",
                content(file, _of(whole, damage, f"{group} {kind} {number}")),
                command,
                exits=exits,
            )


def _of(whole: Whole, damage: Damage, name: str) -> Callable[[Place], bytes]:
    def data(place: Place) -> bytes:
        honest, draw = whole(place), random.Random(name)
        broken = damage(honest, draw)
        return broken if broken != honest else flipped(honest, draw)  # zeros over zeros are no damage

    return data
