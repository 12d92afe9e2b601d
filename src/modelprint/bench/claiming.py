"""Make a claim from a benchmark's results, and check one: from recorded scores, or by running the benchmark again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.bench.bench_file import Planned
from modelprint.bench.plan import Contender
from modelprint.bench.rows import rows_of
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.core.identity import digest_json
from modelprint.core.provenance import provenance
from modelprint.results.claims import MARGIN, ROUNDING, Check, Claim, Entry, How, Judged, Measurement, Origin
from modelprint.results.records import Ends, Figure, ReadAs, Results, Run
from modelprint.results.view import Setting, View


@dataclass(frozen=True, kw_only=True)
class Place:
    """Of which row of a benchmark's results, and which figure in it.

    Attributes:
        label: the contender's.
        attack: "all", or a family of attacks.
    """

    label: str
    access: ReadAs
    budget: int
    evasion: str = "none"
    attack: str = "all"
    figure: Figure = "tpr_at_1"

    def __str__(self) -> str:
        """In words."""
        behind = "" if self.evasion == "none" else f" behind {self.evasion}"
        return f"{self.figure} of {self.label} on {self.attack}, {self.access}, {self.budget} queries{behind}"


def claim_of(planned: Planned, results: Results, place: Place) -> Claim:
    """The claim that a benchmark's results support.

    Raises:
        UsageError: no such contender, or the results do not hold the figure; the message says what there is.
        ModelprintError: the results are of another benchmark.
    """
    if results.name != planned.bench.name:
        raise ModelprintError(f"the results are of {results.name}, not of {planned.bench.name}: name its own --results")
    entry = entry_of(planned, place.label)
    measured = measure(results, place)
    if measured is None:
        known = sorted({(run.access, run.budget) for run in results.runs if run.scheme == place.label})
        listed = ", ".join(f"{access} at {budget}" for access, budget in known) or "nothing"
        raise UsageError(f"{results.name} does not hold {place}: of {place.label} it holds {listed}")
    return Claim(
        entry=entry,
        population=population_of(results),
        access=place.access,
        budget=place.budget,
        evasion=place.evasion,
        attack=place.attack,
        figure=place.figure,
        claimed=measured,
        command=f"modelprint bench run {planned.bench.name} --scheme {_quoted(place.label)} --budget {place.budget}",
        origin=origin_of(results, place),
    ).sealed()


def place_of(claim: Claim) -> Place:
    """Which figure a claim is about."""
    return Place(
        label=claim.entry.label,
        access=claim.access,
        budget=claim.budget,
        evasion=claim.evasion,
        attack=claim.attack,
        figure=claim.figure,
    )


def check_scores(claim: Claim, results: Results) -> Check:
    """The claim, computed again from recorded scores."""
    return _compared(claim, results, "scores")


def check_again(claim: Claim, planned: Planned, results: Results) -> Check:
    """The claim, against results of running the same entry of the plan again."""
    reason = differs(claim, planned)
    return unchecked("again", reason) if reason else _compared(claim, results, "again")


def unchecked(how: How, reason: str) -> Check:
    """A claim that cannot be checked, and why."""
    now = provenance()
    origin = Origin(date=now["date"], revision=now["revision"], versions=now["versions"])
    return Check(
        outcome="cannot-be-checked",
        how=how,
        measured=None,
        reason=reason,
        origin=origin,
    )


def differs(claim: Claim, planned: Planned) -> str | None:
    """Why a benchmark does not measure what a claim is about; None where it does."""
    try:
        entry = entry_of(planned, claim.entry.label)
    except UsageError as error:
        return str(error)
    if planned.plan.identity != claim.population.zoo:
        return f"the zoo of {planned.bench.name} is planned otherwise than the claim's"
    if entry.plan != claim.entry.plan:
        return f"the plan of {planned.bench.name} has another {claim.entry.label!r}: other parameters, seeds or models"
    return None


def entry_of(planned: Planned, label: str) -> Entry:
    """How a contender enters.

    Raises:
        UsageError: there is none of this label.
    """
    bench = planned.bench
    contender = next((one for one in bench.contenders if one.label == label and one.knob is None), None)
    if contender is None:
        labels = ", ".join(sorted(one.label for one in bench.contenders if one.knob is None))
        raise UsageError(f"{bench.name} has no contender {label!r}: use one of {labels}")
    seeds = bench.seeds if contender.seeds is None else contender.seeds
    said = _said(contender, seeds, bench.alpha)
    return Entry.model_validate({**said, "plan": digest_json(said)})


def population_of(results: Results) -> Judged:
    """Who was judged."""
    judged = sorted(
        [one.id, one.model, one.role, one.kind, one.attack, one.family, one.source, one.counts_as]
        for one in results.suspects
    )
    return Judged(
        bench=results.name,
        data=results.data,
        zoo=results.provenance.get("zoo"),
        suspects=digest_json(judged),
        sources=len(results.sources),
    )


def measure(results: Results, place: Place) -> Measurement | None:
    """A figure, computed from the runs; None where they do not hold it."""
    runs = _runs(results, place)
    rows = tuple(rows_of(results.suspects, runs))
    view = View(results=results.model_copy(update={"runs": tuple(runs), "rows": rows}))
    setting = Setting(scheme=place.label, access=place.access, budget=place.budget, evasion=place.evasion)
    measured = view.measured(setting, place.figure, place.attack)
    if measured is None:
        return None
    low, high = measured.low, measured.high
    row = view.rows(setting, place.attack)[0]
    return Measurement(
        value=round(measured.mean, 5),
        interval=None if low is None or high is None else Ends(low=low, high=high),
        n_derived=row.n_derived,
        n_independent=row.n_independent,
        runs=digest_json([_recorded(run) for run in runs]),
    )


def origin_of(results: Results, place: Place) -> Origin:
    """When the runs of a place were made."""
    latest = results.provenance
    measured = latest.get("kept", {}).get(f"{place.label} at {place.budget}", latest)
    return Origin(date=measured["date"], revision=measured["revision"], versions=latest.get("versions", {}))


def _said(contender: Contender, seeds: Sequence[int], alpha: float) -> dict[str, object]:
    return {
        "label": contender.label,
        "scheme": contender.scheme,
        "parameters": contender.configured().parameters(),
        "seeds": list(seeds),
        "alpha": alpha,
        "rehearsed": contender.rehearsed,
        "unseen": contender.unseen,
        "shadows": contender.shadows,
    }


def _compared(claim: Claim, results: Results, how: How) -> Check:
    """The outcome, by the figure that these results give."""
    judged = population_of(results)
    if (judged.zoo, judged.suspects) != (claim.population.zoo, claim.population.suspects):
        return unchecked(how, f"the results of {results.name} are of another population than the claim's")
    place = place_of(claim)
    measured = measure(results, place)
    if measured is None:
        return unchecked(how, f"the results of {results.name} do not hold {place}")
    same = measured.runs == claim.claimed.runs
    allowed = ROUNDING if same else MARGIN
    return Check(
        outcome="agreed" if measured.value >= claim.claimed.value - allowed else "lower",
        how=how,
        measured=measured,
        reason=None if same else f"the scores are others than the claim's: a figure up to {MARGIN} lower agrees",
        origin=origin_of(results, place),
    )


def _runs(results: Results, place: Place) -> list[Run]:
    wanted = (place.label, place.access, place.budget, place.evasion)
    runs = [run for run in results.runs if (run.scheme, run.access, run.budget, run.evasion) == wanted]
    return sorted(runs, key=lambda run: (run.source, run.seed))


def _recorded(run: Run) -> dict[str, object]:
    """What a figure is computed from."""
    return run.model_dump(
        mode="json", include={"source", "seed", "queries", "scores", "calibration", "threshold", "verdicts"}
    )


def _quoted(label: str) -> str:
    return label if label.replace("-", "").isalnum() else f"'{label}'"
