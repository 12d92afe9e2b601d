"""What the paper's claim is worth: UAP fingerprints of the Fashion-MNIST zoo's sources against all its models.

    python -m research.studies.uap_claim --folder benchmarks/zoo/fashion

For each source, over 20 views of 100 points: AUC and verdicts per family and kind; the paper's confidence (Welch's
test over views against those of the calibration models, pooled), how often it claims copies and innocents beside its
nominal level; copies of *other* sources as innocents. The same answers are read again by labels only, without the
encoder, by an encoder shuffled at random, by one whose shadow models all have the source's architecture, and by one
whose strangers include stolen copies of strangers. Controls craft queries of their own. 100 views of 20 points give
confidence against the number of fingerprints. Writes benchmarks/results/uap_claim_fashion.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import provenance, write_result
from modelprint.core.access import Access
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.schemes.base import Enrollment, Queries, ShadowAnswers, State
from modelprint.schemes.uap import Uap
from modelprint.stats.calibration import rank_p_value
from modelprint.stats.claims import confidence_by_count
from modelprint.stats.intervals import bootstrap, clopper_pearson
from modelprint.stats.roc import auc
from modelprint.training.loop import predict
from research.studies.uap_zoo import Zoo

POINTS = 100
COUNTS = (1, 2, 3, 5, 10, 20, 50, 100)
LEVELS = (0.95, 0.9999)
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Case:
    """One source's queries, and everybody's answers to them."""

    source: str
    scheme: Uap
    queries: Queries
    answers: Mapping[str, Answers]


@dataclass(frozen=True, kw_only=True)
class Read:
    """Similarities (m,) over the views, under the models' ids."""

    derived: dict[str, np.ndarray]
    independent: dict[str, np.ndarray]
    others: dict[str, np.ndarray]  # copies of other sources
    calibration: dict[str, np.ndarray]


def case_of(zoo: Zoo, source: str, scheme: Uap, *, extra: Iterable[str] = ()) -> Case:
    """Craft the queries and put them to every model."""
    copies, strangers = zoo.shadows(source)
    context = Enrollment(source=zoo.module(source), seeds=zoo.seeds, train_images=zoo.train)
    queries = scheme.craft(context, torch.Generator().manual_seed(SEED))
    images = torch.from_numpy(queries.stored)
    names = [source, *copies, *strangers, *extra, *zoo.independents("test"), *zoo.independents("calibration")]
    names += [name for other in zoo.sources for name in zoo.copies(other)]
    answers = {
        name: answers_from_scores(predict(zoo.module(name), images).numpy(), who=name) for name in dict.fromkeys(names)
    }
    return Case(source=source, scheme=scheme, queries=queries, answers=answers)


def fitted(case: Case, copies: Iterable[str], strangers: Iterable[str]) -> State:
    """The scheme's state, from these shadow models."""
    shadows = ShadowAnswers(
        surrogates=tuple(case.answers[name] for name in copies),
        references=tuple(case.answers[name] for name in strangers),
    )
    return case.scheme.fit(case.queries, case.answers[case.source], shadows, torch.Generator().manual_seed(SEED))


def read(zoo: Zoo, case: Case, state: State, *, scheme: Uap | None = None, access: Access = Access.SCORES) -> Read:
    """Everybody's similarities."""
    reader, source = scheme or case.scheme, case.answers[case.source]

    def of(names: Iterable[str]) -> dict[str, np.ndarray]:
        return {name: reader.similarities(state, source, case.answers[name].restricted(access)) for name in names}

    return Read(
        derived=of(zoo.copies(case.source)),
        independent=of(zoo.independents("test")),
        others=of(name for other in zoo.sources if other != case.source for name in zoo.copies(other)),
        calibration=of(zoo.independents("calibration")),
    )


def shuffled(state: State) -> State:
    """The encoder's weights in random order."""
    generator = np.random.default_rng(SEED)
    return {
        name: generator.permutation(array.reshape(-1)).reshape(array.shape) if "weight" in name else array
        for name, array in state.items()
    }


def judged(zoo: Zoo, read: Read) -> dict[str, Any]:
    """AUC with interval, verdicts at 5 %, and claims over 20 views, by family and kind."""
    groups: dict[str, dict[str, np.ndarray]] = {"derived": read.derived}
    for name, views in read.derived.items():
        groups.setdefault(f"derived: {zoo.models[name].family}", {})[name] = views
        if zoo.arch(name) != zoo.arch("source-1"):
            groups.setdefault("derived: other architecture", {})[name] = views
    groups["independent"] = read.independent
    for name, views in read.independent.items():
        groups.setdefault(f"independent: {zoo.models[name].kind}", {})[name] = views
    groups["copies of other sources"] = read.others
    innocent = _means(read.independent)
    ranking = _means(read.calibration)
    pooled = np.stack(list(read.calibration.values()))
    judgements: dict[str, Any] = {}
    for label, members in groups.items():
        scores = _means(members)
        claims = np.array([confidence_by_count(views, pooled, (len(views),))[0] for views in members.values()])
        judgements[label] = {
            "n": len(scores),
            "mean_score": float(scores.mean()),
            "verdict_derived": _share(sum(rank_p_value(score, ranking) <= 0.05 for score in scores), len(scores)),
            **{f"claimed_above_{level}": _share(int((claims > level).sum()), len(claims)) for level in LEVELS},
        }
        if not label.startswith("independent"):
            judgements[label]["auc"] = _auc(scores, innocent)
    judgements["derived"]["auc_against_copies_of_others"] = _auc(_means(read.derived), _means(read.others))
    return judgements


