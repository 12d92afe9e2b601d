"""Every source enrolled by every scheme, on recorded labels; the results are rows as of any benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from modelprint.bench.answers.protocol import Split, check_judgeable, split
from modelprint.bench.answers.schemes import ANSWER_SCHEMES, Evidence
from modelprint.bench.answers.scored import SCORED_SCHEMES, ScoredEvidence
from modelprint.bench.answers.table import AnswerTable
from modelprint.bench.rows import rows_of
from modelprint.core.errors import DataError, UsageError
from modelprint.core.identity import derived_seed, digest_arrays, digest_json
from modelprint.core.provenance import provenance
from modelprint.results.kinds import with_kinds
from modelprint.results.records import ALL, JudgedModel, Results, Row, Run, SuspectVerdict
from modelprint.stats.calibration import threshold

Progress = Callable[[str, int, int], None]


def judge(
    table: AnswerTable,
    schemes: Sequence[str],
    *,
    budget: int,
    seed: int = 0,
    alpha: float = 0.05,
    name: str = "answers",
    progress: Progress = lambda stage, done, total: None,
) -> Results:
    """Rows of each source and, as source "all", their means; for every scheme.

    Args:
        schemes: registered names.
        budget: how many images are asked.
        seed: draws families and queries.
        alpha: the accepted rate of false accusations, for the verdict's figures.
        name: what the data are called in the results.

    Raises:
        UsageError: no scheme, an unknown one, or alpha out of range.
        DataError: too few families or images, or no scores for a scheme that reads them.
    """
    if not schemes:
        raise UsageError(f"no scheme was named: use some of {', '.join(ANSWER_SCHEMES)}")
    if unknown := [scheme for scheme in schemes if scheme not in ANSWER_SCHEMES and scheme not in SCORED_SCHEMES]:
        known = ", ".join((*ANSWER_SCHEMES, *SCORED_SCHEMES))
        raise UsageError(f"unknown scheme for answer tables {unknown[0]!r}: use one of {known}")
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    check_judgeable(table, budget=budget)
    splits, runs = [], []
    for number, source in enumerate(table.sources):
        progress("sources", number, len(table.sources))
        splits.append(split(table, source, seed=seed))
        evidence = _evidence(table, splits[-1], budget)
        for scheme in schemes:
            if scheme in ANSWER_SCHEMES:
                runs.append(_run(table, splits[-1], evidence, scheme, seed=seed, alpha=alpha))
            elif table.ids[source] in table.scores:
                runs.append(_scored_run(table, splits[-1], evidence, scheme, seed=seed, alpha=alpha))
    if missing := [scheme for scheme in schemes if scheme in SCORED_SCHEMES and not table.scored_sources]:
        raise DataError(
            f"{missing[0]} reads scores, and the table has none of a model that others were made from: record them "
            "with bench record --access scores, or leave the scheme out"
        )
    progress("sources", len(table.sources), len(table.sources))
    suspects = tuple(_judged(table, splits))
    return Results(
        name=name,
        data=name,
        alpha=alpha,
        sources={table.ids[source]: round(float(table.accuracies[source]), 5) for source in table.sources},
        rows=with_kinds(_rows(suspects, runs), runs, suspects),
        suspects=suspects,
        runs=tuple(runs),
        provenance=_provenance(table, splits, seed),
    )


def _evidence(table: AnswerTable, parts: Split, budget: int) -> Evidence:
    return Evidence(
        source=table.labels[parts.source],
        truth=table.truth,
        others=table.labels[parts.selection],
        parents=np.searchsorted(parts.selection, table.parents[parts.selection]),
        budget=budget,
    )


def _run(table: AnswerTable, parts: Split, evidence: Evidence, scheme: str, *, seed: int, alpha: float) -> Run:
    """One source, enrolled by one scheme, against its copies and the independents."""
    source = table.ids[parts.source]
    started = time.process_time()
    generator = np.random.default_rng(derived_seed("answers", "queries", seed, source, scheme))
    interview = ANSWER_SCHEMES[scheme](evidence, generator)
    crafted = time.process_time()
    suspects = np.concatenate([parts.copies, parts.independent, parts.calibration])
    scores = np.round(interview.score(table.labels[np.ix_(suspects, interview.queries)]), 6)
    judged, calibration = np.split(scores, [len(suspects) - len(parts.calibration)])
    names = [
        *(table.ids[place] for place in parts.copies),
        *(_third_party(table.ids[place]) for place in parts.independent),
    ]
    return Run(
        scheme=scheme,
        source=source,
        access="labels",
        budget=evidence.budget,
        queries=len(interview.queries),
        seed=seed,
        scores=dict(zip(names, judged.tolist(), strict=True)),
        calibration=dict(zip([table.ids[place] for place in parts.calibration], calibration.tolist(), strict=True)),
        threshold=threshold(calibration, alpha),
        craft_seconds=round(crafted - started, 4),
        ask_seconds=round(time.process_time() - crafted, 4),
        forward_seconds=0.0,
    )


def _scored_run(table: AnswerTable, parts: Split, evidence: Evidence, scheme: str, *, seed: int, alpha: float) -> Run:
    """One source, enrolled by one scheme that reads scores, against its copies and the independents.

    One model of each family, its first, calibrates: what relatives share would be taken out of each of them, and out of
    no suspect. Those that suspects are compared against are never judged, so that they may be relatives.
    """
    source = table.ids[parts.source]
    started = time.process_time()
    generator = np.random.default_rng(derived_seed("answers", "queries", seed, source, scheme))
    interview = SCORED_SCHEMES[scheme](
        ScoredEvidence(
            labels=evidence,
            source=table.answers(parts.source),
            references=table.scored_families(parts.selection),
            calibration=tuple(family[0] for family in table.scored_families(parts.calibration)),
            alpha=alpha,
        ),
        generator,
    )
    crafted = time.process_time()
    scores: dict[str, float | None] = {}
    verdicts: dict[str, SuspectVerdict] = {}
    failures: dict[str, str] = {}
    for place in (*parts.copies, *parts.independent):
        name = table.ids[place] if place in parts.copies else _third_party(table.ids[place])
        if table.ids[place] not in table.scores:
            scores[name], failures[name] = None, "the table has its labels alone"
            continue
        decision = interview.decide(table.answers(place))
        scores[name] = None if decision.score is None else round(decision.score, 6)
        verdicts[name] = SuspectVerdict(
            verdict=decision.outcome,
            threshold=None if decision.threshold is None else round(decision.threshold, 6),
            p_value=decision.p_value,
            matched=decision.matching is not None,
            reason=decision.message if decision.outcome == "inconclusive" else None,
        )
    return Run(
        scheme=scheme,
        source=source,
        access="scores",
        budget=evidence.budget,
        queries=interview.queries,
        seed=seed,
        scores=scores,
        threshold=interview.threshold,
        verdicts=verdicts,
        failures=failures,
        craft_seconds=round(crafted - started, 4),
        ask_seconds=round(time.process_time() - crafted, 4),
        forward_seconds=0.0,
    )


def _rows(suspects: Sequence[JudgedModel], runs: Sequence[Run]) -> Iterator[Row]:
    """One row per scheme and source, and one for all sources, also where there is but one."""
    rows = list(rows_of(suspects, runs))
    yield from rows
    if all(row.source != ALL for row in rows):
        yield from (row.model_copy(update={"source": ALL}) for row in rows)


def _judged(table: AnswerTable, splits: Sequence[Split]) -> Iterator[JudgedModel]:
    """Every copy, and every model as it stands against the owner of another."""
    for parts in splits:
        for place in parts.copies:
            agreement = float((table.labels[place] == table.labels[parts.source]).mean())
            yield JudgedModel(
                id=table.ids[place],
                model=table.ids[place],
                role="derived",
                source=table.ids[parts.source],
                accuracy=round(float(table.accuracies[place]), 5),
                agreement=round(agreement, 5),
                counts_as="all",
            )
    for place in np.unique(np.concatenate([parts.independent for parts in splits])):
        first = int(table.family_of[place])
        yield JudgedModel(
            id=_third_party(table.ids[place]),
            model=table.ids[place],
            third_party=True,
            role="independent",
            kind=table.kinds.get(table.ids[place]),
            source=None if first == place else table.ids[first],
            accuracy=round(float(table.accuracies[place]), 5),
            agreement=None,
            counts_as="independent",
        )


def _third_party(name: str) -> str:
    """What results call a model that meets the owner of another, as committed results do."""
    return f"stranger:{name}"


def _provenance(table: AnswerTable, splits: Sequence[Split], seed: int) -> dict[str, object]:
    names = np.array(table.ids)
    families = dict(zip(table.ids, names[table.parents].tolist(), strict=True))
    return {
        **provenance(),
        "answers": digest_arrays({"labels": table.labels, "truth": table.truth}),
        "families": digest_json(families),
        "models": len(table.ids),
        "images": table.images,
        "seed": seed,
        "splits": {
            table.ids[parts.source]: {
                part: names[np.unique(table.family_of[getattr(parts, part)])].tolist()
                for part in ("selection", "calibration", "independent")
            }
            for parts in splits
        },
    }
