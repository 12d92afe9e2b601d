"""A zoo of models tuned from public checkpoints, as a TOML file: it has tables `[[checkpoints]]`.

docs/bench.md describes the format; `research/plans/transfer.toml` is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from modelprint.attacks.base import ATTACKS
from modelprint.core.records import Record
from modelprint.core.toml_files import Value, as_text, explained, read_toml
from modelprint.training.recipes import BuiltIn
from modelprint.zoo.checkpoint_design import PARTNER, Checkpoint, CheckpointDesign, Tuned, Tuning
from modelprint.zoo.design import Copy
from modelprint.zoo.plan_file import Copies, NetworkEntry, TrainingTables, network_of
from modelprint.zoo.recipes import Part, built_in

_NOT_SETTINGS = ("attack", "data", "images", "training")


class CheckpointEntry(Record):
    """One table `[[checkpoints]]`; fields as of `modelprint.zoo.recipes.Published`."""

    name: str
    arch: str
    arch_args: dict[str, int | float | bool | str] = Field(default_factory=dict)
    weights: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int = Field(ge=1)


class TunedEntry(Record):
    """How many models are tuned, and by which tables `[tunings.NAME]`, in turn."""

    count: int = Field(ge=0)
    tunings: tuple[str, ...] = Field(min_length=1)


class CheckpointPlanFile(Record):
    """The file, as it is written.

    Attributes:
        tunings: an attack that tunes a checkpoint, its settings, how many images it learns from, and the table of
            `training` that it trains by.
        sources, siblings, others, scratch: of each part how many.
        surrogates, calibration_copies, test_copies: copies by label, as in other plans.
    """

    name: str = Field(min_length=1)
    data: str
    size: int = Field(ge=1)
    dtype: Literal["float16", "float32"] = "float16"
    holdout: str | None = None
    records: str | None = None
    pool: str | None = None
    queries: str | None = None
    checkpoints: tuple[CheckpointEntry, ...] = Field(min_length=1)
    tunings: dict[str, dict[str, Value]]
    sources: TunedEntry
    siblings: dict[Part, TunedEntry]
    others: dict[Part, TunedEntry] = Field(default_factory=dict)
    networks: tuple[NetworkEntry, ...] = ()
    training: TrainingTables = Field(default_factory=dict)
    scratch: dict[Part, int] = Field(default_factory=dict)
    surrogates: Copies = Field(default_factory=dict)
    calibration_copies: Copies = Field(default_factory=dict)
    test_copies: Copies = Field(default_factory=dict)
    copied_calibration: int = 0


def read_checkpoint_design(path: Path) -> CheckpointDesign:
    """The zoo that a file describes.

    Raises:
        UsageError: no such file, not TOML, or a plan that cannot be; the message names the file and the place in it.
    """
    plan = read_toml(path, CheckpointPlanFile)
    if plan.others and len(plan.checkpoints) == 1:
        with explained(f"{path}: others"):
            raise ValueError("models of other checkpoints are planned, but [[checkpoints]] has one table only")
    return CheckpointDesign(
        name=plan.name,
        data=plan.data,
        size=plan.size,
        dtype=plan.dtype,
        holdout=plan.holdout,
        records=plan.records,
        pool=plan.pool,
        queries=plan.queries,
        checkpoints=tuple(Checkpoint(**entry.model_dump()) for entry in plan.checkpoints),
        sources=_tuned(plan, plan.sources, f"{path}: sources"),
        siblings={part: _tuned(plan, entry, f"{path}: siblings.{part}") for part, entry in plan.siblings.items()},
        others={part: _tuned(plan, entry, f"{path}: others.{part}") for part, entry in plan.others.items()},
        networks=tuple(
            network_of(plan.training, entry, f"{path}: networks {number}")
            for number, entry in enumerate(plan.networks, start=1)
        ),
        scratch=plan.scratch,
        surrogates=_copies(plan, plan.surrogates, f"{path}: surrogates"),
        test_copies=_copies(plan, plan.test_copies, f"{path}: test_copies"),
        calibration_copies=_copies(plan, plan.calibration_copies, f"{path}: calibration_copies"),
        copied_calibration=plan.copied_calibration,
    )


def _tuned(plan: CheckpointPlanFile, entry: TunedEntry, place: str) -> Tuned:
    with explained(place):
        unknown = [name for name in entry.tunings if name not in plan.tunings]
        if unknown:
            raise ValueError(f"unknown tuning {unknown[0]!r}: use one of {', '.join(plan.tunings)}")
        return Tuned(count=entry.count, tunings=tuple(_tuning(plan, name) for name in entry.tunings))


def _tuning(plan: CheckpointPlanFile, name: str) -> Tuning:
    entry = plan.tunings[name]
    images = entry.get("images")
    if "attack" not in entry or not isinstance(images, int):
        raise ValueError(f"tuning {name!r} must have `attack` and `images`, how many it learns from")
    recipe = _recipe(plan, entry)
    settings = {key: as_text(value) for key, value in entry.items() if key not in _NOT_SETTINGS}
    ATTACKS[str(entry["attack"])].configured(settings)  # refuses what the attack does not know
    return Tuning(attack=str(entry["attack"]), settings=settings, images=images, recipe=recipe)


def _recipe(plan: CheckpointPlanFile, entry: dict[str, Value]) -> BuiltIn | None:
    """The recipe of a table `[training.NAME]` that an attack names in `training`."""
    name = entry.get("training")
    if name is None:
        return None
    if str(name) not in plan.training:
        raise ValueError(f"unknown training {name!r}: use one of {', '.join(plan.training) or 'none'}")
    return built_in(plan.training[str(name)])


def _copies(plan: CheckpointPlanFile, copies: Copies, place: str) -> tuple[Copy, ...]:
    return tuple(_copy(plan, label, entry, f"{place} {label!r}") for label, entry in copies.items())


def _copy(plan: CheckpointPlanFile, label: str, entry: dict[str, Value], place: str) -> Copy:
    models = {PARTNER, *(checkpoint.name for checkpoint in plan.checkpoints)}
    with explained(place):
        if "attack" not in entry:
            raise ValueError(f"names no attack: use one of {', '.join(ATTACKS)}")
        settings = {key: as_text(value) for key, value in entry.items() if key not in _NOT_SETTINGS}
        own = {key: value for key, value in settings.items() if value not in models}
        ATTACKS[str(entry["attack"])].configured(own)  # refuses what the attack does not know
        return Copy(
            attack=str(entry["attack"]),
            label=label,
            settings=settings,
            data=str(entry.get("data", "attacker")),
            recipe=_recipe(plan, entry),
        )
