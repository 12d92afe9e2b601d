"""How many siblings an owner with a public parent needs, and how cheap they may be: from the records of `transfer`.

    python -m research.studies.siblings [--zoo benchmarks/zoo/transfer]

Lineage takes away what siblings share: the parent alone, or the parent and some siblings that the owner tuned. For each
such shared part, every recorded model has a score. Sibling models that stand in no shared part are independent of the
source. Nothing is trained, and no weights are read. Two questions:

- shared part: how far copies made from weights lie above siblings, for each shared part;
- ranking: which share of the siblings in test is called derived at alpha = .05, by thresholds from k calibration
  siblings (drawn again and again), or from cheaper siblings.

Writes benchmarks/results/siblings_transfer.json.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.plan import Enrolment
from modelprint.bench.records import RecordedModel, read_record
from modelprint.bench.store import Store
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.population import ZooModel, load
from modelprint.zoo.recipes import Theft

ALPHA = 0.05
COUNTS = (19, 20, 39, 40)  # of calibration siblings
DRAWS = 1000
NAME = "siblings_transfer.json"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A recorded model, and its lineage score beside one shared part.

    Attributes:
        tuning: how many images a sibling learned from, and whether only its last layer did; "" of other models.
        score: None where too little of the weights can be compared.
    """

    model: ZooModel
    tuning: str
    score: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", type=Path, default=Path("benchmarks/zoo/transfer"))
    arguments = parser.parse_args()
    planned = bench_of("transfer")
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=arguments.zoo))
    records = {model.id: read_record(model.judged_by) for model in field.models if model.judged_by.suffix == ".npz"}
    rows = [_row(enrolment, list(_scored(field, enrolment, arguments.zoo, records))) for enrolment in _lineages(field)]
    for row in rows:
        print(row, flush=True)
    write_result(NAME, {"recorded": len(records), "alpha": ALPHA, "rows": rows, "provenance": provenance()})


def _lineages(field: Field) -> Iterator[Enrolment]:
    """The fingerprints of the benchmark that compare weights alone."""
    for entrant in field.entrants():
        if entrant.contender.scheme == "lineage":
            yield entrant.enrolment


def _scored(field: Field, enrolment: Enrolment, zoo: Path, records: Mapping[str, RecordedModel]) -> Iterator[Scored]:
    """Every recorded model that is no part of the fingerprint."""
    held = Fingerprint.load(Store(zoo).fingerprint(enrolment.identity), weights=False).manifest.weights
    for model in field.models:
        if model.id not in records or model.id in enrolment.siblings or model.id == enrolment.source:
            continue
        result = records[model.id].lineage.get(held or "")
        if result is not None and model.part != "base":
            yield Scored(model=model, tuning=_tuning(model), score=result.score)


def _tuning(model: ZooModel) -> str:
    recipe = model.entry.recipe
    if model.kind != "SHARED" or not isinstance(recipe, Theft):
        return ""
    start, stop = recipe.data.partition("[")[2].rstrip("]").split(":")
    layers = {"rtll": "last layer", "rtal": "all layers"}[recipe.attack]
    epochs = recipe.parameters["recipe"]["epochs"] if isinstance(recipe.parameters.get("recipe"), dict) else None
    return f"{layers}, {int(stop) - int(start)} images" + ("" if epochs is None else f", {epochs} epochs")


def _row(enrolment: Enrolment, scored: Sequence[Scored]) -> dict[str, Any]:
    """What one shared part gives for one source."""
    siblings = {
        part: [one for one in scored if one.model.kind == "SHARED" and one.model.part == part]
        for part in ("test", "calibration", "sweep", "shadow")
    }
    copies = {
        part: [one for one in scored if one.model.source == enrolment.source and one.model.part == part]
        for part in ("test", "shadow")
    }
    independents = [*siblings["test"], *siblings["calibration"]]
    return {
        "source": enrolment.source,
        "siblings": len(enrolment.siblings),
        "copies": {part: _separation(_from_weights(ones), independents) for part, ones in copies.items()},
        "extracted": _spread(_values([one for one in copies["test"] if one.model.family == "extraction"])),
        "independents": {part: _spread(_values(ones)) for part, ones in siblings.items()},
        "by_tuning": {name: _spread(_values(ones)) for name, ones in _grouped(scored).items()},
        "called_derived": {
            str(count): _called(_values(siblings["calibration"]), _values(siblings["test"]), count) for count in COUNTS
        },
        "by_cheap_siblings": {
            name: _called(_values(ones), _values(siblings["test"]), len(ones))
            for name, ones in _grouped([*siblings["sweep"], *siblings["shadow"]]).items()
        },
    }


def _from_weights(copies: Sequence[Scored]) -> list[Scored]:
    """Copies that are not extracted from answers."""
    return [one for one in copies if not (one.model.attack or "").startswith("extracted")]


def _grouped(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Siblings by their tuning."""
    groups: dict[str, list[Scored]] = defaultdict(list)
    for one in scored:
        if one.tuning:
            groups[one.tuning].append(one)
    return dict(groups)


def _values(scored: Sequence[Scored]) -> np.ndarray:
    return np.array([one.score for one in scored if one.score is not None], dtype=np.float64)


def _spread(values: np.ndarray) -> dict[str, float | int] | None:
    if not len(values):
        return None
    low, middle, high = np.quantile(values, [0, 0.5, 1]).tolist()
    return {"n": len(values), "lowest": round(low, 4), "median": round(middle, 4), "highest": round(high, 4)}


def _separation(copies: Sequence[Scored], independents: Sequence[Scored]) -> dict[str, Any] | None:
    """How far copies lie above independent models, with the interval of the share that lies above all of them."""
    ours, theirs = _values(copies), _values(independents)
    if not len(ours) or not len(theirs):
        return None
    above = int((ours > theirs.max()).sum())
    interval = clopper_pearson(above, len(ours))
    lowest = min((one for one in copies if one.score is not None), key=lambda one: one.score or 0.0)
    return {
        "n": len(ours),
        "independents": len(theirs),
        "auc": auc(ours, theirs),
        "tpr_at_1": tpr_at_fpr(ours, theirs, fpr=0.01),
        "above_all": above,
        "interval": [interval.low, interval.high],
        "lowest": [lowest.model.attack, round(float(ours.min()), 4)],
        "highest_independent": round(float(theirs.max()), 4),
    }


def _called(calibration: np.ndarray, suspects: np.ndarray, count: int) -> dict[str, Any] | None:
    """The share of independent suspects above the threshold of `count` calibration models; None with too few."""
    if len(calibration) < count or threshold(calibration[:count], ALPHA) is None or not len(suspects):
        return None
    generator = np.random.default_rng(0)
    draws = (
        [calibration]
        if count == len(calibration)
        else [generator.choice(calibration, size=count, replace=False) for _ in range(DRAWS)]
    )
    shares = [float((suspects > (threshold(draw, ALPHA) or np.inf)).mean()) for draw in draws]
    interval = clopper_pearson(round(float(np.mean(shares)) * len(suspects)), len(suspects))
    return {
        "suspects": len(suspects),
        "mean": float(np.mean(shares)),
        "highest": max(shares),
        "interval": [interval.low, interval.high],
    }


if __name__ == "__main__":
    main()
