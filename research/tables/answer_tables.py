"""Tables of docs/bench.md and docs/reach.md on recorded labels: three populations of the fashion zoo."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from benchmarks.common import RESULTS
from research.tables.field_tables import met, table

POPULATIONS = {
    "fashion": "honest models",
    "students": "students, three of a teacher",
    "siblings": "siblings of one parent",
}
LABELS, SCORED = ("contrast", "rarest", "akh", "sac", "fbi"), ("residual", "auto")
SCHEME, FROM_SCORES = "contrast", "residual"


def by_scheme() -> str:
    """Every scheme that reads labels, at three budgets, on honest models."""
    study = _study("fashion")
    rows = [row for scheme in LABELS for row in _on_all_images(study, scheme)]
    head = ["scheme", "queries", "AUC", "T1%F", "worst source, T1%F", "verdict: TPR / FPR"]
    lines = [
        [
            row["scheme"],
            str(row["budget"]),
            _spread(row["auc"], digits=4),
            _spread(row["tpr_at_1"]),
            f"{row['worst_source_tpr_at_1']:.3f}",
            f"{row['tpr_verdict']['mean']:.3f} / {row['fpr_verdict']['mean']:.3f}",
        ]
        for row in rows
    ]
    return f"{table(head, lines)}\n\n{_made_on(study)}"


def harder() -> str:
    """T1%F on each population: labels of all images, and labels and scores of the first ones."""
    studies = {name: _study(name) for name in POPULATIONS if (RESULTS / f"answers_{name}.json").is_file()}
    head = ["read", "scheme", "queries", *(POPULATIONS[name] for name in studies)]
    lines = []
    for scheme in ("contrast", "rarest", "akh"):
        rows = {name: {row["budget"]: row for row in _on_all_images(study, scheme)} for name, study in studies.items()}
        for budget in rows["fashion"]:
            cells = [_spread(by_budget[budget]["tpr_at_1"], digits=4) for by_budget in rows.values()]
            lines.append(["labels", scheme, str(budget), *cells])
    for scheme in ("contrast", "rarest", *SCORED):
        few = [_on_few_images(study, scheme) for study in studies.values()]
        read = "scores" if scheme in SCORED else "labels"
        cells = [_spread(row["tpr_at_1"], digits=4) for row in few]
        lines.append([f"{read}, {few[0]['images']:,} images", scheme, str(few[0]["budget"]), *cells])
    return f"{table(head, lines)}\n\n{_made_on(studies['fashion'])}"


def aims() -> str:
    """The aims for recorded answers: from labels of all images, and from scores of the first ones."""
    study = _study("fashion")
    by_scores = _on_few_images(study, FROM_SCORES)
    labels = {row["budget"]: row for row in _on_all_images(study, SCHEME)}
    scores = {by_scores["budget"]: by_scores}

    def reached(budget: int, figure: str, aim: float) -> list[str]:
        return [
            f"{_spread(rows[budget][figure], digits=4)}, {met(rows[budget][figure]['mean'] >= aim)}"
            if budget in rows
            else "not measured"
            for rows in (labels, scores)
        ]

    def worst(budget: int, aim: float) -> list[str]:
        figures = [(rows[budget]["worst_source_tpr_at_1"], rows[budget]["worst_source"]) for rows in (labels, scores)]
        return [f"{value:.3f} ({source}), {met(value >= aim)}" for value, source in figures]

    lines = [
        ["AUC >= .9999, 100 queries", *reached(100, "auc", 0.9999)],
        ["T1%F >= .998, 100 queries", *reached(100, "tpr_at_1", 0.998)],
        ["no source below .94, 100 queries", *worst(100, 0.94)],
        ["T1%F >= .99, 50 queries", *reached(50, "tpr_at_1", 0.99)],
    ]
    head = [
        "aim",
        f"labels, {study['images']:,} images: {SCHEME}",
        f"scores, {by_scores['images']:,} images: {FROM_SCORES}",
    ]
    note = f"{study['models']:,} models of {study['sources']} sources, {by_scores['seeds']} seeds."
    return f"{table(head, lines)}\n\n{note} {_made_on(study)}"


def _study(name: str) -> dict[str, Any]:
    study: dict[str, Any] = json.loads((RESULTS / f"answers_{name}.json").read_text())
    return study


def _on_all_images(study: dict[str, Any], scheme: str) -> Sequence[dict[str, Any]]:
    return [row for row in study["rows"] if row["scheme"] == scheme and "images" not in row]


def _on_few_images(study: dict[str, Any], scheme: str) -> dict[str, Any]:
    return next(row for row in study["rows"] if row["scheme"] == scheme and "images" in row)


def _spread(values: dict[str, Any], digits: int = 3) -> str:
    """The mean over seeds, with the lowest and the highest."""
    return f"{values['mean']:.{digits}f} ({values['min']:.{digits}f}-{values['max']:.{digits}f})"


def _made_on(study: dict[str, Any]) -> str:
    how = study["provenance"]
    which = "Means over sources and seeds; in brackets the lowest and the highest seed."
    return f"{which} ({how['date']}, revision {how['revision']}.)"
