"""What weights, scores and labels say together on the fashion zoo: the story they tell, and the rate over 200 splits.

    python -m research.studies.evidence_levels --folder FOLDER [--zoo benchmarks/zoo/fashion] [--jobs N]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`: fingerprints and calibrations that lie there are used,
others are made. `auto` with 400 queries, all three sources.

- *Relation*: of each test model, as a file, its relation by what it truly is.
- *Splits*: the calibration part and the test part's independent models are put together and divided anew 200 times;
  each time one of those that do not calibrate is judged, kind by kind, at every level of access, with labels alone
  asked one by one until the verdict is settled.

Writes benchmarks/results/evidence_levels_fashion.json.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Entrant, Field
from modelprint.bench.judging import CalibrateTask, Member, calibrate
from modelprint.bench.store import Store
from modelprint.bench.work import CraftTask, craft
from modelprint.core.access import Access
from modelprint.core.suspect import Answers
from modelprint.lineage import LineageResult, StateTensors, compare
from modelprint.nn.loading import LoadedModel, load_model
from modelprint.ownership.ask import interrogate
from modelprint.ownership.concluding import SharedScores, calibration_scores, concluded
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.ownership.levels import Level, weights_level
from modelprint.ownership.opening import opened, scheme_of
from modelprint.schemes.auto import Auto
from modelprint.suspects.local import CallableSuspect
from modelprint.zoo.population import ZooModel, load
from research.studies.lineage_field import group_of, interval

RESULT = "evidence_levels_fashion.json"
BUDGET = 400
SPLITS = 200
JUDGED = 1  # in each split, of each kind
ALPHA = 0.05
LEVELS = {"labels": Access.LABELS, "scores": Access.SCORES, "weights": Access.WEIGHTS}


def truth(model: ZooModel, source: str) -> str:
    """What a test model is to a source."""
    if model.role == "derived" and model.source == source:
        return "extracted" if group_of(model) == "extraction" else "made from weights"
    if model.role == "derived":
        return "third-party copy"
    return "sibling" if model.kind == "SHARED" else "independent"


def calibrated(field: Field, entrant: Entrant, store: Store) -> Fingerprint:
    """The fingerprint of an entrant with its calibration models; made where the bench has not."""
    enrolment, paths = entrant.enrolment, {model.id: model.path for model in field.models}
    record = store.crafted(enrolment.identity)
    if record is None or record.error is not None:
        names = [enrolment.source, *enrolment.surrogates, *enrolment.references, *enrolment.reference_copies]
        models = {name: paths[name] for name in (*names, *enrolment.checkpoint)}
        store.note(
            craft(None, CraftTask(enrolment=enrolment, models=models, place=store.fingerprint(enrolment.identity)))
        )
    place = store.calibrated(enrolment.identity)
    if store.calibration(enrolment.identity) is None:
        members = tuple(
            Member(cell=cell, record=member.record, model=member.model.path, evasion=member.evasion)
            for cell, member in field.calibration(entrant).items()
        )
        task = CalibrateTask(
            enrolment=enrolment.identity,
            fingerprint=store.fingerprint(enrolment.identity),
            place=place,
            members=members,
            alpha=ALPHA,
        )
        calibrate(None, task)
    return Fingerprint.load(place)


def judged(fingerprint: Fingerprint, models: Sequence[ZooModel], accuracy: float) -> dict[str, Any]:
    """The relation of each test model."""
    source = next(model for model in models if model.row.sha256 == fingerprint.manifest.source).id
    scheme = scheme_of(fingerprint)
    relations: dict[str, Counter[str]] = defaultdict(Counter)
    for model in models:
        if model.part != "test" or not model.same_classes:
            continue
        if model.role == "derived" and model.accuracy < 0.85 * accuracy:
            continue
        loaded = load_model(model.path)
        interview = interrogate(fingerprint, scheme, opened(loaded, fingerprint), access=Access.SCORES)
        decision = concluded(
            scheme,
            fingerprint,
            interview,
            alpha=ALPHA,
            pool_kinds=True,
            weights=weights_level(_compared(fingerprint, loaded), fingerprint, alpha=ALPHA, pool_kinds=True),
        )
        relations[truth(model, source)][str(decision.relation)] += 1
    return {name: dict(sorted(counts.items())) for name, counts in sorted(relations.items())}


def split_rates(fingerprint: Fingerprint, models: Sequence[ZooModel], seed: int) -> dict[str, Any]:
    """How often independent models are called derived, over all ways of dividing them, by level and kind."""
    scheme = scheme_of(fingerprint)
    assert isinstance(scheme, Auto)
    records = list(fingerprint.manifest.calibration)
    answers = list(fingerprint.calibration)
    known = {model.row.sha256 for model in models if model.part == "calibration"}
    assert known
    for model in models:
        if model.part == "test" and model.role == "independent":
            loaded = load_model(model.path)
            given = opened(loaded, fingerprint).ask(fingerprint.queries, access=Access.SCORES)
            shares = _compared(fingerprint, loaded)
            records.append(
                CalibrationModel(name=model.id, identity=model.row.sha256, kind=model.kind, weights=shares.score)
            )
            answers.append(given)
    draw = np.random.default_rng(seed)
    groups: dict[str, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        groups[record.group.kind].append(place)
    accused: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for _ in range(SPLITS):
        calibrating, checked = [], []
        for kind, members in groups.items():
            order = draw.permutation(members)
            few = max(19, round(0.6 * len(order)))  # as many as alpha needs, at least
            if len(order) <= few:
                calibrating += list(order)
                continue
            calibrating += list(order[:few])
            checked += [(kind, place) for place in order[few : few + JUDGED]]
        shown = fingerprint.recalibrated(
            tuple(records[place] for place in calibrating), tuple(answers[place] for place in calibrating)
        )
        shared = calibration_scores(scheme, shown)
        for kind, place in checked:
            total[kind] += 1
            for level, access in LEVELS.items():
                accused[level][kind] += derived(
                    scheme, shown, records[place], answers[place], access=access, shared=shared
                )
    return {
        level: {
            kind: {"count": counts[kind], "n": total[kind], "rate": round(counts[kind] / total[kind], 4)}
            for kind in sorted(total)
        }
        for level, counts in accused.items()
    }


def _compared(fingerprint: Fingerprint, model: LoadedModel) -> LineageResult:
    assert fingerprint.weights is not None
    return compare(fingerprint.weights, StateTensors(model.module.state_dict()), p_value=False)


def derived(
    scheme: Auto,
    shown: Fingerprint,
    record: CalibrationModel,
    answers: Answers,
    *,
    access: Access,
    shared: SharedScores,
) -> bool:
    """The verdict on a model whose answers and weights are known; of labels alone as they are asked, until settled."""
    places = {value: place for place, value in enumerate(shown.modality.hashes(shown.queries))}

    def answer(inputs: np.ndarray) -> np.ndarray:
        index = [places[value] for value in shown.modality.hashes(inputs)]
        assert answers.scores is not None
        return np.asarray(answers.labels[index] if access is Access.LABELS else answers.scores[index])

    classes = shown.manifest.input.classes
    suspect = CallableSuspect(answer, classes=classes, class_names=(), modality=shown.modality)
    level: Level | None = None
    if access is Access.WEIGHTS:
        result = LineageResult(score=record.weights, why=None if record.weights is not None else "other", compared=1.0)
        level = weights_level(result, shown, alpha=ALPHA)
    interview = interrogate(shown, scheme, suspect, access=min(access, Access.SCORES), alpha=ALPHA)
    return concluded(scheme, shown, interview, alpha=ALPHA, weights=level, shared=shared).outcome == "derived"


def of_source(work: tuple[str, Path, Path | None]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    name, folder, zoo = work
    torch.set_num_threads(1)
    planned = bench_of("fashion")
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=zoo))
    entrant = next(
        one
        for one in field.entrants()
        if one.contender.label == "auto" and one.enrolment.budget == BUDGET and one.enrolment.source == name
    )
    source = next(model for model in field.sources if model.id == name)
    fingerprint = calibrated(field, entrant, Store(folder))
    seed = int(name[-1])
    return name, judged(fingerprint, field.models, source.accuracy), split_rates(fingerprint, field.models, seed)


def summed(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The rates of all sources together, with 95 % intervals of a single split's worth of models."""
    whole: dict[str, Any] = {}
    for level in LEVELS:
        whole[level] = {}
        for kind in parts[0][level]:
            count, n = (sum(part[level][kind][key] for part in parts) for key in ("count", "n"))
            whole[level][kind] = {"count": count, "n": n, "rate": round(count / n, 4)}
    return whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    names = [f"source-{number}" for number in (1, 2, 3)]
    with ProcessPoolExecutor(chosen.jobs, mp_context=get_context("spawn")) as pool:
        results = list(pool.map(of_source, [(name, chosen.folder, chosen.zoo) for name in names]))
    confusion: dict[str, Counter[str]] = defaultdict(Counter)
    for _, relations, _ in results:
        for name, counts in relations.items():
            confusion[name].update(counts)
    right = {"made from weights": "from-weights", "extracted": "extracted"}
    write_result(
        RESULT,
        {
            "alpha": ALPHA,
            "queries": BUDGET,
            "relation": {name: dict(sorted(counts.items())) for name, counts in confusion.items()},
            "right": {
                name: {
                    "count": confusion[name][story],
                    "n": confusion[name].total(),
                    "interval": interval(confusion[name][story], confusion[name].total()),
                }
                for name, story in right.items()
            },
            "relation_by_source": {name: relations for name, relations, _ in results},
            "splits": SPLITS,
            "false_positives": summed([rates for *_, rates in results]),
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
