"""What a benchmark found: suspects, runs, rows. The JSON of `bench show`; a report is made from it alone.

A run is one fingerprint of one source against every suspect. A row is a figure of merit of a run, or the mean over
sources, for one attack.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from modelprint.core.records import Record
from modelprint.core.verdict import Outcome, Relation
from modelprint.results.knobs import Turned, by_label

Figure = Literal["auc", "tpr_at_1", "tpr_at_10", "tpr_verdict", "fpr_verdict", "f1"]
Counted = Literal["all", "worthless", "transfer", "independent", "sweep"]
IndependentKind = Literal["SAST", "SADT", "DAST", "DADT", "SHARED", "COPY", "OTHER"]
INDEPENDENT_KINDS: tuple[IndependentKind, ...] = get_args(IndependentKind)
ALL = "all"
_KINDS: dict[str, IndependentKind] = {kind: kind for kind in INDEPENDENT_KINDS}
_OLD_THIRD_PARTY = "stranger:"


class JudgedModel(Record):
    """A suspect.

    Attributes:
        id: unique in the results; for people and for looking up, not to be taken apart.
        model: the id of the model in its zoo or table.
        third_party: whether this is a source, or a copy of one, as it meets the fingerprints of the other sources; it
            is independent of these, and may stand here a second time as what it is.
        kind: SAST ... SHARED, of an independent model.
        attack, family, source: of a derived one.
        from_answers: whether a derived one learned from answers (extraction, or a chain that begins so); False in
            results of before this was recorded.
        turned: the knob of the attack that figures draw it by, where there is one.
        accuracy: on the holdout (of its own classes, after transfer).
        agreement: with its source, or with all sources on average, on the holdout's images.
        counts_as: "all": a derived model that keeps at least 85 % of its source's accuracy, and its classes;
            "worthless" and "transfer": one that does not; "sweep": one that stands in figures only.
    """

    id: str
    model: str
    third_party: bool = False
    role: Literal["derived", "independent"]
    kind: str | None = None
    attack: str | None = None
    family: str | None = None
    source: str | None = None
    from_answers: bool = False
    turned: Turned | None = None
    accuracy: float
    agreement: float | None
    counts_as: Counted

    @model_validator(mode="before")
    @classmethod
    def _as_before(cls, fields: Any) -> Any:
        """Results of before there were `model` and `third_party` told both by the id, and the knob by the label."""
        if not isinstance(fields, dict) or "model" in fields or not isinstance(fields.get("id"), str):
            return fields
        name = fields["id"].removeprefix(_OLD_THIRD_PARTY)
        return {**fields, "model": name, "third_party": name != fields["id"], "turned": by_label(fields.get("attack"))}

    @property
    def family_of_models(self) -> str:
        """The model that this one was made from, or itself: models of one family answer alike."""
        return self.source or self.model

    @property
    def independent_kind(self) -> IndependentKind | None:
        """The kind of an independent model, as error rates are told; None where it is not known."""
        if self.role == "derived":
            return None
        return "COPY" if self.source is not None else _KINDS.get(self.kind or "")


class SuspectVerdict(Record):
    """A verdict that a run's threshold does not tell.

    Attributes:
        threshold, p_value: by the calibration models on the queries that the suspect answered, their classes matched
            where its own were.
        matched: whether its classes were.
        reason: why the verdict is inconclusive.
    """

    verdict: Outcome
    threshold: float | None = None
    p_value: float | None = None
    matched: bool = False
    reason: str | None = None


ReadAs = Literal["labels", "scores", "weights"]


class Run(Record):
    """One fingerprint (scheme, source, seed, budget) against all suspects, at one access level.

    Attributes:
        scheme: its label in tables: the registered name, or a variant of it.
        source: the id of the model that was enrolled.
        budget: the cap on queries; `queries`: how many the fingerprint holds.
        scores: under the suspect's id; null where the scheme cannot score it (other classes), or failed, or where the
            suspect refused more than half of the queries.
        calibration: scores of the calibration models, which set the verdict's threshold at `alpha`.
        verdicts: of suspects whose verdict does not follow from their score and the threshold: they refused queries,
            their classes were matched, or there is none.
        relations: the story that verdicts tell of suspects, where the scheme tells one.
        details: the scheme's own figures of each suspect (adv-tra: matched, mean_mutation_rate).
        failures: why a suspect has no score.
        craft_seconds, ask_seconds, forward_seconds: of processor time: making the fingerprint; asking and scoring all
            suspects; the part of that in the suspects' forward passes.
    """

    scheme: str
    source: str
    access: ReadAs
    budget: int
    queries: int
    evasion: str = "none"
    seed: int
    scores: dict[str, float | None]
    calibration: dict[str, float] = Field(default_factory=dict)
    threshold: float | None = None
    verdicts: dict[str, SuspectVerdict] = Field(default_factory=dict)
    relations: dict[str, Relation] = Field(default_factory=dict)
    details: dict[str, dict[str, float]] = Field(default_factory=dict)
    failures: dict[str, str] = Field(default_factory=dict)
    craft_seconds: float
    ask_seconds: float
    forward_seconds: float

    def derived(self, suspect: str) -> bool | None:
        """Whether the verdict on a suspect is "derived"; None where the calibration models set no threshold."""
        if suspect in self.verdicts:
            return self.verdicts[suspect].verdict == "derived"
        score = self.scores[suspect]
        return None if self.threshold is None else score is not None and score > self.threshold


class Ends(Record):
    """An interval of 95 %, by bootstrap over models (and sources)."""

    low: float
    high: float


class FalsePositives(Record):
    """How often the verdict on independent models of one kind is "derived".

    Attributes:
        count, n: verdicts "derived", of how many; of several sources, each model's verdicts by all of them.
        upper_95: one-sided 95 % Clopper-Pearson bound of the rate.
    """

    count: int = Field(ge=0)
    n: int = Field(ge=1)
    upper_95: float = Field(ge=0, le=1)


class Row(Record):
    """Figures of merit for one attack, or many.

    Attributes:
        attack: "all": every derived model that keeps its worth and its classes; "worthless", "transfer"; a family; or
            one attack.
        source: an id, or "all": the mean over sources.
        queries: the mean number asked.
        auc, tpr_at_1, tpr_at_10: against all independents; with fewer than 100 of these, tpr_at_1 is the share found
            at no false positive. Null where nothing could be scored.
        tpr_verdict, fpr_verdict: shares of derived and of independent models with the verdict "derived".
        f1: of that verdict.
        mean_score: of the derived models: the detection rate, for adv-tra.
        fpr_by_kind: of that verdict, for each kind of independent model; None for a kind of which none was judged.
            Computed from the runs whenever results are read; files do not hold it.
    """

    scheme: str
    attack: str
    family: str
    source: str
    access: ReadAs
    budget: int
    queries: float
    evasion: str
    seed: int
    auc: float | None = None
    tpr_at_1: float | None = None
    tpr_at_10: float | None = None
    tpr_verdict: float | None = None
    fpr_verdict: float | None = None
    f1: float | None = None
    mean_score: float | None = None
    intervals: dict[str, Ends] = Field(default_factory=dict)
    n_derived: int
    n_independent: int
    fpr_by_kind: dict[IndependentKind, FalsePositives | None] = Field(default_factory=dict)


class Regions(Record):
    """Labels of many models on a planar slice of input space through three queries of a fingerprint.

    Attributes:
        side: the slice has side x side points.
        labels: under the model's id, one letter per point, row by row: class 0 is "0", 10 is "a" ("?" from 36 on).
    """

    scheme: str
    source: str
    side: int
    labels: dict[str, str]


class SweepPoint(Record):
    """One setting of the knob.

    Attributes:
        value: on the axis; `line`: which of several lines it belongs to ("l = 2").
        distinct: the share of neighbouring points that differ once rounded to 8 bits.
    """

    value: float
    line: str
    auc: float
    interval: Ends
    distinct: float | None = None
    n_derived: int
    n_independent: int


class Sweep(Record):
    """A knob of the scheme itself, turned: the same suspects, scored by variants of one scheme.

    Attributes:
        knob: "classes spanned", "total length", "brake factor".
        points: one per value.
    """

    knob: str
    points: tuple[SweepPoint, ...]


class EvasionCost(Record):
    """What an evasion does, and what it costs a thief.

    Attributes:
        evasion: as runs and rows call it; "none" first, what others are compared with.
        recipe: every setting, one record for each evasion of a chain.
        images: held-out ones that the accuracy is measured on.
        accuracy: of each copy that keeps its worth, behind the evasion; queries without an answer count as wrong.
        lost: the mean accuracy lost by these copies, with its interval of 95 % by bootstrap over them.
    """

    evasion: str
    recipe: tuple[dict[str, Any], ...]
    images: int
    accuracy: dict[str, float]
    lost: float
    interval: Ends


class Results(Record):
    """A benchmark's results.

    Attributes:
        name: of the benchmark.
        sources: the accuracy of each enrolled model, by id.
        suspects: who was judged; `swept`: derived models that stand in figures only, with runs of their own.
        evasions: what these cost, where suspects answered behind some.
        provenance: versions, machine, plan, revision, command, cells planned and finished, hours; of a part that was
            measured anew. `kept` names what stands from an earlier revision.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    name: str
    data: str
    alpha: float
    sources: dict[str, float]
    rows: tuple[Row, ...]
    suspects: tuple[JudgedModel, ...]
    runs: tuple[Run, ...]
    swept: tuple[JudgedModel, ...] = ()
    swept_runs: tuple[Run, ...] = ()
    regions: tuple[Regions, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    evasions: tuple[EvasionCost, ...] = ()
    provenance: dict[str, Any]

    @property
    def kept(self) -> tuple[str, ...]:
        """What was measured before the rest: one line for each revision, with the contenders and budgets."""
        tables = {run.scheme for run in self.runs}
        lines: dict[str, dict[str, list[str]]] = {}
        for name, origin in self.provenance.get("kept", {}).items():
            label, _, budget = name.rpartition(" at ")
            budgets_of = lines.setdefault(f"revision {origin['revision']}, {origin['date']}", {})
            budgets_of.setdefault(label if label in tables else "", []).append(budget)
        return tuple(
            f"{origin}: "
            + "; ".join(
                f"{label} ({', '.join(sorted(budgets, key=int))})" if label else f"{len(budgets)} points of figures"
                for label, budgets in schemes.items()
            )
            for origin, schemes in lines.items()
        )

    @property
    def plain(self) -> Results:
        """What was found where suspects answered plainly."""
        if not self.evasions:
            return self
        rows = tuple(row for row in self.rows if row.evasion == "none")
        runs = tuple(run for run in self.runs if run.evasion == "none")
        return self.model_copy(update={"rows": rows, "runs": runs})
