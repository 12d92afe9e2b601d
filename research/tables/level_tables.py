"""Tables of docs/evidence-levels.md and of the notes on residual and auto: what each level of access finds."""

from __future__ import annotations

import json
from collections.abc import Sequence

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import ALL
from research.tables.field_tables import cell, group_of, mean, origin, table

COLUMNS = (
    ("lineage", "weights", 50),
    ("residual", "scores", 200),
    ("contrast", "labels", 200),
    ("auto", "labels", 400),
    ("auto", "scores", 400),
    ("auto", "weights", 400),
)
RESIDUAL = (
    ("residual", 50),
    ("residual", 200),
    ("residual, random queries", 200),
    ("residual, nothing taken away", 200),
    ("residual, 8 + 8", 200),
    ("residual, no shadow models", 200),
)
AUTO = tuple(
    (label, access, budget)
    for label, budgets in (("auto", (50, 200, 400)), ("auto, 8 + 8", (400,)), ("auto, no shadow models", (400,)))
    for access in ("labels", "scores", "weights")
    for budget in budgets
)
FIGURES = ("auc", "tpr_at_1", "tpr_verdict", "fpr_verdict")


def found(name: str = "fashion") -> str:
    """A line for each family of attacks, a column for what is read, of a bench on several sources."""
    results = find_results(str(RESULTS / f"{name}.json"))
    families = [ALL, *dict.fromkeys(row.attack for row in results.rows if row.attack == row.family != ALL)]
    lines = []
    for family in (name for name in families if name not in ("worthless", "transfer")):
        groups = [group_of(results, scheme, access, budget, family) for scheme, access, budget in COLUMNS]
        copies = max((row.n_derived for group in groups for row in group), default=0)
        lines.append([family, str(copies), *(cell(group, "tpr_at_1", None) for group in groups)])
    groups = [group_of(results, scheme, access, budget, ALL) for scheme, access, budget in COLUMNS]
    for title, figure in (("*found by the verdict*", "tpr_verdict"), ("*false positive rate*", "fpr_verdict")):
        shares = [mean(group, figure) for group in groups]
        lines.append([title, "", *("-" if share is None else f"{share:.3f}" for share in shares)])
    head = ["family", "copies", *(_named(*column) for column in COLUMNS)]
    auto = [row for row in results.rows if (row.scheme, row.attack) == ("auto", ALL) and row.source != ALL]
    counts = [row.n_independent for row in auto]
    independent = " to ".join(str(count) for count in dict.fromkeys((min(counts), max(counts))))
    note = (
        f"TPR at 1 % FPR against {independent} independent models of each source, means over "
        f"{len(results.sources)} sources, 95 % intervals by bootstrap over sources and models; verdicts at alpha = "
        f"{results.alpha:g}. {origin(results)}"
    )
    return f"{table(head, lines)}\n\n{note}"


def residual() -> str:
    """What the parts of residual are worth."""
    return _configurations([(label, "scores", budget) for label, budget in RESIDUAL])


def auto() -> str:
    """Every configuration of auto."""
    return _configurations(AUTO)


def splits() -> str:
    """False positives over all ways of dividing the independent models."""
    study = json.loads((RESULTS / "evidence_levels_fashion.json").read_text())
    levels = study["false_positives"]
    kinds = list(next(iter(levels.values())))
    lines = [
        [level, *(f"{rates[kind]['rate']:.3f} ({rates[kind]['count']} of {rates[kind]['n']})" for kind in kinds)]
        for level, rates in levels.items()
    ]
    note = f"alpha = {study['alpha']:g}, {study['splits']} splits of each of 3 sources. {_made(study)}"
    return f"{table(['read', *kinds], lines)}\n\n{note}"


def relation() -> str:
    """What the story of each test model was, by what it is."""
    study = json.loads((RESULTS / "evidence_levels_fashion.json").read_text())
    stories = ("from-weights", "extracted", "homologous", "none", "unknown")
    lines = [
        [truth, str(sum(counts.values())), *(str(counts.get(story, 0)) for story in stories)]
        for truth, counts in study["relation"].items()
    ]
    right = "; ".join(
        f"{name}: {one['count']} of {one['n']} right, interval {one['interval'][0]:.2f} to {one['interval'][1]:.2f}"
        for name, one in study["right"].items()
    )
    return f"{table(['truly', 'n', *stories], lines)}\n\n{right}. {_made(study)}"


def components() -> str:
    """What residual finds by how much is taken away."""
    study = json.loads((RESULTS / "residual_components_fashion.json").read_text())
    lines = []
    for name, row in study["settings"].items():
        copies, others = (row[f"called_derived_{side}"] for side in ("derived", "independent"))
        verdicts = [
            f"{one['count']} of {one['n']} ({one['interval'][0]:.2f}-{one['interval'][1]:.2f})"
            for one in (copies, others)
        ]
        lines.append([name, f"{row['auc']:.3f}", f"{row['tpr_at_1']:.2f}", *verdicts])
    how = study["provenance"]
    head = ["taken away", "AUC", "T1%F", "copies found", "independent models called derived"]
    note = f"(`python -m research.studies.residual_components`, {how['date']}, revision {how['revision']}.)"
    return f"{table(head, lines)}\n\n{note}"


def sums() -> str:
    """What the sums of levels that were compared find on the development models."""
    study = json.loads((RESULTS / "auto_sums_fashion.json").read_text())
    labels = ("auto, 8 + 8", "auto, no shadow models")
    rules = list(dict.fromkeys(name.rpartition(": ")[0] for name in study[labels[0]]["rules"]))
    lines = []
    for rule in rules:
        rows = [study[label]["rules"][f"{rule}: {read}"] for label in labels for read in ("scores", "weights")]
        lines.append([rule, *(f"{row['tpr_at_1']:.2f} / {row['auc']:.2f} / {row['found']:.2f}" for row in rows)])
    head = ["sum", *(f"{label.removeprefix('auto, ')}: {read}" for label in labels for read in ("scores", "files"))]
    how = study["provenance"]
    counts = " and ".join(str(sum(study[label]["copies"])) for label in labels)
    note = (
        f"T1%F / AUC / found by the verdict, means over 3 sources, {counts} copies. "
        f"(`python -m research.studies.auto_sums`, {how['date']}, revision {how['revision']}.)"
    )
    return f"{table(head, lines)}\n\n{note}"


def _configurations(chosen: Sequence[tuple[str, str, int]]) -> str:
    results = find_results(str(RESULTS / "fashion.json"))
    lines = []
    for label, access, budget in chosen:
        group = group_of(results, label, access, budget, ALL)
        if group:
            lines.append([label, access, str(budget), *(cell(group, figure, None) for figure in FIGURES)])
    head = ["configuration", "read", "queries", "AUC", "T1%F", "found", "called derived"]
    return f"{table(head, lines)}\n\n{origin(results)}"


def _named(scheme: str, access: str, budget: int) -> str:
    return f"{scheme}, no query" if scheme == "lineage" else f"{scheme}, {access}, {budget} queries"


def _made(study: dict[str, dict[str, str]]) -> str:
    how = study["provenance"]
    return f"(`python -m research.studies.evidence_levels`, {how['date']}, revision {how['revision']}.)"
