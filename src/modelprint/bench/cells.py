"""From a benchmark and a zoo to fingerprints, suspects and cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any, Literal

from modelprint.attacks.chain import Chain
from modelprint.bench.evading import HELD_OUT, NONE, identity_of, needs_partner
from modelprint.bench.plan import Bench, Contender, Enrolment
from modelprint.core.errors import ModelprintError
from modelprint.core.identity import digest_json
from modelprint.ownership.expect import expected_by
from modelprint.ownership.fingerprint import CalibrationModel
from modelprint.results.knobs import by_parameters
from modelprint.results.records import Counted, JudgedModel
from modelprint.zoo.plan import Plan
from modelprint.zoo.population import ZooModel
from modelprint.zoo.recipes import Kind, Theft

KEEPS = 0.85  # of the source's accuracy, or a copy counts as one that lost its worth


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A fingerprint of a contender, and the evasion behind which suspects meet it."""

    contender: Contender
    enrolment: Enrolment
    evasion: str = NONE


@dataclass(frozen=True, kw_only=True)
class Calibrating:
    """A calibration model as one fingerprint meets it.

    Attributes:
        record: as the fingerprint holds it, with the transform behind which it answers where that is expected.
    """

    model: ZooModel
    record: CalibrationModel

    @property
    def evasion(self) -> str:
        """Behind which it answers."""
        return self.record.behind or NONE

    @property
    def name(self) -> str:
        """What results call it, unique among the calibration models of a fingerprint."""
        return self.model.id if self.record.behind is None else f"{self.model.id} behind {self.record.behind}"


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A suspect as one source meets it: a copy of another source is a third-party copy to this one."""

    model: ZooModel
    judged: JudgedModel


@dataclass(frozen=True, kw_only=True)
class Field:
    """A benchmark on the models that are there."""

    bench: Bench
    plan: Plan
    models: Sequence[ZooModel]

    @cached_property
    def sources(self) -> list[ZooModel]:
        """The models that are enrolled."""
        sources = [model for model in self.models if model.role == "source"]
        if not sources:
            raise ModelprintError(f"no source of the zoo {self.plan.name} is built: run `zoo build {self.plan.name}`")
        return sources

    @property
    def enrolled(self) -> list[ZooModel]:
        """The sources that schemes are judged on."""
        return self.sources[:1] if self.bench.first_source_only else self.sources

    def part(self, part: Literal["base", "test", "calibration", "sweep", "shadow", "rehearsal"]) -> list[ZooModel]:
        """The models of one part."""
        return [model for model in self.models if model.part == part]

    def entrants(self) -> Iterator[Entrant]:
        """Every fingerprint to be made, once for each evasion."""
        for contender in self.bench.contenders:
            for source in self.enrolled if contender.knob is None else self.sources[:1]:
                for budget in contender.budgets or self.bench.budgets:
                    for seed in contender.seeds or (
                        self.bench.seeds if contender.knob is None else self.bench.seeds[:1]
                    ):
                        enrolment = self.enrolment(contender, source, budget, seed)
                        for evasion in (NONE, *contender.evasions):
                            yield Entrant(contender=contender, enrolment=enrolment, evasion=evasion)

    def enrolments(self) -> list[Enrolment]:
        """The recipe of every fingerprint, once."""
        return list({entrant.enrolment.identity: entrant.enrolment for entrant in self.entrants()}.values())

    def enrolment(self, contender: Contender, source: ZooModel, budget: int, seed: int) -> Enrolment:
        """The recipe of a fingerprint."""
        scheme = contender.configured()
        learns = scheme.needs.learns
        shadows = self.part("shadow") if learns else []
        if learns and contender.rehearsed:
            shadows += [model for model in self.part("rehearsal") if self._at_hand(model, source)]
        shadows = [model for model in shadows if not _shows(model, contender.unseen)]
        sources = {model.id for model in self.sources}
        copies = [model for model in shadows if model.source == source.id]
        references = [model for model in shadows if model.role == "independent"]
        if contender.shadows is not None:
            copies, references = _half_extracted(copies)[: contender.shadows], references[: contender.shadows]
        return Enrolment(
            contender=contender.label,
            source=source.id,
            source_sha256=source.row.sha256,
            scheme=contender.scheme,
            parameters=scheme.parameters(),
            data=self.plan.seeds,
            train_data=f"{self.plan.data}:owner",
            seed=seed,
            budget=budget,
            surrogates={model.id: model.row.sha256 for model in copies},
            references={model.id: model.row.sha256 for model in references},
            reference_copies={
                model.id: model.row.sha256
                for model in shadows
                if model.role == "derived" and model.source not in sources
            },
            **(self._parentage(source, references) if scheme.needs.weights else {}),
        )

    def _parentage(self, source: ZooModel, references: Sequence[ZooModel]) -> dict[str, Any]:
        """The checkpoint that a source started from, and those of its reference models that did, too."""
        recipe = source.entry.recipe
        made_from = recipe.source if isinstance(recipe, Theft) else None
        base = next((model for model in self.part("base") if model.entry.identity == made_from), None)
        if base is None and any(entry.identity == made_from for entry in self.plan.entries if entry.role == "base"):
            raise ModelprintError(f"the base of {source.id} is not built: run `zoo build {self.plan.name}` again")
        if base is None:
            return {}
        siblings = [model for model in references if model.kind == "SHARED" and self._at_hand(model, source)]
        return {
            "checkpoint": {base.id: base.row.sha256},
            "siblings": {model.id: model.row.sha256 for model in siblings},
        }

    def _at_hand(self, model: ZooModel, source: ZooModel) -> bool:
        """Whether the owner of a source can make this model: siblings only if his source has the same parent."""
        if model.kind != "SHARED":
            return True
        return _same_base(model, source)

    def suspects(self, source: ZooModel, *, thinning: int = 1) -> list[Meeting]:
        """Who stands against the fingerprints of a source: its copies, and everybody who never saw it."""
        derived: list[Meeting] = []
        independent: list[Meeting] = []
        for model in self.part("test"):
            if model.role == "derived" and model.source == source.id:
                derived.append(Meeting(model=model, judged=_judged(model, self._counts_as(model))))
            elif model.role == "independent":
                independent.append(Meeting(model=model, judged=_judged(model, "independent")))
            elif self._counts_as(model) == "all":
                independent.append(Meeting(model=model, judged=_third_party(model)))
        others = [other for other in self.sources if other.id != source.id]
        independent += [
            Meeting(model=other, judged=_third_party(other, sibling=_same_base(other, source))) for other in others
        ]
        return derived + independent[::thinning]

    def swept(self, source: ZooModel) -> list[Meeting]:
        """The copies that stand in figures only."""
        return [
            Meeting(model=model, judged=_judged(model, "sweep"))
            for model in self.part("sweep")
            if model.source == source.id
        ]

    def cells(self, entrant: Entrant) -> dict[str, ZooModel]:
        """The suspects of a fingerprint: by the identity of the cell."""
        drawn = self.drawn(entrant)
        return {
            self.cell(entrant, model, regions=drawn and self.is_drawn(model)): model
            for model in self._opponents(entrant)
        }

    def calibration(self, entrant: Entrant) -> dict[str, Calibrating]:
        """The calibration models of a fingerprint, by the identity of the cell; none for one that stands in a figure.

        A verifier does not know of an evasion: they answer plainly, and behind what the fingerprint expects.
        """
        if entrant.contender.knob is not None:
            return {}
        members: dict[str, Calibrating] = {}
        for behind in (None, *expected_by(entrant.contender.configured())):
            for model in self.part("calibration"):
                member = Calibrating(model=model, record=self._calibrating(model, behind))
                members[self.cell(replace(entrant, evasion=member.evasion), model)] = member
        return members

    def _calibrating(self, model: ZooModel, behind: str | None) -> CalibrationModel:
        copied = self._by_id.get(model.source or "")
        return CalibrationModel(
            name=model.id,
            identity=model.row.sha256,
            kind=model.kind if copied is None else "COPY",
            made_from=None if copied is None else copied.row.sha256,
            behind=behind,
        )

    @cached_property
    def _by_id(self) -> dict[str, ZooModel]:
        return {model.id: model for model in self.models}

    def cell(self, entrant: Entrant, model: ZooModel, *, regions: bool = False) -> str:
        """The identity of the cell of a fingerprint and a suspect behind the entrant's evasion."""
        evasion = self.evasion_identity(entrant.evasion, model)
        return entrant.enrolment.cell(model.row.sha256, evasion=evasion, regions=regions)

    def evasion_identity(self, evasion: str, model: ZooModel) -> str:
        """What an evasion does, for the identity of a cell: every setting, and the file of the partner."""
        if evasion == NONE:
            return NONE
        return identity_of(evasion, self.partner(model).row.sha256 if needs_partner(evasion) else None)

    def planned(self, entrants: Sequence[Entrant]) -> set[str]:
        """Every cell, those of accuracies among them."""
        return {
            *self.weighings(),
            *(cell for entrant in entrants for cell in (*self.cells(entrant), *self.calibration(entrant))),
        }

    def partner(self, model: ZooModel) -> ZooModel:
        """Which model answers together with a copy: an independent test model of other data, or any.

        Raises:
            ModelprintError: there is none.
        """
        others = [other for other in self.part("test") if other.role == "independent" and other.id != model.id]
        if not others:
            raise ModelprintError(f"the zoo {self.plan.name} has no independent model for an ensemble")
        return min(others, key=lambda other: other.kind != "DADT")

    def evading(self) -> list[ZooModel]:
        """Copies that keep their worth and their classes: whom evasions cost accuracy."""
        return [model for model in self.part("test") if model.role == "derived" and self._counts_as(model) == "all"]

    @property
    def evasions(self) -> list[str]:
        """Every evasion of every contender, once; after "none"."""
        named = [evasion for contender in self.bench.contenders for evasion in contender.evasions]
        return [NONE, *dict.fromkeys(named)] if named else []

    def weighings(self) -> dict[str, tuple[ZooModel, str]]:
        """The copies, and evasions, whose accuracy is measured: by the identity of the cell."""
        return {
            digest_json(
                {
                    "accuracy": f"{self.plan.data}:holdout",
                    "images": HELD_OUT,
                    "suspect": model.row.sha256,
                    "evasion": self.evasion_identity(evasion, model),
                }
            ): (model, evasion)
            for model in self.evading()
            if model.source in {source.id for source in self.enrolled}
            for evasion in self.evasions
        }

    def _opponents(self, entrant: Entrant) -> Iterator[ZooModel]:
        source = next(model for model in self.sources if model.id == entrant.enrolment.source)
        yield from (meeting.model for meeting in self.suspects(source, thinning=entrant.contender.thinning))
        if entrant.evasion == NONE and entrant.contender.knob is None:
            yield from (meeting.model for meeting in self.swept(source))

    def drawn(self, entrant: Entrant) -> bool:
        """Whether this is the fingerprint whose planar slice shows decision regions."""
        if entrant.contender.label != self.bench.regions or entrant.evasion != NONE:
            return False
        return entrant.enrolment.identity in self._drawn

    @cached_property
    def _drawn(self) -> set[str]:
        """The identities of such fingerprints."""
        shown = [contender for contender in self.bench.contenders if contender.label == self.bench.regions]
        seeds = [(contender.seeds or self.bench.seeds)[0] for contender in shown]
        most = max(self.bench.budgets)
        return {
            self.enrolment(contender, self.sources[0], most, seed).identity
            for contender, seed in zip(shown, seeds, strict=True)
        }

    def is_drawn(self, model: ZooModel) -> bool:
        """Whether this model's regions are shown: copies of the first source, one independent model of each kind."""
        if model.part != "test" or not model.same_classes:
            return False
        if model.role == "derived":
            return model.source == self.sources[0].id
        first = next(other for other in self.part("test") if other.kind == model.kind)
        return model.id == first.id

    def _counts_as(self, model: ZooModel) -> Counted:
        source = next((other for other in self.sources if other.id == model.source), None)
        if not model.same_classes:
            return "transfer"
        return "all" if source is not None and model.accuracy >= KEEPS * source.accuracy else "worthless"


