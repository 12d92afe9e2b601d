"""What `bench answers` finds on a recorded table with scores: the models of the `fashion` zoo.

    modelprint bench record benchmarks/zoo/fashion --data 'fashion-mnist:holdout[0:2000]' --out TABLE
    python -m research.studies.recorded_scores TABLE [--seeds 3]

Residual and auto read scores; contrast and AKH read the labels of the same models. Figures are of the sources from
which at least `LEAST` copies were made: the mean, the lowest and the highest of the seeds, which draw families and
queries.
Writes benchmarks/results/recorded_scores_fashion.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.common import provenance, write_result
from modelprint.bench.answers.judging import judge
from modelprint.bench.answers.recorded import read_tables
from modelprint.bench.answers.table import AnswerTable
from modelprint.results.records import Results, Row

SCHEMES = ("residual", "auto", "contrast", "akh")
BUDGETS = (50, 200)
FIGURES = ("auc", "tpr_at_1", "tpr_verdict", "fpr_verdict")
LEAST = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    table = read_tables([arguments.table])
    sources = [place for place in table.sources if len(table.copies(place)) >= LEAST]
    rows = [row for budget in BUDGETS for row in _judged(table, sources, budget, arguments.seeds)]
    write_result(
        "recorded_scores_fashion.json",
        {
            "models": len(table.ids),
            "families": len(table.families),
            "inputs": table.images,
            "sources": {table.ids[place]: len(table.copies(place)) for place in sources},
            "seeds": arguments.seeds,
            "rows": rows,
            "provenance": provenance(),
        },
    )


def _judged(table: AnswerTable, sources: list[int], budget: int, seeds: int) -> list[dict[str, Any]]:
    """One row for each scheme at a budget."""
    results = [judge(table, SCHEMES, budget=budget, seed=seed) for seed in range(seeds)]
    rows = [_summary(results, [table.ids[place] for place in sources], scheme, budget) for scheme in SCHEMES]
    for row in rows:
        print(row, flush=True)
    return rows


def _summary(results: list[Results], sources: list[str], scheme: str, budget: int) -> dict[str, Any]:
    """Each figure, as the mean over sources: of all seeds, and of the lowest and the highest seed."""
    summary: dict[str, Any] = {"scheme": scheme, "budget": budget}
    by_seed = [_rows(one, sources, scheme) for one in results]
    summary["copies"] = sum(row.n_derived for row in by_seed[0])
    summary["independents"] = [round(fmean(row.n_independent for row in rows)) for rows in by_seed]
    for figure in FIGURES:
        means = [fmean(getattr(row, figure) for row in rows) for rows in by_seed]
        summary[figure] = {"mean": fmean(means), "min": min(means), "max": max(means)}
    return summary


def _rows(results: Results, sources: list[str], scheme: str) -> list[Row]:
    return [row for row in results.rows if row.scheme == scheme and row.source in sources and row.attack == "all"]


if __name__ == "__main__":
    main()
