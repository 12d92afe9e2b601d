"""How alike the weights and answers of models are: trained apart, siblings, copies, saved again.

    python -m research.studies.likeness

Every model of the zoo fashion with the sources' classes; the queries of six schemes for the first source, made from the
first 2,000 images of fashion-mnist:queries. Measured are what `ownership.families` decides by, which calibration models
it joins, and how untrained networks agree with trained ones.
"""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import provenance, write_result
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.splits import load_data
from modelprint.nn.likeness import WeightSketch, sketch_of, weight_distance
from modelprint.nn.spec import build
from modelprint.ownership.enroll import enroll
from modelprint.ownership.families import ONE_START, calibration_records
from modelprint.ownership.fingerprint import CalibrationModel, Fingerprint
from modelprint.stats.likeness import ROUNDED, UNROUNDED, kappas, label_differences, score_distances
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel, load
from modelprint.zoo.recipes import Theft

SCHEMES = {"akh": 200, "sac": 200, "fbi": 200, "ipguard": 200, "cort": 200, "adv-tra": 400}
FORMATS = {"float16": torch.float16, "bfloat16": torch.bfloat16}
SAVED_AGAIN, UNTRAINED = 40, 40


def main() -> None:
    torch.set_num_threads(1)
    data = load_data("fashion-mnist:queries").take(np.arange(2000), name="fashion-mnist:queries[0:2000]")
    models = [model for model in load("fashion") if model.same_classes]
    source = next(model for model in models if model.role == "source").load().module
    prints = {name: enroll(source, data, scheme=name, budget=budget, seed=0) for name, budget in SCHEMES.items()}
    population = [(model, "", model.load().module) for model in models]
    again = [
        (model, name, saved(module, dtype))
        for model, _, module in population[:SAVED_AGAIN]
        for name, dtype in FORMATS.items()
    ]
    everything = [*population, *again]
    sketches = [sketch_of(module) for _, _, module in everything]
    relations = pairs_by_relation(everything)
    started = time.process_time()
    weights = {name: weight_figures(sketches, pairs) for name, pairs in relations.items()}
    seconds = time.process_time() - started
    print({name: figures for name, figures in weights.items() if figures})
    schemes = {}
    for name, fingerprint in prints.items():
        answers = [asked(module, fingerprint) for _, _, module in everything]
        blank = [
            asked(build(model.load().spec, seed=seed).eval(), fingerprint) for seed, model in enumerate(apart(models))
        ]
        schemes[name] = {
            "queries": len(fingerprint),
            "scores": figures_of(score_distances(answers, 10, smallest=UNROUNDED), relations),
            "rounded scores": figures_of(score_distances(answers, 10, smallest=ROUNDED), relations),
            "labels": figures_of(label_differences(np.stack([one.labels for one in answers])), relations),
            "kappa": kappa_figures(models, answers, blank),
            **remarked(models, everything, answers, sketches, fingerprint),
        }
        print(name, schemes[name])
    write_result(
        "likeness_fashion.json",
        {"weights": weights, "seconds_of_weights": seconds, "schemes": schemes, "provenance": provenance()},
    )


