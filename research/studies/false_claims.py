"""How often an accuser who cheats accuses honest strangers, without and with each guard.

    python -m research.studies.false_claims [SCHEME ...]

The accuser owns the first source of the `fashion` zoo; innocents are the zoo's honest test models, the judge's own
models those of its calibration part. He forges queries in place of those that the scheme makes: points at which the
source and eight surrogates (the zoo's shadow strangers) give one wrong class, by momentum and input diversity, inside
an epsilon ball, in 8 bits (J. Liu et al., "False Claims against Model Ownership Resolution", USENIX Security 2024).
Each scheme gets them in the shape that it reads: CoRt and FBI with the true labels of the forged points, FBI half of
them images that all of these models get right, UAP as the moved halves of pairs; AKH mistakes that most share.
What a scheme learned at enrollment (UAP's encoder, contrast's weights) stays. The threshold is set at alpha = .05

- without a guard: by the honest fingerprint's scores, which the accuser shows as if they were the forged one's;
- by the judge's models, asked the forged queries;
- by re-derivation: `check --rederive`'s code is given a fingerprint with forged queries, and refuses it or not;
- by a fresh challenge: the judge makes the queries with a seed of his own.

"Best of seeds": the accuser stays inside the algorithm and keeps that of 20 seeds which accuses
most; the judge's models calibrate. "Aimed": the forger holds one innocent model beforehand, raises its agreement and
lowers that of the surrogates; ten such models, each accused or not by thresholds of the judge's models.

Puts each scheme's row into benchmarks/results/false_claims_fashion.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.core.errors import IntegrityError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel
from modelprint.ownership.enroll import enroll, without_shared
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.rederive import rederive
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.training.loop import predict
from modelprint.zoo.population import ZooModel, load
from modelprint.zoo.reference_models.shadows import Shadows

ALPHA = 0.05
EPSILON, STEPS, MOMENTUM = 0.15, 20, 0.9
SEEDS = 20
AIMED = 10
BUDGET = 200
TRAJECTORIES = {"adv-tra": {"trajectories": "27"}}  # of 37 points each: fewer are no rate
FIELD = ("contrast", "cae", "uap", "adv-tra", "ipguard", "akh", "sac", "fbi", "cort")
RESULT = "false_claims_fashion.json"
Modules = Sequence[nn.Module]


@dataclass(frozen=True, kw_only=True)
class Forged:
    """Queries made by hand, with the true labels of the images that they are made of."""

    images: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who plays, and with what.

    Attributes:
        owner: the accuser's model; `shadows`: what he shows of its copies and of strangers.
        surrogates: strangers that he forges with.
        judges: the judge's models; `innocents`: whom he may accuse.
        seeds: images that queries are made of; `easy`: those that the source and all surrogates get right.
    """

    owner: LoadedModel
    shadows: Shadows
    surrogates: Modules
    judges: Modules
    innocents: Modules
    train_data: LabelledSet
    seeds: LabelledSet
    easy: LabelledSet


def cast_of(models: Sequence[ZooModel]) -> Cast:
    """The players, from the zoo."""

    def honest(part: str) -> tuple[LoadedModel, ...]:
        return tuple(m.load() for m in models if m.role == "independent" and m.same_classes and m.part == part)

    owner = next(model for model in models if model.role == "source").load()
    strangers = honest("shadow")
    copies = tuple(model.load() for model in models if model.part == "shadow" and model.source == "source-1")
    surrogates, judges, innocents = (
        [model.module for model in part] for part in (strangers, honest("calibration"), honest("test"))
    )
    train_data = load_data("fashion-mnist:owner")
    seeds = without_shared(load_data("fashion-mnist:queries"), train_data)
    images = torch.from_numpy(seeds.stored)
    right = [predict(model, images).argmax(1).numpy() == seeds.labels for model in (owner.module, *surrogates)]
    return Cast(
        owner=owner,
        shadows=Shadows(surrogates=copies, references=strangers),
        surrogates=surrogates,
        judges=judges,
        innocents=innocents,
        train_data=train_data,
        seeds=seeds,
        easy=seeds.take(np.flatnonzero(np.all(right, axis=0))),
    )


def enrolled(cast: Cast, scheme: Scheme, seed: int) -> Fingerprint:
    return enroll(
        cast.owner,
        cast.seeds,
        scheme=scheme,
        seed=seed,
        budget=None if scheme.name in TRAJECTORIES else BUDGET,
        shadows=cast.shadows,
        train_data=cast.train_data if scheme.needs.train_images else None,
    )


