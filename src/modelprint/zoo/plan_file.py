"""A zoo as a TOML file: networks and how they are trained, copies by label, numbers of independent models.

docs/bench.md describes the format; `research/plans/` holds the committed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from modelprint.attacks.base import ATTACKS
from modelprint.core.records import Record
from modelprint.core.toml_files import Value, as_text, explained, read_toml
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import AdamW, TrainRecipe
from modelprint.zoo.design import Copy, Design, Network
from modelprint.zoo.recipes import Kind

Copies = dict[str, dict[str, Value]]
TrainingTables = dict[str, dict[str, Any]]
BUILT_IN: Mapping[str, type[TrainRecipe] | type[AdamW]] = {"sgd": TrainRecipe, "adamw": AdamW}
_NOT_SETTINGS = ("attack", "data")


class NetworkEntry(Record):
    """An architecture.

    Attributes:
        training: the name of a table `[training.NAME]`.
    """

    arch: str
    arch_args: dict[str, int | float | bool | str] = Field(default_factory=dict)
    training: str


class PlanFile(Record):
    """The file, as it is written.

    Attributes:
        training: the fields of a training recipe, by name; `recipe = "adamw"` or `"file.py:fit"` for another than sgd.
        attacks: settings of every copy by that attack, unless it says others.
        surrogates, rehearsal_copies, calibration_copies, test_copies, sweep: copies by label: `attack`, `data` where
            it is not the attacker's, and settings.
    """

    name: str = Field(min_length=1)
    data: str
    size: int = Field(ge=1)
    dtype: Literal["float16", "float32"] = "float16"
    sources: int = Field(default=1, ge=1)
    network: NetworkEntry
    others: tuple[NetworkEntry, ...]
    training: TrainingTables
    tuning: dict[str, Value] | None = None
    attacks: dict[str, dict[str, Value]] = Field(default_factory=dict)
    surrogates: Copies = Field(default_factory=dict)
    rehearsal_copies: Copies = Field(default_factory=dict)
    calibration_copies: Copies = Field(default_factory=dict)
    test_copies: Copies = Field(default_factory=dict)
    sweep: Copies = Field(default_factory=dict)
    copied_references: int = 0
    copied_calibration: int = 0
    shadow: dict[Kind, int] = Field(default_factory=dict)
    rehearsal: dict[Kind, int] = Field(default_factory=dict)
    calibration: dict[Kind, int] = Field(default_factory=dict)
    test: dict[Kind, int] = Field(default_factory=dict)
    seeds: dict[str, int] = Field(default_factory=dict)


def read_design(path: Path) -> Design:
    """The zoo that a file describes.

    Raises:
        UsageError: no such file, not TOML, or a plan that cannot be; the message names the file and the place in it.
    """
    plan = read_toml(path, PlanFile)
    return Design(
        name=plan.name,
        data=plan.data,
        size=plan.size,
        dtype=plan.dtype,
        network=network_of(plan.training, plan.network, f"{path}: network"),
        others=tuple(
            network_of(plan.training, entry, f"{path}: others {number}")
            for number, entry in enumerate(plan.others, start=1)
        ),
        sources=plan.sources,
        tuning=None if plan.tuning is None else _settings(plan.tuning),
        surrogates=_copies(plan, "surrogates", path),
        test_copies=_copies(plan, "test_copies", path),
        rehearsal_copies=_copies(plan, "rehearsal_copies", path),
        copied_references=plan.copied_references,
        calibration_copies=_copies(plan, "calibration_copies", path),
        copied_calibration=plan.copied_calibration,
        sweep=_copies(plan, "sweep", path),
        shadow=plan.shadow,
        rehearsal=plan.rehearsal,
        calibration=plan.calibration,
        test=plan.test,
        seeds=plan.seeds,
    )


def network_of(tables: TrainingTables, entry: NetworkEntry, place: str) -> Network:
    """A network with the recipe that its entry names.

    Raises:
        UsageError: there is no such table, or it holds what the recipe does not have; the message begins with `place`.
    """
    with explained(place):
        if entry.training not in tables:
            raise ValueError(
                f"unknown training {entry.training!r}: use one of {', '.join(tables) or 'none'}, or add "
                f"[training.{entry.training}]"
            )
        settings = dict(tables[entry.training])
        name = str(settings.pop("recipe", "sgd"))
        known = BUILT_IN.get(name)
        names = [] if known is None else [field.name for field in fields(known)]
        for key in settings:
            if key not in names:
                may = ", ".join(["recipe", *names]) if names else "nothing but recipe, which is your own code"
                raise ValueError(f"training {entry.training!r} has {key!r}: it may have {may}")
        recipe = OwnRecipe.named(name) if known is None else known(**settings)
        return Network(arch=entry.arch, arch_args=entry.arch_args, train=recipe)


def _copies(plan: PlanFile, part: str, path: Path) -> tuple[Copy, ...]:
    copies: Copies = getattr(plan, part)
    return tuple(_copy(plan, label, entry, f"{path}: {part} {label!r}") for label, entry in copies.items())


def _copy(plan: PlanFile, label: str, entry: Mapping[str, Value], place: str) -> Copy:
    with explained(place):
        if "attack" not in entry:
            raise ValueError(f"names no attack: use one of {', '.join(ATTACKS)}")
        attack = str(entry["attack"])
        own = {key: value for key, value in entry.items() if key not in _NOT_SETTINGS}
        settings = _settings({**plan.attacks.get(attack, {}), **own})
        ATTACKS[attack].configured(settings)  # refuses what the attack does not know
        return Copy(attack=attack, label=label, settings=settings, data=str(entry.get("data", "attacker")))


def _settings(values: Mapping[str, Value]) -> dict[str, str]:
    return {key: as_text(value) for key, value in values.items()}
