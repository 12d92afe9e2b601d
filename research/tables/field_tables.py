"""Tables of all schemes on one zoo, for docs/schemes.md: by family of attacks, by budget, and what each takes."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import numpy as np

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import ALL, Figure, JudgedModel, Results, Row
from modelprint.schemes import SCHEMES
from modelprint.stats.roc import auc, tpr_at_fpr
from research.tables.zoo_tables import LOW_ACCURACY

AGAINST = ("all independent models", "without third-party copies", "without third-party copies and siblings")
CONTROLS = ("accuracy", "agreement")


def by_family(name: str, figure: Figure, budget: int, access: str = "labels") -> str:
    """One line per family of attacks, one column per scheme; the best of each line in bold."""
    results = find_results(str(RESULTS / f"{name}.json"))
    schemes = _schemes(results)
    attacks = dict.fromkeys(row.attack for row in results.rows if row.attack in (row.family, "worthless"))
    rows = {
        (scheme, attack): group
        for attack in attacks
        for scheme in schemes
        if (group := group_of(results, scheme, access, budget, attack))
    }
    families = list(dict.fromkeys(attack for _, attack in rows))
    lines = []
    for family in families:
        groups = [rows.get((scheme, family), []) for scheme in schemes]
        best = max((value for group in groups if (value := mean(group, figure)) is not None), default=None)
        count = next(group[0].n_derived for group in groups if group)
        lines.append([LOW_ACCURACY.get(family, family), str(count), *(cell(group, figure, best) for group in groups)])
    fpr = [mean(rows.get((scheme, ALL), []), "fpr_verdict") for scheme in schemes]
    lines.append(["*false positive rate*", "", *("" if value is None else f"{value:.3f}" for value in fpr)])
    note = (
        f"Budget {budget:,} queries, {'top-1 labels' if access == 'labels' else 'scores where a scheme reads them'}; "
        f"means over {len(results.sources)} sources and all fingerprint seeds, 95 % intervals by bootstrap over sources"
        " and models; *false positive rate*: the share of independent models that the verdict calls derived at alpha = "
        f"{results.alpha:g}. {origin(results)}"
    )
    return table(["family", "copies", *schemes], lines) + f"\n\n{note}"


def by_budget(name: str, figure: Figure, attack: str = ALL, access: str = "labels") -> str:
    """One line per scheme, one column per budget."""
    results = find_results(str(RESULTS / f"{name}.json"))
    budgets = sorted({row.budget for row in results.rows})
    lines = []
    for scheme in _schemes(results):
        groups = [group_of(results, scheme, access, budget, attack) for budget in budgets]
        lines.append([scheme, *(cell(group, figure, None) for group in groups)])
    return table(["scheme", *(f"{budget:,}" for budget in budgets)], lines)


def apart(name: str = "fashion-contrast", access: str = "labels") -> str:
    """One line per variant of a scheme, one column per family of attacks; the verdict last."""
    results = find_results(str(RESULTS / f"{name}.json"))
    rows = {
        (row.scheme, row.attack): row
        for row in results.rows
        if row.attack in (ALL, row.family) and row.access in (access, "either")
    }
    variants = list(dict.fromkeys(scheme for scheme, _ in rows))
    whole = rows[variants[0], ALL]
    families = sorted({attack for _, attack in rows} - {ALL, "transfer"}, key=lambda name: (-_copies(rows, name), name))
    lines = []
    for variant in variants:
        every = rows[variant, ALL]
        ends = ", ".join(
            f"{heading} {every.intervals[figure].low:.2f}-{every.intervals[figure].high:.2f}"
            for heading, figure in (("AUC", "auc"), ("T1%F", "tpr_at_1"))
        )
        cells = [
            f"{row.auc:.2f} / {row.tpr_at_1:.2f}" if (row := rows.get((variant, name))) else "" for name in families
        ]
        verdict = f"{every.tpr_verdict:.2f} / {every.fpr_verdict:.3f}"
        lines.append([variant, f"{every.auc:.2f} / {every.tpr_at_1:.2f} ({ends})", *cells, verdict])
    head = [f"all ({whole.n_derived})", *(f"{name} ({_copies(rows, name)})" for name in families)]
    note = f"{whole.n_independent} independent models. {origin(results)}"
    return table(["variant", *head, "verdict: TPR / FPR"], lines) + f"\n\n{note}"


def _copies(rows: Mapping[tuple[str, str], Row], family: str) -> int:
    return next(row.n_derived for (_, attack), row in rows.items() if attack == family)


def by_independents(name: str, budget: int, access: str = "labels") -> str:
    """AUC and TPR at 1 % FPR against all independent models, without third-party copies, and without siblings."""
    results = find_results(str(RESULTS / f"{name}.json"))
    known = {model.id: model for model in results.suspects}

    def kept(model: JudgedModel, least: int) -> bool:
        left = (least == 0 or not model.third_party) and (least < 2 or model.kind != "SHARED")
        return model.role == "independent" and left

    lines = []
    for scheme in _schemes(results):
        runs = [run for run in results.runs if (run.scheme, run.access, run.budget) == (scheme, access, budget)]
        cells = []
        for least in range(3) if runs else ():
            aucs, rates = [], []
            for run in runs:
                scores = [(known[model], score) for model, score in run.scores.items() if score is not None]
                copies = np.array([score for model, score in scores if model.counts_as == "all"])
                others = np.array([score for model, score in scores if kept(model, least)])
                aucs.append(auc(copies, others))
                rates.append(tpr_at_fpr(copies, others, fpr=0.01))
            cells.append(f"{fmean(aucs):.3f} / {fmean(rates):.2f} ({min(rates):.2f}-{max(rates):.2f})")
        if cells:
            lines.append([scheme, *cells])
    note = (
        f"AUC / T1%F (least and most of any source and seed), {budget} queries, {access}. Without third-party "
        "copies: 100 models, of which 90 are no siblings; with fewer than 100 T1%F is the share found at no false "
        f"positive. {origin(results)}"
    )
    return table(["scheme", *AGAINST], lines) + f"\n\n{note}"


def times(name: str = "scheme_times.json") -> str:
    """Seconds of enrolling and verifying."""
    path = RESULTS / name
    if not path.exists():
        return "Not measured yet."
    study = json.loads(path.read_text())
    lines = [
        [
            entry["scheme"] + "".join(f", {key} = {value}" for key, value in entry["settings"].items()),
            str(entry["queries"]),
            _seconds(entry["enroll"]),
            _seconds(entry["verify"], digits=3),
        ]
        for entry in study["schemes"]
    ]
    how = study["provenance"]
    note = f"Median (spread) of {len(study['schemes'][0]['enroll'])} rounds, {how['threads']} threads. "
    origin = f"({how['date']}, revision {how['revision']}, torch {how['torch']}, {how['cpu']}.)"
    return table(["scheme", "queries", "enroll, s", "verify, s"], lines) + f"\n\n{note}{origin}"


def _together(label: str) -> bool:
    """Whether this is a scheme that puts others together; these have tables of their own."""
    name = label.split(",", maxsplit=1)[0]
    return name in SCHEMES and bool(SCHEMES[name]().parts)


def _schemes(results: Results) -> list[str]:
    """Those that read labels: best mean AUC, each at its largest budget, first; controls last."""
    largest: dict[str, int] = {}
    for row in results.rows:
        if row.access == "labels" and not _together(row.scheme):
            largest[row.scheme] = max(row.budget, largest.get(row.scheme, 0))

    def rank(scheme: str) -> tuple[bool, float]:
        return scheme in CONTROLS, -(mean(group_of(results, scheme, "labels", largest[scheme], ALL), "auc") or 0.0)

    return sorted(largest, key=rank)


def group_of(results: Results, scheme: str, access: str, budget: int, attack: str) -> list[Row]:
    """One row per seed, the mean over sources, of suspects that answer plainly."""
    wanted = (scheme, access, budget, attack, "none")
    rows = [row for row in results.rows if (row.scheme, row.access, row.budget, row.attack, row.evasion) == wanted]
    means = [row for row in rows if row.source == ALL]
    return means or rows


def mean(group: Sequence[Row], figure: str) -> float | None:
    values = [value for row in group if (value := getattr(row, figure)) is not None]
    return fmean(values) if values else None


def cell(group: Sequence[Row], figure: str, best: float | None) -> str:
    value = mean(group, figure)
    if value is None:
        return "-"
    ends = [row.intervals[figure] for row in group if figure in row.intervals]  # type: ignore[index]
    text = f"{value:.2f}" if best is None or value < best - 0.0049 else f"**{value:.2f}**"
    pick: Callable[[str], list[float]] = lambda end: [getattr(one, end) for one in ends]  # noqa: E731
    return text + (f" ({min(pick('low')):.2f}-{max(pick('high')):.2f})" if ends else "")


def _seconds(values: Sequence[float], *, digits: int = 1) -> str:
    middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} ({least}-{most})"


def origin(results: Results) -> str:
    provenance = results.provenance
    return f"({provenance['date']}, revision {provenance['revision']}, torch {provenance['versions']['torch']}.)"


def met(reached: bool) -> str:
    """What a table says of an aim."""
    return "met" if reached else "**not met**"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
