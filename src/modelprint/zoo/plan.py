"""A plan: the models of a zoo, and the order in which they are made."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Literal, Self

from pydantic import model_validator

from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.zoo.recipes import Entry, Theft

_ADDED = ("holdout", "records", "pool", "queries")  # fields that came later


class Plan(Record):
    """The models of a zoo.

    Attributes:
        data: the set whose `:holdout` accuracy and agreement are measured on.
        holdout: other data to measure them on.
        records: the benchmark whose queries every model answers when it is made, so that it is judged without weights.
        pool: further inputs that every model answers, a data reference.
        queries: other data than the set's `:queries` that queries are made of.
        dtype: how weights are stored; an attack starts from the stored weights of its source.
    """

    name: str
    data: str
    dtype: Literal["float16", "float32"] = "float16"
    holdout: str | None = None
    records: str | None = None
    pool: str | None = None
    queries: str | None = None
    entries: tuple[Entry, ...]

    @model_validator(mode="after")
    def _sound(self) -> Self:
        for what, values in (
            ("id", [entry.id for entry in self.entries]),
            ("recipe", [entry.identity for entry in self.entries]),
        ):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise ValueError(f"zoo {self.name}: the {what} {twice[0]} is planned twice")
        known = {entry.identity for entry in self.entries}
        for entry in self.entries:
            if isinstance(entry.recipe, Theft) and not known.issuperset(entry.recipe.needed):
                raise ValueError(f"zoo {self.name}: the source of {entry.id} is not planned")
        return self

    @property
    def identity(self) -> str:
        """SHA-256 of the whole plan."""
        added = {
            name for name in ("holdout", "records", "pool", "queries") if getattr(self, name) is None
        }  # old identities stay
        return digest_json(self.model_dump(mode="json", exclude=added))

    @property
    def measured_on(self) -> str:
        """The data that accuracy and agreement are measured on."""
        return self.holdout or f"{self.data}:holdout"

    @property
    def seeds(self) -> str:
        """The data that queries are made of."""
        return self.queries or f"{self.data}:queries"

    @property
    def sources(self) -> tuple[Entry, ...]:
        """The source models."""
        return tuple(entry for entry in self.entries if entry.role == "source")

    def by_identity(self) -> dict[str, Entry]:
        """Every entry under its recipe's identity."""
        return {entry.identity: entry for entry in self.entries}

    def stages(self) -> list[list[Entry]]:
        """Batches that need nothing but earlier ones: what others are made from, then the rest.

        The rest is interleaved, so that a zoo that is not finished has its share of each part and source; sweeps come
        last.
        """
        entries = self.by_identity()
        depth = {identity: _depth(entry, entries) for identity, entry in entries.items()}
        needed = {other for entry in self.entries if isinstance(entry.recipe, Theft) for other in entry.recipe.needed}
        needed |= {entry.identity for entry in self.sources}
        levels: dict[int, list[Entry]] = defaultdict(list)
        for identity in (entry.identity for entry in self.entries):
            if identity in needed:
                levels[depth[identity]].append(entries[identity])
        leaves = [entry for entry in self.entries if entry.identity not in needed]
        sweep = [entry for entry in leaves if entry.part == "sweep"]
        rest = _interleaved([entry for entry in leaves if entry.part != "sweep"])
        return [batch for batch in (*(levels[level] for level in sorted(levels)), rest, sweep) if batch]


def _depth(entry: Entry, entries: dict[str, Entry]) -> int:
    if not isinstance(entry.recipe, Theft):
        return 0
    return 1 + max(_depth(entries[needed], entries) for needed in entry.recipe.needed)


def _interleaved(entries: list[Entry]) -> list[Entry]:
    groups: dict[tuple[str | None, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[entry.part, entry.role, entry.kind, entry.source].append(entry)
    placed = [
        ((place + 0.5) / len(group), number, entry)
        for number, group in enumerate(groups.values())
        for place, entry in enumerate(group)
    ]
    return [entry for _, _, entry in sorted(placed, key=lambda item: item[:2])]
