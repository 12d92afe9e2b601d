"""What noise on weights certifies, and how far real copies move: fashion, first source, `residual` and `adv-tra`.

    python -m research.studies.certificate --folder FOLDER [--zoo benchmarks/zoo/fashion] [--sigma SIGMA ...]

FOLDER is that of `modelprint bench run fashion --folder FOLDER`: the source's fingerprints of 200 queries that lie
there are taken, others are made. For each sigma:

- *threshold*: of the smoothed scores (medians of 9 noisy models) of 20 calibration models of each kind, alpha .05;
- *certificate*: 300 noisy models of the source: the radius within which the smoothed score of every copy lies above the
  threshold (confidence .99), in root mean squares of the source's tensors in normal form;
- *copies*: of the test part, how far their normal forms lie from the source's, and whether their smoothed scores lie
  above the threshold.

`residual` is scored beside its reference models alone, so that a score depends on one model. Puts the rows of each
sigma that is named (all, unless some are) into benchmarks/results/certificate_fashion.json.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.bench.benches import bench_of
from modelprint.bench.cells import Entrant, Field
from modelprint.bench.store import Store
from modelprint.bench.work import CraftTask, craft
from modelprint.core.errors import ModelError
from modelprint.core.suspect import Answers
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import scheme_of
from modelprint.ownership.smoothing import Smoothing
from modelprint.stats.calibration import ranked_by_kind
from modelprint.stats.smoothing import most_certifiable
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel, load
from research.studies.lineage_field import group_of

RESULT = "certificate_fashion.json"
SIGMAS = (0.05, 0.1, 0.2, 0.4, 0.8)
VOTES = 9
DRAWS = 300
OF_KIND = 20
ALPHA = 0.05
WORTH = 0.85
SCHEMES = ("residual", "adv-tra")


def fingerprint_of(field: Field, scheme: str, store: Store) -> Fingerprint:
    """Of the first source, made where it does not lie there."""

    def fits(one: Entrant) -> bool:
        return (one.contender.label, one.enrolment.budget, one.enrolment.seed) == (scheme, 200, 0)

    enrolment = next(one for one in field.entrants() if fits(one)).enrolment
    place = store.fingerprint(enrolment.identity)
    if not place.exists():
        paths = {model.id: model.path for model in field.models}
        names = [enrolment.source, *enrolment.surrogates, *enrolment.references, *enrolment.reference_copies]
        craft(None, CraftTask(enrolment=enrolment, models={name: paths[name] for name in names}, place=place))
    return Fingerprint.load(place)


def scorer(fingerprint: Fingerprint) -> Callable[[nn.Module], float]:
    """The score of a module."""
    scheme, queries = scheme_of(fingerprint), torch.from_numpy(fingerprint.queries)

    def score(module: nn.Module) -> float:
        with torch.no_grad():
            logits = predict(module, queries).numpy()
        scores = logits if scheme.name == "residual" else None
        answers = Answers(labels=logits.argmax(axis=1).astype(np.int64), scores=scores)
        return scheme.score(fingerprint.state, fingerprint.source, answers)

    return score


def smoothed(
    smoothing: Smoothing, models: Sequence[ZooModel], score: Callable[[nn.Module], float], draw: torch.Generator
) -> list[float]:
    """The median score of each model under noise."""
    return [
        float(np.median(smoothing.scores(model.load().module, score, draws=VOTES, generator=draw))) for model in models
    ]


def first_of_kinds(field: Field) -> tuple[list[ZooModel], list[str]]:
    """As many calibration models of each kind, those of one family once."""
    models: list[ZooModel] = []
    kinds: list[str] = []
    counts: dict[str, int] = defaultdict(int)
    for model in field.part("calibration"):
        kind = "COPY" if model.role == "derived" else "SHARED" if model.kind == "SHARED" else "INDEPENDENT"
        if counts[kind] < OF_KIND and _has_normal_form(model):
            counts[kind] += 1
            models.append(model)
            kinds.append(kind)
    return models, kinds


def _has_normal_form(model: ZooModel) -> bool:
    try:
        Smoothing.of(model.load().module, sigma=1.0)
    except ModelError:
        return False
    return True


def measured(field: Field, scheme: str, store: Store, sigmas: Sequence[float]) -> dict[str, Any]:
    source = field.sources[0]
    module = source.load().module
    score = scorer(fingerprint_of(field, scheme, store))
    models, kinds = first_of_kinds(field)
    suspects = [
        model
        for model in field.part("test")
        if model.source == source.id and model.same_classes and model.accuracy >= WORTH * source.accuracy
    ]
    rows = []
    for sigma in sigmas:
        draw = torch.Generator().manual_seed(SIGMAS.index(sigma))
        smoothing = Smoothing.of(module, sigma=sigma)
        calibration = smoothed(smoothing, models, score, draw)
        threshold = ranked_by_kind(np.array(calibration), kinds, ALPHA).threshold
        assert threshold is not None
        certified = smoothing.certify(module, score, threshold=threshold, draws=DRAWS, generator=draw)
        above = [value > threshold for value in smoothed(smoothing, suspects, score, draw)]
        by_family: dict[str, list[bool]] = defaultdict(list)
        for model, one in zip(suspects, above, strict=True):
            by_family[group_of(model)].append(one)
        rows.append(
            {
                "sigma": sigma,
                "threshold": round(threshold, 4),
                "highest_calibration": {
                    kind: round(max(value for value, one in zip(calibration, kinds, strict=True) if one == kind), 4)
                    for kind in sorted(set(kinds))
                },
                "above": certified.above,
                "draws": certified.draws,
                "p_low": round(certified.p_low, 4),
                "radius": round(certified.radius, 4),
                "most_certifiable": round(most_certifiable(DRAWS, sigma=sigma), 4),
                "copies_above": {name: [sum(ones), len(ones)] for name, ones in sorted(by_family.items())},
            }
        )
        print(scheme, rows[-1], flush=True)
    return {"calibration": {kind: kinds.count(kind) for kind in sorted(set(kinds))}, "rows": rows}


def moved(field: Field) -> dict[str, Any]:
    """How far the source's copies lie from it, by family, least and most; and independent models of its shape."""
    source = field.sources[0]
    module = source.load().module
    smoothing = Smoothing.of(module, sigma=1.0)
    distances: dict[str, list[float]] = defaultdict(list)
    elsewhere = 0
    for model in [*field.part("test"), *field.part("sweep")]:
        copy = model.role == "derived"
        if copy and (model.source != source.id or model.accuracy < WORTH * source.accuracy):
            continue
        try:
            distance = smoothing.distance(module, model.load().module)
        except ModelError:
            distance = None
        if distance is None:
            elsewhere += 1
        else:
            distances[group_of(model) if copy else "independent"].append(distance)
    return {
        "numbers": sum(value.numel() for value in module.parameters()),
        "of_another_shape": elsewhere,
        "distances": {
            name: {
                "n": len(values),
                "least": round(min(values), 3),
                "median": round(float(np.median(values)), 3),
                "within_1": sum(value < 1 for value in values),
            }
            for name, values in sorted(distances.items())
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--zoo", type=Path)
    parser.add_argument("--sigma", type=float, nargs="+", choices=SIGMAS, default=SIGMAS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    planned = bench_of("fashion")
    field = Field(bench=planned.bench, plan=planned.plan, models=load(planned.plan, folder=chosen.zoo))
    schemes = {scheme: measured(field, scheme, Store(chosen.folder), chosen.sigma) for scheme in SCHEMES}
    path = RESULTS / RESULT
    if path.exists():
        for scheme, known in json.loads(path.read_text(encoding="utf-8"))["schemes"].items():
            rows = {row["sigma"]: row for row in (*known["rows"], *schemes[scheme]["rows"])}
            schemes[scheme]["rows"] = [rows[sigma] for sigma in sorted(rows)]
    write_result(
        RESULT,
        {
            "source": field.sources[0].id,
            "votes": VOTES,
            "confidence": 0.99,
            "alpha": ALPHA,
            "moved": moved(field),
            "schemes": schemes,
            "provenance": provenance(),
        },
    )


if __name__ == "__main__":
    main()
