"""The models of a zoo, as a benchmark takes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from modelprint.core.errors import IntegrityError, ModelError, ModelprintError
from modelprint.core.identity import digest_file
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.zoo.plan import Plan
from modelprint.zoo.plans import default_folder, plan_of
from modelprint.zoo.recipes import Entry, Kind, Part, Role
from modelprint.zoo.store import Measured, Store


@dataclass(frozen=True, kw_only=True)
class ZooModel:
    """A model that is there.

    Attributes:
        entry: its place in the plan, recipe included.
        row: what is known of it.
        path: its weights, which may be gone where it has a record.
        record: its answers and what was read off its weights, where these were recorded.
    """

    entry: Entry
    row: Measured
    path: Path
    record: Path | None = None

    @property
    def judged_by(self) -> Path:
        """What it is judged by: its record where there is one, so that nobody needs its weights, else these."""
        return self.record or self.path

    @property
    def id(self) -> str:
        """Unique in its zoo."""
        return self.entry.id

    @property
    def part(self) -> Part:
        """source, base, shadow, calibration, test or sweep."""
        return self.entry.part

    @property
    def role(self) -> Role:
        """source, base, derived or independent."""
        return self.entry.role

    @property
    def kind(self) -> Kind | None:
        """SAST ... SHARED, of an independent model."""
        return self.entry.kind

    @property
    def attack(self) -> str | None:
        """What tables call the attack that made it."""
        return self.entry.attack

    @property
    def family(self) -> str | None:
        """The attack's family."""
        return self.entry.family

    @property
    def source(self) -> str | None:
        """The id of the source that it was made from."""
        return self.entry.source

    @property
    def accuracy(self) -> float:
        """On the holdout; of its own classes after transfer."""
        return self.row.accuracy

    @property
    def agreement(self) -> float | None:
        """With its source, or, of an independent model, with all sources on average, on the holdout's images."""
        if self.source is not None:
            return self.row.agreements.get(self.source)
        return fmean(self.row.agreements.values()) if self.row.agreements else None

    @property
    def same_classes(self) -> bool:
        """Whether it tells the source's classes apart (not so after transfer)."""
        return bool(self.row.agreements)

    def load(self) -> LoadedModel:
        """The model itself.

        Raises:
            IntegrityError: its file was changed after it was built.
            ModelError: the file cannot be read, or is gone.
        """
        if not self.path.is_file():
            raise ModelError(f"the weights of {self.id} are not at hand, only its record: build the zoo again")
        if digest_file(self.path) != self.row.sha256:
            raise IntegrityError(f"{self.path} ({self.id}) was changed after it was built: remove it and build again")
        return load_model(self.path)


def load(name: str | Plan, *, folder: Path | None = None, part: Part | None = None) -> list[ZooModel]:
    """The models of a zoo that are there, in the plan's order; a zoo that is not finished is given as far as it is.

    Args:
        part: one part only.

    Raises:
        UsageError: no such zoo.
        ModelprintError: nothing of it is built.
    """
    plan = plan_of(name) if isinstance(name, str) else name
    place = folder or default_folder(plan.name)
    store = Store(place, plan)
    if not store.models:
        raise ModelprintError(f"nothing of the zoo {plan.name} is in {place}: run `modelprint zoo build {plan.name}`")
    return [
        ZooModel(
            entry=entry,
            row=store.models[entry.identity],
            path=store.path(entry.file),
            record=store.record_of(entry.file),
        )
        for entry in plan.entries
        if entry.identity in store.models and part in (None, entry.part)
    ]
