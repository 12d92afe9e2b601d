"""Tables of a scheme on the zoos, for docs/adv-tra.md and docs/uap.md: copies, independent models, and what it took."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from statistics import fmean

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import Results, Row, Run

NOT_MEASURED = "not measured"
LOW_ACCURACY = {"worthless": "low accuracy"}  # the id in result files: the name in tables
ORDER = ("SAST", "SADT", "DAST", "DADT", "SHARED", "third-party copies")


def zoo_rates(name: str, scheme: str = "adv-tra", access: str = "labels") -> str:
    """One line per family of attacks."""
    results = _results(name)
    if results is None:
        return "Not measured yet."
    setting = scheme, access, _largest(results, scheme)
    rows = [row for row in results.rows if _main(row, setting)]
    sources = {row.source for row in rows}
    rows = [row for row in rows if row.source == ("all" if "all" in sources else row.source)]
    families: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.attack in (row.family, "worthless"):
            families[row.attack].append(row)
    lines = [
        f"| {LOW_ACCURACY.get(family, family)} | {group[0].n_derived} | {_mean(group, 'mean_score')} | "
        f"{_figure(group, 'auc')} | {_figure(group, 'tpr_at_1')} | {_figure(group, 'tpr_at_10')} | "
        f"{_figure(group, 'tpr_verdict')} |"
        for family, group in families.items()
    ]
    budget = rows[0].budget
    head = (
        "| family | copies | detection rate | AUC | T1%F | T10%F | verdict `derived` |\n|---|---|---|---|---|---|---|"
    )
    fpr = _figure(families["all"], "fpr_verdict")
    verdicts = f", of which the verdict calls {fpr} derived at alpha = {results.alpha:g}" if fpr != NOT_MEASURED else ""
    seeds = len({row.seed for row in rows})
    access_text = "top-1 labels" if access == "labels" else "scores"
    note = (
        f"{len(results.sources)} source(s), {seeds} fingerprint seed(s), {rows[0].queries:.0f} queries (budget "
        f"{budget}), {access_text}; {families['all'][0].n_independent} independent models{verdicts}. {_origin(results)}"
    )
    return "\n".join([head, *lines]) + f"\n\n{note}"


def called_derived(name: str, scheme: str = "adv-tra", access: str = "labels") -> str:
    """One line per kind of independent model."""
    results = _results(name)
    if results is None:
        return "Not measured yet."
    kinds = {
        model.id: ORDER[-1] if model.third_party else model.kind or ""
        for model in results.suspects
        if model.role == "independent"
    }
    lines = []
    setting = scheme, access, _largest(results, scheme)
    for source in results.sources:
        runs = [run for run in results.runs if run.source == source and _main(run, setting)]
        for kind in ORDER:
            scores = [
                (score, run.threshold)
                for run in runs
                for model, score in run.scores.items()
                if kinds.get(model) == kind and score is not None
            ]
            if not scores:
                continue
            rates = [min(score, 1.0) for score, _ in scores]
            wrong = sum(limit is not None and score > limit for score, limit in scores)
            limits = sorted({min(limit, 1.0) for _, limit in scores if limit is not None})
            verdicts = f"{wrong} of {len(scores)}" if limits else "no threshold: too few calibration models"
            span = f"{limits[0]:.2f}-{limits[-1]:.2f}" if limits else "-"
            models = len(scores) // len(runs)
            lines.append(
                f"| {source} | {kind} | {models} | {fmean(rates):.2f} | {max(rates):.2f} | {span} | {verdicts} |"
            )
    head = (
        "| source | independent | models | mean score | largest | threshold | called derived (models x seeds) |\n"
        "|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *lines])


def hours(names: tuple[str, ...]) -> str:
    """What each zoo and benchmark took, on one thread."""
    lines = []
    for name in names:
        results = _results(name)
        if results is None:
            continue
        spent = results.provenance
        built = f"{spent['zoo_models']} of {spent['zoo_planned']}"
        lines.append(
            f"| {name} | {built} | {spent['zoo_hours']:.2f} | {spent['cells_finished']:,} | "
            f"{spent['craft_hours']:.3f} | "
            f"{spent['ask_hours']:.3f} | {spent['ask_hours'] / max(spent['forward_hours'], 1e-9):.2f} |"
        )
    head = (
        "| zoo | models | making them, h | cells | fingerprints, h | judging, h | judging over forward passes |\n"
        "|---|---|---|---|---|---|---|"
    )
    return (
        "\n".join([head, *lines])
        + "\n\nProcessor hours of one thread. Two processes build 1.81 times as many models an hour (1.80-1.81, n = 2)."
    )


@lru_cache(maxsize=4)
def _results(name: str) -> Results | None:
    path = RESULTS / f"{name}.json"
    return find_results(str(path)) if path.exists() else None


def _largest(results: Results, scheme: str) -> int:
    """The largest budget of a scheme."""
    return max((row.budget for row in results.rows if row.scheme == scheme), default=0)


def _main(one: Row | Run, setting: tuple[str, str, int]) -> bool:
    return (one.scheme, one.access, one.budget) == setting


def _mean(group: list[Row], figure: str) -> str:
    values = [value for row in group if (value := getattr(row, figure)) is not None]
    return f"{min(fmean(values), 1.0):.2f}" if values else "not comparable"


def _figure(group: list[Row], figure: str) -> str:
    if not any(figure in row.intervals for row in group):
        return NOT_MEASURED
    low = min(row.intervals[figure].low for row in group if figure in row.intervals)
    high = max(row.intervals[figure].high for row in group if figure in row.intervals)
    return f"{_mean(group, figure)} ({low:.2f}-{high:.2f})"


def _origin(results: Results) -> str:
    provenance = results.provenance
    return f"({provenance['date']}, revision {provenance['revision']}, torch {provenance['versions']['torch']}.)"