def saved(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A network as it comes out of a file in another number format."""
    other = copy.deepcopy(module)
    with torch.no_grad():
        for tensor in [*other.parameters(), *other.buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(tensor.to(dtype).to(tensor.dtype))
    return other


def apart(models: Sequence[ZooModel]) -> list[ZooModel]:
    """Calibration models that were trained from scratch."""
    return [model for model in models if model.part == "calibration" and model.kind in ("SAST", "DAST")][:UNTRAINED]


def asked(module: nn.Module, fingerprint: Fingerprint) -> Answers:
    scores = predict(module, torch.from_numpy(fingerprint.queries), modality=fingerprint.modality)
    return answers_from_scores(scores.numpy(), who="a model of the zoo")


def pairs_by_relation(everything: Sequence[tuple[ZooModel, str, nn.Module]]) -> dict[str, list[tuple[int, int]]]:
    """Places of pairs: independent, siblings, saved again, or a copy and its parent, by attack."""
    identities = {model.entry.identity for model, _, _ in everything}

    def parent(model: ZooModel) -> str | None:
        recipe = model.entry.recipe
        return recipe.source if isinstance(recipe, Theft) else None

    parents = {model.entry.identity: parent(model) for model, _, _ in everything}

    def founder(identity: str) -> str:
        while identity in identities and parents[identity] is not None:
            identity = str(parents[identity])
        return identity

    pairs: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for later, (mine, form, _) in enumerate(everything):
        for earlier, (theirs, other, _) in enumerate(everything[:later]):
            one, two = mine.entry.identity, theirs.entry.identity
            if one == two:
                pairs[f"saved as {form}"].append((later, earlier)) if not other else None
            elif form or other:
                continue
            elif founder(one) != founder(two):
                pairs["independent"].append((later, earlier))
            elif mine.kind == theirs.kind == "SHARED":
                pairs["siblings"].append((later, earlier))
            elif two == parents[one] or one == parents[two]:
                copied = mine if two == parents[one] else theirs
                pairs[f"copy: {copied.attack}"].append((later, earlier))
    return dict(pairs)


def weight_figures(sketches: Sequence[WeightSketch | None], pairs: Sequence[tuple[int, int]]) -> dict[str, Any] | None:
    """Distances of pairs that have one."""
    distances = []
    for later, earlier in pairs:
        mine, theirs = sketches[later], sketches[earlier]
        distance = None if mine is None or theirs is None else weight_distance(mine, theirs)
        if distance is not None:
            distances.append((distance.overall, distance.worst))
    if not distances:
        return None
    overall, worst = np.array(distances).T
    return {**summary(overall), "largest_worst": float(worst.max())}


def figures_of(matrix: np.ndarray, relations: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, Any]:
    return {name: summary(np.array([matrix[pair] for pair in pairs])) for name, pairs in relations.items()}


def summary(values: np.ndarray) -> dict[str, float]:
    return {
        "n": len(values),
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }


def kappa_figures(models: Sequence[ZooModel], answers: Sequence[Answers], blank: Sequence[Answers]) -> dict[str, Any]:
    """The median agreement with the other calibration models: of these, and of untrained networks among them."""
    labels = np.stack([answers[place].labels for place, model in enumerate(models) if model.part == "calibration"])
    both = kappas(np.concatenate([labels, np.stack([one.labels for one in blank])]), 10)
    np.fill_diagonal(both, np.nan)
    known = len(labels)
    return {
        "calibration models": summary(np.nanmedian(both[:known, :known], axis=1)),
        "untrained among them": summary(np.nanmedian(both[known:, :known], axis=1)),
        "untrained among untrained": summary(np.nanmedian(both[known:, known:], axis=1)),
    }


def remarked(
    models: Sequence[ZooModel],
    everything: Sequence[tuple[ZooModel, str, nn.Module]],
    answers: Sequence[Answers],
    sketches: Sequence[WeightSketch | None],
    fingerprint: Fingerprint,
) -> dict[str, list[str]]:
    """The calibration models that are joined to others, beyond what cards join; and those like the source."""
    by_id = {model.id: model for model in models}
    places = [place for place, (model, form, _) in enumerate(everything) if model.part == "calibration" and not form]
    records = []
    for place in places:
        model = everything[place][0]
        parent = by_id.get(model.source or "")
        records.append(
            CalibrationModel(
                name=model.id,
                identity=model.row.sha256,
                accuracy=model.accuracy,
                kind=model.kind if parent is None else "COPY",
                made_from=None if parent is None else parent.row.sha256,
            )
        )
    first = next(place for place, (model, _, _) in enumerate(everything) if model.role == "source")
    judged = calibration_records(
        records,
        [answers[place] for place in places],
        [sketches[place] for place in places],
        source=fingerprint.source,
        source_sketch=sketches[first],
        classes=10,
        moved=False,
    )
    return {
        "joined": [record.name for record in judged if record.joined is not None],
        "near the source": [record.name for record in judged if record.near_source is not None],
    }


if __name__ == "__main__":
    print(f"models that start from one network: {ONE_START} or less")
    main()
