"""From a short description of a zoo to its plan.

The parts follow one rule: what an owner can do himself (shadow models) uses the owner's images only; attackers hold the
attacker's; calibration and test hold independent models of the owner's and of other images. SHARED models, siblings,
are fine-tuned from the same third model, the base, as one of the sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Literal

from modelprint.attacks.base import ATTACKS
from modelprint.data.splits import SPLITS, split_sizes
from modelprint.training.recipes import BuiltIn, Recipe
from modelprint.zoo.plan import Plan
from modelprint.zoo.recipes import Entry, Kind, Part, Theft, Training, theft, training

SEEDS: Mapping[Part, int] = {
    "source": 0,
    "base": 900,
    "shadow": 1000,
    "rehearsal": 1500,
    "calibration": 2000,
    "test": 3000,
    "sweep": 4000,
}


@dataclass(frozen=True, kw_only=True)
class Network:
    """An architecture with the recipe that suits it."""

    arch: str
    arch_args: Mapping[str, int | float | bool | str] = field(default_factory=dict)
    train: Recipe


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A derived model to be made of every source.

    Attributes:
        label: what tables call it.
        data: the attacker's images; a split of the zoo's data, or a whole reference.
        recipe: how the attack trains, in place of its own way.
    """

    attack: str
    label: str
    settings: Mapping[str, str] = field(default_factory=dict)
    data: str = "attacker"
    recipe: BuiltIn | None = None


@dataclass(frozen=True, kw_only=True)
class Design:
    """A zoo.

    Attributes:
        size: images of the whole set, in all splits.
        network: of the sources and of SAST, SADT and SHARED models.
        others: of DAST and DADT models, in turn.
        sources: trained from scratch; one more is fine-tuned from the base where `tuning` is given.
        tuning: settings of "ftal" that make that source, and SHARED models, from the base.
        surrogates, test_copies: of every source; `sweep`: of the first.
        rehearsal_copies: more shadow copies of every source.
        copied_references: of how many references of kind SAST copies are made in rehearsal: of every second one the
            rehearsal copies, of the others those of `surrogates`. What copies of any model have in common is then no
            evidence.
        shadow, rehearsal, calibration, test: how many independent models of each kind. SHARED ones in rehearsal are for
            the owner of the source that comes from the base, who has it, too.
        calibration_copies: made of calibration models of kind SAST, one each, in turn: third-party copies.
            `copied_calibration`: of how many.
        seeds: of single entries, where they are not to be counted up.
    """

    name: str
    data: str
    size: int
    dtype: Literal["float16", "float32"] = "float16"
    network: Network
    others: tuple[Network, ...]
    sources: int = 1
    tuning: Mapping[str, str] | None = None
    surrogates: tuple[Copy, ...]
    test_copies: tuple[Copy, ...]
    rehearsal_copies: tuple[Copy, ...] = ()
    copied_references: int = 0
    calibration_copies: tuple[Copy, ...] = ()
    copied_calibration: int = 0
    sweep: tuple[Copy, ...] = ()
    shadow: Mapping[Kind, int]
    rehearsal: Mapping[Kind, int] = field(default_factory=dict)
    calibration: Mapping[Kind, int]
    test: Mapping[Kind, int]
    seeds: Mapping[str, int] = field(default_factory=dict)

    def plan(self) -> Plan:
        """The zoo's plan."""
        return Plan(name=self.name, data=self.data, dtype=self.dtype, entries=tuple(_Planner(self).entries()))


