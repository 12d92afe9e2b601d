"""How many siblings an owner with a public parent needs, and how cheap they may be: on the zoo `transfer`.

    python -m research.studies.siblings FOLDER [--only-owners]

Lineage takes away what siblings share: the parent alone, or the parent and some siblings that the owner tuned. For each
such shared part, every model has a score: from its record, or from its weights where these are at hand. Siblings that
stand in no shared part are independent of the source. Nothing is trained. Two questions:

- shared part: how far copies made from weights lie above siblings, for each shared part;
- ranking: which share of the siblings in test is called derived at alpha = .05, by thresholds from k calibration
  siblings (drawn again and again), or from cheaper siblings.

FOLDER is a zoo with its fingerprints. `--only-owners` compares what an owner makes alone (`development` in the result).
Writes benchmarks/results/siblings_transfer.json; what was compared is kept in FOLDER/siblings.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Field
from modelprint.bench.plan import Enrolment
from modelprint.bench.store import Store
from modelprint.bench.subjects import FileSubject, Subject, held_fingerprint, subject_of
from modelprint.core.files import write_text
from modelprint.nn.loading import load_model
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.stats.roc import auc, tpr_at_fpr
from modelprint.zoo.plan import Plan
from modelprint.zoo.population import ZooModel, load
from modelprint.zoo.recipes import Entry, Theft

ALPHA = 0.05
COUNTS = (19, 20, 39, 40)  # of calibration siblings
DRAWS = 1000
NAME = "siblings_transfer.json"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A model, and its lineage score beside one shared part.

    Attributes:
        tuning: of a sibling: which layers learned, from how many images, how often; "" of other models.
        elsewhere: whether it started from another checkpoint than the source.
        score: None where too little of the weights can be compared.
    """

    model: ZooModel
    tuning: str
    elsewhere: bool
    score: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only-owners", action="store_true")
    arguments = parser.parse_args()
    planned = bench_of("transfer")
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=arguments.folder))
    enrolments = [one for one in _lineages(field) if (Store(arguments.folder).fingerprint(one.identity)).is_dir()]
    models = [
        model
        for model in field.models
        if _counts(model, planned.plan) and (not arguments.only_owners or model.part in ("shadow", "source", "base"))
    ]
    scores = _scores(models, enrolments, arguments.folder)
    rows = []
    for one in enrolments:
        free = [model for model in models if _free(model, one)]
        scored = [_with(scores[model.id, one.identity], model, planned.plan) for model in free]
        rows.append(_row(one, scored))
    for row in rows:
        print(json.dumps(row, indent=1), flush=True)
    write_result(NAME, {"models": len(models), "alpha": ALPHA, "rows": rows, "provenance": provenance()})


def _scores(
    models: Sequence[ZooModel], enrolments: Sequence[Enrolment], folder: Path
) -> dict[tuple[str, str], float | None]:
    """The lineage score of each model by each fingerprint; kept in a file, so that a killed run goes on."""
    path = folder / "siblings.json"
    kept: dict[str, dict[str, float | None]] = json.loads(path.read_text()) if path.is_file() else {}
    for model in models:
        known = kept.setdefault(model.row.sha256, {})
        missing = [one for one in enrolments if one.identity not in known and _free(model, one)]
        if not missing:
            continue
        subject = _subject(model)
        for one in missing:
            known[one.identity] = subject.compared(held_fingerprint(Store(folder).fingerprint(one.identity))).score
        write_text(path, json.dumps(kept))
        print(model.id, list(known.values()), flush=True)
    return {(model.id, identity): score for model in models for identity, score in kept[model.row.sha256].items()}


def _subject(model: ZooModel) -> Subject:
    if model.record is not None:
        return subject_of(model.record, "cpu")
    return FileSubject(load_model(model.path, trust_code=True))  # the plan's own networks


def _free(model: ZooModel, enrolment: Enrolment) -> bool:
    """Whether a fingerprint was made without this model."""
    return model.id not in enrolment.siblings and model.id != enrolment.source