def curve(read: Read) -> list[dict[str, Any]]:
    """Confidence against the number of fingerprints (views)."""
    pooled = np.stack(list(read.calibration.values()))
    counts = tuple(count for count in COUNTS if count <= pooled.shape[1])
    claims = {
        side: np.stack([confidence_by_count(views, pooled, counts) for views in members.values()])
        for side, members in (("derived", read.derived), ("independent", read.independent), ("others", read.others))
    }
    return [
        {
            "fingerprints": count,
            **{f"{side}_median": float(np.median(values[:, place])) for side, values in claims.items()},
            **{
                f"{side}_above_{level}": float((values[:, place] > level).mean())
                for side, values in claims.items()
                for level in LEVELS
            },
        }
        for place, count in enumerate(counts)
    ]


def _means(members: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.array([views.mean() for views in members.values()])


def _share(count: int, n: int) -> dict[str, float]:
    interval = clopper_pearson(count, n)
    return {"share": count / n, "low": interval.low, "high": interval.high}


def _auc(derived: np.ndarray, independent: np.ndarray) -> dict[str, float]:
    interval = bootstrap(derived, independent, auc, generator=np.random.default_rng(SEED), resamples=500)
    return {"auc": auc(derived, independent), "low": interval.low, "high": interval.high}


def readings(zoo: Zoo, source: str, stolen: list[str]) -> dict[str, Any]:
    """All that the answers of one case tell."""
    case = case_of(zoo, source, Uap(points=POINTS), extra=stolen)
    copies, strangers = zoo.shadows(source)
    same = [[name for name in side if zoo.arch(name) == zoo.arch(source)] for side in (copies, strangers)]
    state = fitted(case, copies, strangers)
    raw = replace(case.scheme, encoder="none")
    return {
        "crafting": dict(case.queries.report),
        "shadows": {"copies": len(copies), "strangers": len(strangers), "same architecture": [len(s) for s in same]},
        "scores": judged(zoo, read(zoo, case, state)),
        "labels only": judged(zoo, read(zoo, case, state, access=Access.LABELS)),
        "no encoder": judged(zoo, read(zoo, case, state, scheme=raw)),
        "no encoder, labels only": judged(zoo, read(zoo, case, state, scheme=raw, access=Access.LABELS)),
        "shuffled encoder": judged(zoo, read(zoo, case, shuffled(state))),
        "shadows of the source's architecture": judged(zoo, read(zoo, case, fitted(case, *same))),
        "stolen strangers among the shadows": judged(zoo, read(zoo, case, fitted(case, copies, [*strangers, *stolen]))),
    }


def control(zoo: Zoo, source: str, **settings: Any) -> dict[str, Any]:
    """Another perturbation, with an encoder of its own and with none."""
    case = case_of(zoo, source, Uap(points=POINTS, views=5, **settings))
    state = fitted(case, *zoo.shadows(source))
    raw = replace(case.scheme, encoder="none")
    return {
        "crafting": dict(case.queries.report),
        "scores": judged(zoo, read(zoo, case, state)),
        "no encoder": judged(zoo, read(zoo, case, state, scheme=raw)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="of the fashion zoo")
    parser.add_argument("--thinning", type=int, default=1, help="take every so-manieth independent model")
    parser.add_argument("--stolen", type=int, default=8, help="copies of shadow strangers to make")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    zoo = Zoo(arguments.folder, thinning=arguments.thinning)
    stolen = zoo.steal_strangers(arguments.stolen)
    print(f"{len(stolen)} strangers stolen", flush=True)
    first = zoo.sources[0]
    result: dict[str, Any] = {
        "models": {"all": len(zoo.models), "thinning": arguments.thinning, "stolen_strangers": len(stolen)},
        "nominal": "above 0.95 for 5 % of innocents, above 0.9999 for 0.01 %, if views were independent draws",
        "sources": {},
        "controls": {},
    }
    for source in zoo.sources:
        result["sources"][source] = readings(zoo, source, stolen)
        _say(source, result["sources"][source]["scores"])
    many = case_of(zoo, first, Uap(points=20, views=100))
    result["points_per_fingerprint"] = 20
    result["confidence_by_fingerprints"] = curve(read(zoo, many, fitted(many, *zoo.shadows(first))))
    epsilon = result["sources"][first]["crafting"]["epsilon"]
    for name in ("ascent", "zero", "random-sign", "chessboard", "per-sample", "deepfool"):
        slow = {"images": 100, "least_fooling": 0.0} if name == "deepfool" else {}
        result["controls"][name] = control(zoo, first, perturbation=name, epsilon=epsilon, **slow)
        _say(name, result["controls"][name]["scores"])
    result["provenance"] = provenance()
    write_result("uap_claim_fashion.json", result)


def _say(who: str, groups: Mapping[str, Any]) -> None:
    for label, row in groups.items():
        print(who, label, {key: value for key, value in row.items() if not key.startswith("claimed")}, flush=True)


if __name__ == "__main__":
    main()