def _same_base(one: ZooModel, other: ZooModel) -> bool:
    """Whether two models were tuned from the same base."""
    mine, theirs = one.entry.recipe, other.entry.recipe
    return isinstance(mine, Theft) and isinstance(theirs, Theft) and mine.source == theirs.source


def _shows(model: ZooModel, unseen: str | None) -> bool:
    """Whether a shadow model shows what a scheme is not to have seen."""
    if unseen == "architectures":
        recipe = model.entry.recipe
        return model.kind == "DAST" or bool(isinstance(recipe, Theft) and recipe.parameters.get("arch"))
    begins = unseen == "extraction" and (model.attack or "").startswith("extracted")
    return unseen is not None and (model.family == unseen or begins)


def _half_extracted(copies: list[ZooModel]) -> list[ZooModel]:
    """Extracted copies and others in turn, as an owner makes them, so that the first few show both."""
    sides = [[copy for copy in copies if (copy.family == "extraction") is extracted] for extracted in (True, False)]
    return [copy for pair in zip_longest(*sides) for copy in pair if copy is not None]


def _judged(model: ZooModel, counts_as: Counted) -> JudgedModel:
    recipe = model.entry.recipe
    return JudgedModel(
        id=model.id,
        model=model.id,
        role="independent" if model.role == "independent" else "derived",
        kind=model.kind,
        attack=model.attack,
        family=model.family,
        source=model.source,
        from_answers=model.source is not None and isinstance(recipe, Theft) and _from_answers(recipe),
        turned=by_parameters(recipe.attack, recipe.parameters) if isinstance(recipe, Theft) else None,
        accuracy=model.accuracy,
        agreement=model.agreement,
        counts_as=counts_as,
    )


def _from_answers(recipe: Theft) -> bool:
    """Whether an attack is an extraction, or a chain that begins with one."""
    method = recipe.method()
    first = method.attacks()[0] if isinstance(method, Chain) else method
    return first.family == "extraction"


def _third_party(model: ZooModel, *, sibling: bool = False) -> JudgedModel:
    """A source, or a copy of one, to the owner of another: same data; another architecture if the attack chose one.

    Args:
        sibling: whether it is a source that was tuned from the same base.
    """
    recipe = model.entry.recipe
    other = isinstance(recipe, Theft) and recipe.parameters.get("arch")
    kind: Kind = "SHARED" if sibling else "DAST" if other else "SAST"
    return JudgedModel(
        id=f"stranger:{model.id}",  # as committed results call it
        model=model.id,
        third_party=True,
        role="independent",
        kind=kind,
        attack=model.attack,
        family=model.family,
        source=model.source,
        accuracy=model.accuracy,
        agreement=None,
        counts_as="independent",
    )