def _lineages(field: Field) -> list[Enrolment]:
    """The fingerprints of the benchmark that compare weights alone."""
    return [one for one in field.enrolments() if one.scheme == "lineage"]


def _counts(model: ZooModel, plan: Plan) -> bool:
    """Whether a model is anybody's suspect: public checkpoints are not, the attacker's own sibling is."""
    return model.part != "base" or bool(tuning_of(model.entry, plan))


def _with(score: float | None, model: ZooModel, plan: Plan) -> Scored:
    recipe = model.entry.recipe
    init = recipe.others.get("init") if isinstance(recipe, Theft) else None
    elsewhere = model.kind == "OTHER" or (init is not None and init not in _parents(plan))
    return Scored(model=model, tuning=tuning_of(model.entry, plan), elsewhere=elsewhere, score=score)


def _parents(plan: Plan) -> set[str]:
    """The checkpoints that sources were tuned from."""
    return {source.recipe.source for source in plan.sources if isinstance(source.recipe, Theft)}


def tuning_of(entry: Entry, plan: Plan) -> str:
    """How a model was tuned from the sources' checkpoint; "" where it was not."""
    recipe = entry.recipe
    if not isinstance(recipe, Theft) or recipe.source not in _parents(plan):
        return ""
    start, stop = recipe.data.partition("[")[2].rstrip("]").split(":")
    layers = {"rtll": "last layer", "rtal": "all layers"}[recipe.attack]
    how = recipe.parameters.get("recipe")
    epochs = how["epochs"] if isinstance(how, dict) else recipe.parameters["epochs"]
    return f"{layers}, {int(stop) - int(start)} images, {epochs} epochs"


def _row(enrolment: Enrolment, scored: Sequence[Scored]) -> dict[str, Any]:
    """What one shared part gives for one source."""
    siblings = [one for one in scored if one.tuning]
    tested = [one for one in siblings if one.model.part == "test"]
    calibration = [one for one in siblings if one.model.part == "calibration"]
    others = [one for one in siblings if one.model.part not in ("test", "calibration")]
    copies = [one for one in scored if one.model.source == enrolment.source]
    third_party = [one for one in scored if one.model.source not in (None, enrolment.source)]
    free = {"test": [*tested, *calibration], "development": others}
    parts = {"test": ("test",), "development": ("shadow",)}
    return {
        "source": enrolment.source,
        "siblings": len(enrolment.siblings),
        "copies": {
            name: _separation(_from_weights([one for one in copies if one.model.part in parts[name]]), free[name])
            for name in parts
        },
        "extracted": _spread(_values(_extracted(copies))),
        "third-party copies": _spread(_values(_from_weights(third_party))),
        "extracted from another source": _spread(_values(_extracted(third_party))),
        "from another checkpoint": _spread(_values([one for one in scored if one.elsewhere])),
        "siblings by tuning": {name: _spread(_values(ones)) for name, ones in _grouped(siblings).items()},
        "called_derived": {str(count): _called(_values(calibration), _values(tested), count) for count in COUNTS},
        "by_cheap_siblings": {
            name: _called(_values(ones), _values(tested), len(ones)) for name, ones in _grouped(others).items()
        },
    }


def _extracted(copies: Sequence[Scored]) -> list[Scored]:
    """Copies that learned from answers, but for those that started from another checkpoint."""
    return [one for one in copies if (one.model.attack or "").startswith("extracted") and not one.elsewhere]


def _from_weights(copies: Sequence[Scored]) -> list[Scored]:
    """Copies that did not learn from answers."""
    return [one for one in copies if not (one.model.attack or "").startswith("extracted")]


def _grouped(siblings: Sequence[Scored]) -> dict[str, list[Scored]]:
    """Siblings by their tuning."""
    groups: dict[str, list[Scored]] = defaultdict(list)
    for one in siblings:
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