def forge(scheme: Scheme, true: Fingerprint, cast: Cast, friends: Modules, others: Modules = ()) -> Forged:
    """As many queries as the honest fingerprint has, on which source and friends agree, and `others` do not."""
    total = len(true)
    if scheme.name == "akh":
        return shared_mistakes(cast, friends, others, total)
    picked = cast.easy.take(np.arange(total) % len(cast.easy))
    if scheme.name == "uap":  # whose pairs keep their first half
        moved = true.state["shifted"] == 1
    elif scheme.name == "fbi":  # which reads where answers are right, and must find both
        moved = np.arange(total) % 2 == 1
    else:
        moved = np.ones(total, dtype=bool)
    images = picked.stored.copy()
    images[moved] = adversarial(cast.owner.module, friends, others, images[moved])
    return Forged(images=images, truth=picked.labels)


@dataclass(frozen=True, kw_only=True)
class Pull:
    """A class that models are to give to each point, or not to give.

    Attributes:
        target: int64 (n,).
        toward: whether they are to give it.
        weight: of each of these models in the sum over all.
    """

    models: Modules
    target: Tensor
    toward: bool = True
    weight: float = 1.0


def adversarial(source: nn.Module, friends: Modules, others: Modules, images: np.ndarray) -> np.ndarray:
    """8-bit points at which source and friends give one class, not their first, and `others` do not."""
    target = predict(source, torch.from_numpy(images)).topk(2, dim=1).indices[:, 1]
    pulls = (Pull(models=(source, *friends), target=target), Pull(models=others, target=target, toward=False))
    return steered(pulls, images)


def steered(pulls: Sequence[Pull], images: np.ndarray) -> np.ndarray:
    """8-bit points inside the epsilon ball around images, moved until models answer as the pulls say."""
    start = torch.from_numpy(images).float() / 255
    generator = torch.Generator().manual_seed(0)
    points, velocity = start.clone(), torch.zeros_like(start)
    for _ in range(STEPS):
        points.requires_grad_(True)
        shown = _diverse(points, generator)
        gain = torch.zeros(())
        for pull in pulls:
            for model in pull.models:
                gain = gain + pull.weight * _gain(model, shown, pull)
        (gradient,) = torch.autograd.grad(gain, points)
        velocity = MOMENTUM * velocity + gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
        moved = points.detach() + 2 * EPSILON / STEPS * velocity.sign()
        points = torch.minimum(torch.maximum(moved, start - EPSILON), start + EPSILON).clamp(0, 1)
    return (points.detach() * 255).round().to(torch.uint8).numpy()


def _gain(model: nn.Module, points: Tensor, pull: Pull) -> Tensor:
    """The sum over points of the log-probability of the class, or of any other class."""
    logits, index = model(points), pull.target[:, None]
    if pull.toward:
        return logits.log_softmax(1).gather(1, index).sum()
    return (1 - logits.softmax(1).gather(1, index)).clamp(min=1e-6).log().sum()


