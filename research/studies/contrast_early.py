"""How many queries contrast asks before its verdict is settled, and whether its error rate holds.

    python -m research.studies.contrast_early --name fashion --zoo benchmarks/zoo/fashion --bench FOLDER

FOLDER is that of `modelprint bench run NAME --folder FOLDER`, whose fingerprints of 200 queries are taken. Every
model of the zoo's test part is asked as `verify` asks, and its verdict compared with that of all 200 queries. Then the
independent models of the calibration and the test part (without siblings and copies of others) are split at random 200
times into 99 that calibrate and the rest, whose rank p-values must be no smaller than uniform: the share at most alpha,
against alpha.
Writes benchmarks/results/contrast_early_NAME.json.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Entrant, Field
from modelprint.bench.store import Store
from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.ownership.ask import interrogate
from modelprint.ownership.concluding import concluded
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.ownership.negatives import Inputs, Negative, ask_negatives
from modelprint.stats.calibration import rank_p_value
from modelprint.stats.intervals import clopper_pearson
from modelprint.suspects.local import TorchSuspect
from modelprint.zoo import population
from modelprint.zoo.plans import plan_of
from modelprint.zoo.population import ZooModel

ALPHAS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5)
SPLITS = 200


def negative(model: ZooModel) -> Negative:
    """A calibration model."""
    loaded = model.load()
    kind = "COPY" if model.role == "derived" else model.kind
    victim = loaded.card.recipe["source"] if model.role == "derived" and loaded.card is not None else None
    record = CalibrationModel(
        name=model.id, identity=loaded.identity, accuracy=model.accuracy, kind=kind, made_from=victim
    )
    return Negative(model=loaded, record=record)


def judged(fingerprint: Fingerprint, field: Field, entrant: Entrant, alpha: float) -> dict[str, Any]:
    """Queries and verdicts of the source's suspects, by family or kind."""
    scheme = entrant.contender.configured()
    source = next(model for model in field.sources if model.id == entrant.enrolment.source)
    asked: dict[tuple[str, bool], list[int]] = defaultdict(list)
    derived: dict[tuple[str, bool], int] = defaultdict(int)
    changed = 0
    for meeting in field.suspects(source):
        if not meeting.model.same_classes:
            continue
        facts = meeting.judged
        copy = facts.role == "derived"
        name = facts.counts_as if copy and facts.counts_as != "all" else facts.family if copy else facts.kind
        group = str(name), facts.third_party
        loaded = meeting.model.load()
        suspect = TorchSuspect(loaded.module, identity=loaded.identity, classes=10)
        early, full = (
            interrogate(fingerprint, scheme, suspect, access=Access.LABELS, alpha=level) for level in (alpha, None)
        )
        verdicts = [concluded(scheme, fingerprint, interview, alpha=alpha).outcome for interview in (early, full)]
        changed += verdicts[0] != verdicts[1]
        asked[group].append(int(early.asked.sum()))
        derived[group] += verdicts[0] == "derived"
    return {
        "source": source.id,
        "alpha": alpha,
        "verdicts_changed_by_stopping": changed,
        "groups": [
            {
                "name": name,
                "third_party": third_party,
                "models": len(queries),
                "derived": derived[name, third_party],
                "queries_mean": float(np.mean(queries)),
                "queries_median": float(np.median(queries)),
            }
            for (name, third_party), queries in sorted(asked.items(), key=lambda item: item[0])
        ],
    }


def uniform(fingerprint: Fingerprint, entrant: Entrant, answers: tuple[Answers, ...]) -> dict[str, Any]:
    """Shares of held-out p-values at most alpha over repeated splits; the interval counts models, not splits."""
    scheme = entrant.contender.configured()
    scores = np.array(
        [scheme.score(fingerprint.state, fingerprint.source, each.restricted(Access.LABELS)) for each in answers]
    )
    generator = np.random.default_rng(0)
    shares: dict[float, list[float]] = defaultdict(list)
    for _ in range(SPLITS):
        order = generator.permutation(len(scores))
        calibration, held = scores[order[:99]], scores[order[99:]]
        values = np.array([rank_p_value(float(score), calibration) for score in held])
        for alpha in ALPHAS:
            shares[alpha].append(float((values <= alpha).mean()))
    at_most = {}
    for alpha in ALPHAS:
        mean = float(np.mean(shares[alpha]))
        interval = clopper_pearson(round(mean * len(scores)), len(scores))
        at_most[str(alpha)] = {"share": mean, "low": interval.low, "high": interval.high}
    return {"source": entrant.enrolment.source, "models": len(scores), "splits": SPLITS, "at_most": at_most}


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="fashion")
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--alpha", type=float, default=0.05)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = plan_of(arguments.name)
    field = Field(bench=bench_of(arguments.name).bench, plan=plan, models=population.load(plan, folder=arguments.zoo))
    store = Store(arguments.bench)
    calibration = field.part("calibration")
    honest = [model for model in (*calibration, *field.part("test")) if model.kind not in (None, "SHARED")]
    early, spread = [], []
    for entrant in field.entrants():
        if entrant.contender.label != "contrast" or entrant.enrolment.budget != 200:
            continue
        fingerprint = Fingerprint.load(store.fingerprint(entrant.enrolment.identity))
        inputs = Inputs(shape=fingerprint.manifest.input.shape, class_names=fingerprint.manifest.input.class_names)
        loaded = {model.id: negative(model) for model in (*calibration, *honest)}
        answers = dict(zip(loaded, ask_negatives(list(loaded.values()), fingerprint.queries, inputs), strict=True))
        records = tuple(loaded[model.id].record for model in calibration)
        calibrated = fingerprint.recalibrated(records, tuple(answers[model.id] for model in calibration))
        early.append(judged(calibrated, field, entrant, arguments.alpha))
        spread.append(uniform(fingerprint, entrant, tuple(answers[model.id] for model in honest)))
        print(entrant.enrolment.source, early[-1]["verdicts_changed_by_stopping"], spread[-1]["at_most"], flush=True)
    result = {"early": early, "p_values": spread, "provenance": provenance()}
    write_result(f"contrast_early_{arguments.name}.json", result)


if __name__ == "__main__":
    main()
