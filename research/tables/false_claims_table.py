"""The table of docs/threat-model.md: how often each scheme calls independent models derived for an owner who cheats."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS

COLUMNS = {
    "queries as crafted": "honest",
    "forged, no guard": "forged, no guard",
    "forged, judge's models": "forged, judge's models",
    "forged against one known model, judge's models": "aimed, judge's models",
    "best of 20 seeds, judge's models": "best of seeds, judge's models",
    "forged, re-derived": "forged, re-derived",
    "fresh challenge": "fresh challenge",
}


FORGED_COLUMNS = {
    "natural images": "natural",
    "forged against independent models in general, no guard": "general, no guard",
    "the same, judge's models": "general, judge's models",
    "forged against one known model, judge's models": "aimed, judge's models",
    "the same, fresh seed on the owner's images": "aimed, fresh seed on the owner's images",
    "fresh challenge on the judge's images, judge's models": "judge's images",
    "the same, of the models aimed at": "aimed, judge's images",
    "fresh challenge on the judge's images, models that the owner chose": "judge's images, owner's choice of models",
}


def false_claims() -> str:
    """One line per scheme, one column per guard; independent models called derived at alpha = .05, exact intervals."""
    study = json.loads((RESULTS / "false_claims_fashion.json").read_text())
    lines = [["scheme, queries", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for scheme, row in study["rows"].items():
        cells = [_cell(row[key]) for key in COLUMNS.values()]
        lines.append([f"{scheme}, {row['queries']:,}", *cells])
    note = (
        f"Called derived, of how many; 95 % Clopper-Pearson. {study['innocents']} independent models, "
        f"{study['judges']} models of the judge, {study['surrogates']} reference models of the owner. "
        f"({_made_on(study)})"
    )
    return _lines(lines) + f"\n\n{note}"


def forged_data() -> str:
    """One line per scheme: forged data that come out again bit for bit, and every guard against them."""
    study = json.loads((RESULTS / "forged_data_fashion.json").read_text())
    titles = ["scheme, queries", "re-derivation", "images, of them altered", *FORGED_COLUMNS]
    lines = [titles, ["---"] * len(titles)]
    for scheme, row in study["rows"].items():
        passed = "passes" if row["general, re-derived"] and row["aimed, re-derived"] else "refused"
        images = f"{row['images']['committed']:,}, {row['images']['forged']}"
        cells = [_cell(row[key]) for key in FORGED_COLUMNS.values()]
        lines.append([f"{scheme}, {row['queries']:,}", passed, images, *cells])
    note = (
        f"Called derived, of how many; 95 % Clopper-Pearson. {study['innocents']} independent models, "
        f"{study['judges']} models of the judge, of which the owner chose {study['chosen']}; {study['surrogates']} "
        f"reference models of the owner. ({_made_on(study)})"
    )
    return _lines(lines) + f"\n\n{note}"


def _made_on(study: dict[str, Any]) -> str:
    origins = [row["provenance"] for row in study["rows"].values()]
    keys = ("date", "revision", "torch")
    dates, revisions, torches = (", ".join(sorted({how[key] for how in origins})) for key in keys)
    return f"{dates}, revisions {revisions}, torch {torches}."


def _lines(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(accusations: dict[str, Any] | str) -> str:
    if isinstance(accusations, str):
        return accusations.partition(":")[0]
    low, high = accusations["interval"]
    return f"{accusations['accused']} of {accusations['n']} ({low:.2f}-{high:.2f})"