def _diverse(points: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the time made a little smaller, and put down somewhere (input diversity)."""
    side = points.shape[-1]
    small = int(torch.randint(int(0.9 * side), side + 1, (1,), generator=generator))
    if small == side or torch.rand(1, generator=generator) < 0.5:
        return points
    left, top = (int(torch.randint(0, side - small + 1, (1,), generator=generator)) for _ in range(2))
    shrunk = functional.interpolate(points, size=(small, small), mode="bilinear", align_corners=False)
    return functional.pad(shrunk, (left, side - small - left, top, side - small - top))


def shared_mistakes(cast: Cast, friends: Modules, others: Modules, count: int) -> Forged:
    """Images that the source gets wrong, those first that most friends, and fewest others, answer as it does."""
    images = torch.from_numpy(cast.seeds.stored)
    own = predict(cast.owner.module, images).argmax(1)

    def alike(models: Modules) -> np.ndarray:
        agreeing = [(predict(model, images).argmax(1) == own).numpy() for model in models]
        return np.mean(agreeing, axis=0) if agreeing else np.zeros(len(own))

    gain = alike(friends) - alike(others)
    wrong = np.flatnonzero(own.numpy() != cast.seeds.labels)
    chosen = wrong[np.argsort(-gain[wrong], kind="stable")][:count]
    return Forged(images=cast.seeds.stored[chosen], truth=cast.seeds.labels[chosen])


def answers_of(model: nn.Module, images: np.ndarray) -> Answers:
    return answers_from_scores(predict(model, torch.from_numpy(images)).numpy(), who="a model")


def with_forged(true: Fingerprint, forged: Forged, source: nn.Module) -> Fingerprint:
    """The fingerprint with forged queries in the place of its own, and what it learned."""
    state = {**true.state, "truth": forged.truth} if "truth" in true.state else true.state
    short = {key: value[: len(forged.truth)] if len(value) == len(true) else value for key, value in state.items()}
    return Fingerprint.bind(
        true.manifest.model_dump(mode="json", exclude={"tensors"}),
        queries=forged.images,
        true_labels=forged.truth,
        source=answers_of(source, forged.images),
        state=short,
    )


def scores(scheme: Scheme, shown: Fingerprint, models: Modules) -> np.ndarray:
    """Of models that answer with labels alone."""
    return np.array(
        [
            scheme.score(shown.state, shown.source, Answers(labels=answers_of(model, shown.queries).labels))
            for model in models
        ]
    )


def accused(scheme: Scheme, shown: Fingerprint, innocents: Modules, judges: Modules) -> np.ndarray:
    """Which innocents exceed the threshold that the judge's models set."""
    limit = threshold(scores(scheme, shown, judges), ALPHA)
    assert limit is not None
    exceeding: np.ndarray = scores(scheme, shown, innocents) > limit
    return exceeding


def rate(accused: np.ndarray) -> dict[str, Any]:
    interval = clopper_pearson(int(accused.sum()), len(accused))
    return {"accused": int(accused.sum()), "n": len(accused), "interval": [interval.low, interval.high]}


def refused(shown: Fingerprint, cast: Cast) -> str:
    """What the re-derivation says of a fingerprint."""
    needs = SCHEMES[shown.manifest.scheme]().needs
    try:
        rederive(
            shown,
            cast.owner,
            cast.seeds,
            train_data=cast.train_data if needs.train_images else None,
            shadows=cast.shadows if shown.manifest.shadows else None,
        )
    except IntegrityError as error:
        return f"refused: {error}"
    return "accepted"


def measured(name: str, cast: Cast) -> dict[str, Any]:
    """A scheme's row."""
    scheme = SCHEMES[name]().with_settings(TRAJECTORIES.get(name, {}))
    true = enrolled(cast, scheme, 0)
    assert refused(true, cast) == "accepted", "an honest fingerprint comes out again"
    honest_limit = threshold(scores(scheme, true, cast.judges), ALPHA)
    false = with_forged(true, forge(scheme, true, cast, cast.surrogates), cast.owner.module)
    row: dict[str, Any] = {
        "queries": len(true),
        "honest": rate(accused(scheme, true, cast.innocents, cast.judges)),
        "forged, no guard": rate(scores(scheme, false, cast.innocents) > honest_limit),
        "forged, judge's models": rate(accused(scheme, false, cast.innocents, cast.judges)),
        "forged, re-derived": refused(false, cast),
    }
    print(name, row, flush=True)
    victims = cast.innocents[:: max(1, len(cast.innocents) // AIMED)][:AIMED]
    row["aimed, judge's models"] = rate(np.array([aimed(scheme, true, cast, victim) for victim in victims]))
    fresh_fingerprints = [enrolled(cast, scheme, seed) for seed in range(1, SEEDS + 1)]
    accused_by_seed = [accused(scheme, fresh, cast.innocents, cast.judges) for fresh in fresh_fingerprints]
    rates = [float(each.mean()) for each in accused_by_seed]
    row["fresh challenge"] = rate(accused_by_seed[0])
    row["best of seeds, judge's models"] = rate(accused_by_seed[int(np.argmax(rates))])
    row["mean over seeds"] = float(np.mean(rates))
    return row


def aimed(scheme: Scheme, true: Fingerprint, cast: Cast, victim: nn.Module) -> bool:
    """Whether an innocent model that the forger held beforehand is accused."""
    false = with_forged(true, forge(scheme, true, cast, [victim], cast.surrogates), cast.owner.module)
    return bool(accused(scheme, false, [victim], cast.judges)[0])


def main() -> None:
    torch.set_num_threads(1)
    cast = cast_of(load("fashion"))
    path = RESULTS / RESULT
    for name in sys.argv[1:] or FIELD:
        started = time.process_time()
        row = measured(name, cast)
        rows = json.loads(path.read_text())["rows"] if path.exists() else {}
        rows[name] = {**row, "cpu_seconds": round(time.process_time() - started), "provenance": provenance()}
        print(name, rows[name], flush=True)
        counts = {key: len(getattr(cast, key)) for key in ("surrogates", "judges", "innocents")}
        ordered = {each: rows[each] for each in FIELD if each in rows}
        write_result(RESULT, {"alpha": ALPHA, **counts, "rows": ordered})


if __name__ == "__main__":
    main()
