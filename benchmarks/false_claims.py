"""How often an accuser who cheats accuses honest strangers, without and with each guard.

    python benchmarks/false_claims.py

The accuser owns the first source of the `fashion` zoo; innocents are the zoo's honest test models, the judge's own
models those of its calibration part. He forges queries in place of those that the scheme makes: points at which the
source and eight surrogates (the zoo's shadow strangers) give one wrong class, by momentum and input diversity, inside
an epsilon ball, in 8 bits (J. Liu et al., "False Claims against Model Ownership Resolution", USENIX Security 2024); for
AKH mistakes that most surrogates share. The threshold is set at alpha = .05

- without a guard: by the honest fingerprint's scores, which the accuser shows as if they were the forged one's;
- by the judge's models, asked the forged queries;
- by re-derivation: `check --rederive`'s code is given a fingerprint with forged queries, and refuses it or not;
- by a fresh challenge: the judge makes the queries with a seed of his own.

"Best of seeds": the accuser stays inside the algorithm and keeps that of 20 seeds which accuses most; the judge's
models calibrate. "Aimed": the forger holds one innocent model beforehand, raises its agreement and lowers that of the
others; ten such models, each accused or not by thresholds of the judge's models (IPGuard only). Writes
benchmarks/results/false_claims_fashion.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common import provenance, write_result
from modelprint.core.errors import IntegrityError
from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.data.splits import load_data
from modelprint.nn.loading import LoadedModel
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.rederive import rederive
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.stats.calibration import threshold
from modelprint.stats.intervals import clopper_pearson
from modelprint.training.loop import predict
from modelprint.zoo.population import load

ALPHA = 0.05
EPSILON, STEPS, MOMENTUM = 0.15, 20, 0.9
SEEDS = 20
AIMED = 10
SCHEMES_AND_SETTINGS: dict[str, dict[str, str]] = {
    "adv-tra": {"trajectories": "27"},
    "ipguard": {"queries": "200"},
    "akh": {"queries": "200"},
}
Modules = Sequence[nn.Module]


def forged(source: nn.Module, friends: Modules, others: Modules, images: np.ndarray) -> np.ndarray:
    """8-bit points at which source and friends give one class, not their first, and `others` do not."""
    start = torch.from_numpy(images).float() / 255
    target = predict(source, torch.from_numpy(images)).topk(2, dim=1).indices[:, 1]
    generator = torch.Generator().manual_seed(0)
    points, velocity = start.clone(), torch.zeros_like(start)
    for _ in range(STEPS):
        points.requires_grad_(True)
        shown = _diverse(points, generator)
        gain = sum(model(shown).log_softmax(1).gather(1, target[:, None]).sum() for model in (source, *friends))
        for model in others:
            gain = gain + (1 - model(shown).softmax(1).gather(1, target[:, None])).clamp(min=1e-6).log().sum()
        (gradient,) = torch.autograd.grad(gain, points)
        velocity = MOMENTUM * velocity + gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
        moved = points.detach() + 2 * EPSILON / STEPS * velocity.sign()
        points = torch.minimum(torch.maximum(moved, start - EPSILON), start + EPSILON).clamp(0, 1)
    return (points.detach() * 255).round().to(torch.uint8).numpy()


def _diverse(points: Tensor, generator: torch.Generator) -> Tensor:
    """Half of the time made a little smaller, and put down somewhere (input diversity)."""
    side = points.shape[-1]
    small = int(torch.randint(int(0.9 * side), side + 1, (1,), generator=generator))
    if small == side or torch.rand(1, generator=generator) < 0.5:
        return points
    left, top = (int(torch.randint(0, side - small + 1, (1,), generator=generator)) for _ in range(2))
    shrunk = functional.interpolate(points, size=(small, small), mode="bilinear", align_corners=False)
    return functional.pad(shrunk, (left, side - small - left, top, side - small - top))


def shared_mistakes(source: nn.Module, friends: Modules, count: int) -> np.ndarray:
    """Images that the source gets wrong, those first that most friends answer as it does."""
    data = load_data("fashion-mnist:queries")
    images = torch.from_numpy(data.images)
    own = predict(source, images).argmax(1)
    alike = np.mean([(predict(model, images).argmax(1) == own).numpy() for model in friends], axis=0)
    wrong = np.flatnonzero(own.numpy() != data.labels)
    return data.images[wrong[np.argsort(-alike[wrong], kind="stable")][:count]]


def told(model: nn.Module, images: np.ndarray) -> Answers:
    return answers_from_scores(predict(model, torch.from_numpy(images)).numpy(), who="a model")


def scores(scheme: Scheme, state: Any, source: nn.Module, models: Modules, images: np.ndarray) -> np.ndarray:
    own = told(source, images)
    return np.array([scheme.score(state, own, Answers(labels=told(model, images).labels)) for model in models])


def rate(accused: np.ndarray) -> dict[str, Any]:
    interval = clopper_pearson(int(accused.sum()), len(accused))
    return {"accused": int(accused.sum()), "n": len(accused), "interval": [interval.low, interval.high]}


def main() -> None:
    torch.set_num_threads(1)
    models = load("fashion")
    loaded: LoadedModel = next(model for model in models if model.role == "source").load()
    source = loaded.module
    honest = [m for m in models if m.role == "independent" and m.same_classes]
    surrogates, judges, innocents = (
        [model.load().module for model in honest if model.part == part] for part in ("shadow", "calibration", "test")
    )
    seeds = load_data("fashion-mnist:queries")
    rows: dict[str, Any] = {}
    for name, settings in SCHEMES_AND_SETTINGS.items():
        scheme = SCHEMES[name]().with_settings(settings)
        true = enroll(loaded, seeds, scheme=scheme, seed=0)
        limit = threshold(scores(scheme, true.state, source, judges, true.queries), ALPHA)
        assert limit is not None
        picked = seeds.images[np.arange(len(true)) % len(seeds)]
        false = (
            shared_mistakes(source, surrogates, len(true)) if name == "akh" else forged(source, surrogates, (), picked)
        )
        found = scores(scheme, true.state, source, innocents, false)
        judged = threshold(scores(scheme, true.state, source, judges, false), ALPHA)
        fresh = enroll(loaded, seeds, scheme=scheme, seed=1)
        fresh_limit = threshold(scores(scheme, fresh.state, source, judges, fresh.queries), ALPHA)
        row: dict[str, Any] = {
            "queries": len(true),
            "honest": rate(scores(scheme, true.state, source, innocents, true.queries) > limit),
            "forged, no guard": rate(found > limit),
            "forged, judge's models": rate(found > judged),
            "forged, re-derived": refused(true, false, loaded),
            "fresh challenge": rate(scores(scheme, fresh.state, source, innocents, fresh.queries) > fresh_limit),
        }
        if name != "adv-tra":  # whose seeds take too long
            row |= best_of_seeds(scheme, loaded, judges, innocents)
        if name == "ipguard":  # of ADV-TRA's thousand points it would take a quarter of an hour
            row["aimed, judge's models"] = aimed(scheme, true, source, surrogates, judges, innocents, picked)
        rows[name] = row
        print(name, row, flush=True)
    counts = {"surrogates": len(surrogates), "judges": len(judges), "innocents": len(innocents)}
    write_result("false_claims_fashion.json", {"alpha": ALPHA, **counts, "rows": rows, "provenance": provenance()})


def refused(true: Fingerprint, false: np.ndarray, source: LoadedModel) -> str:
    """What the re-derivation says of the fingerprint with forged queries in it."""
    forged_one = Fingerprint.bind(
        true.manifest.model_dump(mode="json", exclude={"tensors"}),
        queries=false,
        true_labels=true.true_labels,
        source=told(source.module, false),
        state=true.state,
    )
    try:
        rederive(forged_one, source, load_data("fashion-mnist:queries"))
    except IntegrityError as error:
        return f"refused: {error}"
    return "accepted"


def best_of_seeds(scheme: Scheme, source: LoadedModel, judges: Modules, innocents: Modules) -> dict[str, Any]:
    """The seed that accuses most, and the mean over seeds."""
    accused = []
    for seed in range(SEEDS):
        made = enroll(source, load_data("fashion-mnist:queries"), scheme=scheme, seed=seed)
        limit = threshold(scores(scheme, made.state, source.module, judges, made.queries), ALPHA)
        accused.append(scores(scheme, made.state, source.module, innocents, made.queries) > limit)
    rates = [found.mean() for found in accused]
    return {
        "best of seeds, judge's models": rate(accused[int(np.argmax(rates))]),
        "mean over seeds": float(np.mean(rates)),
    }


def aimed(  # noqa: PLR0917 - what a forger and a judge hold
    scheme: Scheme,
    true: Fingerprint,
    source: nn.Module,
    surrogates: Modules,
    judges: Modules,
    innocents: Modules,
    picked: np.ndarray,
) -> dict[str, Any]:
    """How many of ten innocents, each held by the forger beforehand, are accused."""
    chosen = innocents[:: max(1, len(innocents) // AIMED)][:AIMED]
    accused = []
    for victim in chosen:
        false = forged(source, [victim], surrogates, picked)
        limit = threshold(scores(scheme, true.state, source, judges, false), ALPHA)
        accused.append(bool(scores(scheme, true.state, source, [victim], false)[0] > limit))
    return rate(np.array(accused))


if __name__ == "__main__":
    main()
