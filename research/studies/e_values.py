"""What `contrast` finds by e-values, beside its rank: fashion, labels, 200 queries, every test model.

    python -m research.studies.e_values --folder FOLDER [--zoo benchmarks/zoo/fashion]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`: the fingerprints of `auto` with 400 queries are taken,
whose first 200 are contrast's, with the answers of the calibration models that lie there; nothing is trained. Of each
model M = exp(rate x score) counts. The rate is chosen on the copies of the first source's sweep; the test part shows
all rates, and the chosen one.

*The rule at alpha*: derived where the e-value is at least 1 / alpha in every kind of calibration model that has 19
families or more ("by kind"); and beside models from scratch alone, which are the most ("from scratch alone"). *Rank*:
the rule of verdicts.

Writes benchmarks/results/e_values_fashion.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.store import Store
from modelprint.core.access import Access
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import opened, scheme_of
from modelprint.ownership.parts import part_of
from modelprint.schemes.auto import Auto
from modelprint.schemes.contrast import Contrast
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.e_values import e_value, e_value_by_kind, tempered
from modelprint.stats.intervals import clopper_pearson
from modelprint.zoo.population import ZooModel, load

RESULT = "e_values_fashion.json"
RATES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
ALPHAS = (0.05, 0.1, 0.2)
BUDGET = 400


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A source's calibration models, and suspects, by their scores."""

    source: str
    kinds: tuple[str, ...]
    families: tuple[str, ...]
    calibration: np.ndarray
    copies: np.ndarray
    sweep: np.ndarray
    independent: np.ndarray


def scored(field: Field, source: ZooModel, store: Store) -> Scored:
    entrant = next(
        one
        for one in field.entrants()
        if (one.contender.label, one.enrolment.budget, one.enrolment.source) == ("auto", BUDGET, source.id)
    )
    whole = Fingerprint.load(store.calibrated(entrant.enrolment.identity))
    auto = scheme_of(whole)
    assert isinstance(auto, Auto)
    fingerprint, scheme = part_of(whole, auto, Access.LABELS), auto.parts[Access.LABELS]
    assert isinstance(scheme, Contrast)

    def score(model: ZooModel) -> float:
        answers = opened(model.load(), fingerprint).ask(fingerprint.queries, access=Access.LABELS)
        return scheme.score(fingerprint.state, fingerprint.source, answers)

    copies, independent = [], []
    for meeting in field.suspects(source):
        if meeting.model.same_classes:
            if meeting.judged.role != "derived":
                independent.append(score(meeting.model))
            elif meeting.judged.counts_as == "all":
                copies.append(score(meeting.model))
    sweep = [score(one.model) for one in field.swept(source) if one.model.accuracy >= 0.85 * source.accuracy]
    read = [other.restricted(Access.LABELS) for other in fingerprint.calibration]
    return Scored(
        source=source.id,
        kinds=tuple(group.kind for group in fingerprint.groups),
        families=tuple(fingerprint.families),
        calibration=np.array([scheme.score(fingerprint.state, fingerprint.source, one) for one in read]),
        copies=np.array(copies),
        sweep=np.array(sweep),
        independent=np.array(independent),
    )


def by_rank(one: Scored, scores: np.ndarray, alpha: float) -> np.ndarray:
    ranks = [
        ranked_by_kind(one.calibration, one.kinds, alpha, families=one.families, score=float(score)).p_value
        for score in scores
    ]
    return np.array([rank is not None and rank <= alpha for rank in ranks], dtype=bool)


def e_values(one: Scored, scores: np.ndarray, rate: float, *, by_kind: bool) -> np.ndarray:
    scratch = np.array([kind == "INDEPENDENT" for kind in one.kinds])
    values = []
    for score in scores:
        own, *others = tempered(np.array([score, *one.calibration]), rate=rate)
        if by_kind:
            value = e_value_by_kind(own, np.array(others), one.kinds, families=one.families, alpha=0.05)
            assert value is not None
        else:
            value = e_value(own, np.array(others)[scratch])
        values.append(value)
    return np.array(values)


def share(called: Sequence[np.ndarray]) -> dict[str, Any]:
    together = np.concatenate(called)
    count, n = int(together.sum()), len(together)
    interval = clopper_pearson(count, n) if n else None
    return {
        "count": count,
        "n": n,
        "rate": round(count / n, 4) if n else None,
        "interval": None if interval is None else [round(interval.low, 4), round(interval.high, 4)],
    }


def table(every: Sequence[Scored], group: str, rate: float | None, *, by_kind: bool = True) -> dict[str, Any]:
    shares = {}
    for alpha in ALPHAS:
        called = []
        for one in every:
            scores = getattr(one, group)
            if rate is None:
                called.append(by_rank(one, scores, alpha))
            else:
                called.append(e_values(one, scores, rate, by_kind=by_kind) >= 1 / alpha)
        shares[str(alpha)] = share(called)
    return shares


def chosen_rate(every: Sequence[Scored]) -> float:
    """By the mean logarithm of the e-values, by kind, of the first source's sweep: growth is what e-values are for."""
    means = [np.log(e_values(every[0], every[0].sweep, rate, by_kind=True)).mean() for rate in RATES]
    return RATES[int(np.argmax(means))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--zoo", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    planned = bench_of("fashion")
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=chosen.zoo))
    every = [scored(field, source, Store(chosen.folder)) for source in field.sources]
    rate = chosen_rate(every)
    ways = {"by kind": True, "from scratch alone": False}
    write_result(
        RESULT,
        {
            "queries": 200,
            "chosen_rate": rate,
            "sweep_mean_log_e": {
                str(one): round(float(np.log(e_values(every[0], every[0].sweep, one, by_kind=True)).mean()), 3)
                for one in RATES
            },
            "calibration": {
                kind: len(
                    {family for other, family in zip(every[0].kinds, every[0].families, strict=True) if other == kind}
                )
                for kind in sorted(set(every[0].kinds))
            },
            "rank": {group: table(every, group, None) for group in ("copies", "independent")},
            "e_values": {
                way: {
                    str(one): {group: table(every, group, one, by_kind=by_kind) for group in ("copies", "independent")}
                    for one in RATES
                }
                for way, by_kind in ways.items()
            },
            "mean_of_independent": {
                way: round(
                    float(np.mean(np.concatenate([e_values(o, o.independent, rate, by_kind=by) for o in every]))), 4
                )
                for way, by in ways.items()
            },
            "median_of_copies": {
                way: round(
                    float(np.median(np.concatenate([e_values(o, o.copies, rate, by_kind=by) for o in every]))), 3
                )
                for way, by in ways.items()
            },
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