class _Planner:
    def __init__(self, design: Design) -> None:
        self.design = design
        self.counters = {part: count(start + 1) for part, start in SEEDS.items()}
        self.base: Training | None = None

    def seed(self, part: Part, name: str) -> int:
        following = next(self.counters[part])
        return self.design.seeds.get(name, following)

    def entries(self) -> Iterator[Entry]:
        sources = list(self.make_sources())
        yield from sources
        owned: list[Entry] = [entry for entry in sources if entry.role == "source"]
        for source in owned:
            yield from self.copies("shadow", source, self.design.surrogates)
            yield from self.copies("test", source, self.design.test_copies)
        yield from self.copies("sweep", owned[0], self.design.sweep)
        references = list(self.independents("shadow"))
        yield from references
        calibrating = list(self.independents("calibration"))
        yield from calibrating
        for part in ("test", "rehearsal"):
            yield from self.independents(part)
        for source in owned:
            yield from self.copies("rehearsal", source, self.design.rehearsal_copies)
        copied = [entry for entry in references if entry.kind == "SAST"][: self.design.copied_references]
        for number, reference in enumerate(copied):
            copies = self.design.rehearsal_copies if number % 2 else self.design.surrogates
            yield from self.copies("rehearsal", reference, copies)
        third_parties = [entry for entry in calibrating if entry.kind == "SAST"][: self.design.copied_calibration]
        for third_party, copy in zip(third_parties, cycle(self.design.calibration_copies), strict=False):
            yield from self.copies("calibration", third_party, (copy,))

    def make_sources(self) -> Iterator[Entry]:
        for number in range(1, self.design.sources + 1):
            name = f"source-{number}"
            recipe = self.trained(self.design.network, "owner", self.seed("source", name))
            yield Entry(id=name, part="source", role="source", recipe=recipe)
        if self.design.tuning is not None:
            half = split_sizes(self.design.data, self.design.size)["stranger"] // 2
            self.base = self.trained(self.design.network, f"stranger[0:{half}]", self.seed("base", "base"))
            yield Entry(id="base", part="base", role="base", recipe=self.base)
            name = f"source-{self.design.sources + 1}"
            yield Entry(id=name, part="source", role="source", recipe=self.tuned("owner", self.seed("source", name)))

    def trained(self, network: Network, split: str, seed: int) -> Training:
        return training(self.reference(split), network.arch, network.arch_args, network.train, seed=seed)

    def tuned(self, split: str, seed: int) -> Theft:
        assert self.base is not None
        assert self.design.tuning is not None
        return theft(self.base, "ftal", self.design.tuning, self.reference(split), seed=seed)

    def reference(self, split: str) -> str:
        return f"{self.design.data}:{split}" if split.partition("[")[0] in SPLITS else split

    def copies(self, part: Part, source: Entry, copies: tuple[Copy, ...]) -> Iterator[Entry]:
        for copy in copies:
            name = f"{part}-{source.id}-{slug(copy.label)}"
            yield Entry(
                id=name,
                part=part,
                role="derived",
                attack=copy.label,
                family=ATTACKS[copy.attack].family,
                source=source.id,
                recipe=theft(
                    source.recipe, copy.attack, copy.settings, self.reference(copy.data), seed=self.seed(part, name)
                ),
            )

    def independents(self, part: Part) -> Iterator[Entry]:
        numbers: Mapping[Kind, int] = getattr(self.design, part)
        for kind, total in numbers.items():
            for index in range(total):
                name = f"{part}-{kind.lower()}-{index + 1:02d}"
                recipe = self.independent(part, kind, index, self.seed(part, name))
                yield Entry(id=name, part=part, role="independent", kind=kind, recipe=recipe)

    def independent(self, part: Part, kind: Kind, index: int, seed: int) -> Training | Theft:
        sizes = split_sizes(self.design.data, self.design.size)
        some = f"owner[0:{sizes['owner'] * 4 // 5}]"  # an owner has no other images, but need not use all of them
        if kind == "SHARED":
            half = sizes["stranger"] // 2
            others = some if part == "rehearsal" else f"stranger[{half}:{sizes['stranger']}]"
            return self.tuned("owner" if index % 2 == 0 else others, seed)
        same = kind in ("SAST", "SADT")
        network = self.design.network if same else self.design.others[index % len(self.design.others)]
        split = "owner" if kind in ("SAST", "DAST") else "stranger"
        own = part in ("shadow", "rehearsal")
        return self.trained(network, some if own and index % 2 == 1 else split, seed)


def slug(label: str) -> str:
    """A label as a part of an id.

    >>> slug("prune 20 %, fine-tuned")
    'prune-20-fine-tuned'
    """
    return "-".join("".join(letter if letter.isalnum() or letter == "." else " " for letter in label.lower()).split())
