"""How often each kind of independent model gets the verdict "derived": a rate for each kind, from what runs hold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from modelprint.results.records import (
    ALL,
    INDEPENDENT_KINDS,
    FalsePositives,
    IndependentKind,
    JudgedModel,
    Row,
    Run,
)
from modelprint.stats.calibration import upper_bound


def with_kinds(rows: Iterable[Row], runs: Sequence[Run], suspects: Sequence[JudgedModel]) -> tuple[Row, ...]:
    """The rows, each with the rates of its run; a mean over sources with those of all their runs."""
    kinds = {model.id: model.independent_kind for model in suspects}
    settings: dict[tuple[object, ...], list[Run]] = defaultdict(list)
    for run in runs:
        for source in (run.source, ALL):
            settings[run.scheme, run.access, run.budget, run.evasion, run.seed, source].append(run)
    rates = {setting: rates_by_kind(members, kinds) for setting, members in settings.items()}
    unknown: dict[IndependentKind, FalsePositives | None] = dict.fromkeys(INDEPENDENT_KINDS)
    return tuple(
        row.model_copy(
            update={
                "fpr_by_kind": rates.get(
                    (row.scheme, row.access, row.budget, row.evasion, row.seed, row.source), unknown
                )
            }
        )
        for row in rows
    )


def rates_by_kind(
    runs: Sequence[Run], kinds: dict[str, IndependentKind | None]
) -> dict[IndependentKind, FalsePositives | None]:
    """Over all runs; None for a kind of which no model was judged.

    Args:
        kinds: of each independent suspect, by id; None of the others.
    """
    verdicts: Counter[IndependentKind] = Counter()
    positive: Counter[IndependentKind] = Counter()
    for run in runs:
        for name, score in run.scores.items():
            kind, derived = kinds.get(name), run.derived(name)
            if kind is None or derived is None or (score is None and name not in run.verdicts):
                continue
            verdicts[kind] += 1
            positive[kind] += derived
    return {
        kind: FalsePositives(
            count=positive[kind],
            n=verdicts[kind],
            upper_95=round(upper_bound(positive[kind], verdicts[kind]), 5),
        )
        if verdicts[kind]
        else None
        for kind in INDEPENDENT_KINDS
    }
