"""What an attacker who knows the scheme must pay to get under the threshold: curves for six schemes, on fashion.

    python -m research.studies.adaptive_thief [SCHEME ...]

The attacker holds the first source's weights, 10,000 labelled images that it was not trained on, and this program. He
never sees the owner's fingerprint. He

1. trains eight shadow models of his own (4 + 4, `enroll --shadow 4`) and makes two *surrogate fingerprints* of the
   stolen model with them, on his images and with seeds of his own;
2. tunes a copy for three passes over his images: it keeps the source's answers and the true labels, and learns on the
   surrogate fingerprints' queries what his own independent models answer, the mean of their probabilities:

       loss = cross-entropy + KL(source || copy) + w * KL(independent || copy on the queries)

Against `lineage` there are no queries: w weighs the mean squared cosine between the copy's tensors and the source's, in
ten passes; then channels are permuted and rescaled.

w = 0 is plain tuning. Beside it: of twelve copies with as much weight noise as costs 2 % of the accuracy,
the three that score lowest on his first surrogate fingerprint (against `lineage` on the source's weights);
and three models that IPRemover distilled from inputs that it inverted, which look at no scheme.

Each copy is judged by the owner's own fingerprint (200 queries, ADV-TRA 999; the zoo's shadow models): the p-value is
the rank of its score among the judge's 109 independent models, derived where p <= .05. Three seeds for each w. Puts
each scheme's rows into benchmarks/results/adaptive_thief_fashion.json.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.common import RESULTS, provenance, write_result
from modelprint.attacks import ATTACKS
from modelprint.attacks.noise_edge import NoiseEdge
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.data.splits import load_data
from modelprint.lineage import StateTensors, SuspectForms, compare, reference_of
from modelprint.nn.architectures import Normalized
from modelprint.nn.loading import LoadedModel
from modelprint.nn.spec import ModelSpec
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme
from modelprint.training.loop import predict
from modelprint.zoo.population import load
from modelprint.zoo.reference_models.shadows import auto_shadows
from research.studies.false_claims import ALPHA, BUDGET, TRAJECTORIES, Cast, Modules, cast_of, enrolled
from research.studies.lineage_field import NOTHING

RESULT = "adaptive_thief_fashion.json"
FIELD = ("contrast", "residual", "adv-tra", "uap", "akh", "lineage")
WEIGHTS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0)
SEEDS = (0, 1, 2)
FINGERPRINTS = 2
PASSES = 3
PASSES_OF_WEIGHTS = 10
BATCH = 128
RATE = 0.01
NOISES = 12
NOISE_WORTH = 0.98
HELD_OUT = "fashion-mnist:holdout[0:5000]"

Judge = Callable[[LoadedModel], tuple[float, float]]  # score and p-value of a copy
Score = Callable[[nn.Module], float]
Pull = Callable[[nn.Module], Tensor]  # what the attacker adds to the loss


class Attacker:
    """Who holds the source's weights.

    Attributes:
        stolen: the source; `data`: images that he trains on; `seeds`: those that queries are made of.
        shadows: models that he trained; `strangers`: those of them that are independent.
        inverted: what IPRemover made, whatever the scheme.
        seconds, seconds_of_inversion: that these took, of one thread.
    """

    def __init__(self, stolen: LoadedModel) -> None:
        started = time.process_time()
        self.stolen = stolen
        self.data = load_data("fashion-mnist:attacker[0:8000]")
        self.seeds = load_data("fashion-mnist:attacker[8000:10000]")
        self.shadows = auto_shadows(self.data, stolen, 4, seed=77)
        self.strangers: list[nn.Module] = []
        for reference in self.shadows.references:
            with reference.opened() as module:
                self.strangers.append(copy.deepcopy(module))
        self.seconds = time.process_time() - started
        started = time.process_time()
        self.inverted = [self._inverted(seed) for seed in SEEDS]
        self.seconds_of_inversion = time.process_time() - started
        self.before = predict(stolen.module, torch.from_numpy(self.data.stored)).softmax(1).clone()

    def fingerprints(self, scheme: str) -> list[Fingerprint]:
        """His surrogate fingerprints of the stolen model."""
        settings = configured(scheme)
        return [
            enroll(
                self.stolen,
                self.seeds,
                scheme=settings,
                seed=1000 + number,
                budget=None if scheme in TRAJECTORIES else BUDGET,
                shadows=self.shadows if settings.needs.learns else None,
                train_data=self.data if settings.needs.train_images else None,
            )
            for number in range(FINGERPRINTS)
        ]

    def _inverted(self, seed: int) -> LoadedModel:
        assert self.stolen.spec is not None
        assert isinstance(self.stolen.module, Normalized)
        student = ATTACKS["ip-remover"]().run(self.stolen.module, self.stolen.spec, self.data, seed=seed)
        return held(student.model, student.spec)

    def noisy(self, score: Score) -> list[LoadedModel]:
        """Of copies with weight noise that keep .98 of the accuracy, those that score lowest."""
        spec, module, few = self.stolen.spec, self.stolen.module, self.data.take(slice(0, 2000))
        assert spec is not None
        assert isinstance(module, Normalized)
        noise = NoiseEdge(worth=NOISE_WORTH)
        copies = [held(noise.run(module, spec, few, seed=seed).model, spec) for seed in range(NOISES)]
        return sorted(copies, key=lambda model: score(model.module))[: len(SEEDS)]

    def tuned(self, pull: Pull, weight: float, *, passes: int, seed: int) -> LoadedModel:
        """A copy that keeps the source's answers to his images, and gives way to the pull."""
        draw = torch.Generator().manual_seed(seed)
        module = copy.deepcopy(self.stolen.module).requires_grad_(True).train()
        images, labels = self.data.modality.to_model(self.data.stored), torch.from_numpy(self.data.labels)
        optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=0.9, weight_decay=5e-4)
        for _ in range(passes):
            for chosen in torch.split(torch.randperm(len(images), generator=draw), BATCH):
                logits = module(images[chosen])
                kept = functional.cross_entropy(logits, labels[chosen]) + divergence(self.before[chosen], logits)
                loss = kept + weight * pull(module) if weight else kept
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return held(module.eval(), self.stolen.spec)


def held(module: nn.Module, spec: ModelSpec | None) -> LoadedModel:
    """A model that lies in memory."""
    return LoadedModel(module=module, identity="", spec=spec, card=None, path=None)


def divergence(teacher: Tensor, logits: Tensor) -> Tensor:
    """KL(teacher || student), mean over the batch."""
    return functional.kl_div(functional.log_softmax(logits, dim=1), teacher, reduction="batchmean")


def towards_strangers(queries: Tensor, strangers: Modules, seed: int) -> Pull:
    """KL between what independent models answer to some of the queries and what the copy does."""
    wanted = torch.stack([predict(model, queries).softmax(1) for model in strangers]).mean(0)
    points = queries.float() / 255
    draw = torch.Generator().manual_seed(seed)

    def pull(module: nn.Module) -> Tensor:
        chosen = torch.randint(len(points), (BATCH // 2,), generator=draw)
        return divergence(wanted[chosen], module(points[chosen]))

    return pull


def away_from_weights(stolen: nn.Module) -> Pull:
    """The mean over tensors of two or more dimensions of the squared cosine to the source's."""
    old = {name: value.detach().flatten() for name, value in stolen.named_parameters() if value.ndim > 1}

    def pull(module: nn.Module) -> Tensor:
        now = dict(module.named_parameters())
        return torch.stack(
            [functional.cosine_similarity(now[name].flatten(), old[name], dim=0) ** 2 for name in old]
        ).mean()

    return pull


def configured(name: str) -> Scheme:
    return SCHEMES[name]().with_settings(TRAJECTORIES.get(name, {}))


def scored_by(scheme: Scheme, shown: Fingerprint) -> Score:
    """By a fingerprint: `residual` reads scores, the others labels."""

    def score(module: nn.Module) -> float:
        logits = predict(module, torch.from_numpy(shown.queries)).numpy()
        labels = logits.argmax(axis=1).astype(np.int64)
        scores = logits if scheme.name == "residual" else None
        return scheme.score(shown.state, shown.source, Answers(labels=labels, scores=scores))

    return score


def scored_by_weights(source: nn.Module) -> Score:
    reference = reference_of(tensors(source))

    def score(module: nn.Module) -> float:
        score = compare(reference, SuspectForms(tensors(module))).score
        return NOTHING if score is None else score

    return score


def judge_of(score: Score, judges: Modules) -> Judge:
    """The score, and the share of independent models, the suspect among them, that score as high."""
    ranked = np.array([score(module) for module in judges])

    def judge(model: LoadedModel) -> tuple[float, float]:
        own = score(model.module)
        return own, float((1 + (ranked >= own).sum()) / (1 + len(ranked)))

    return judge


def tensors(module: nn.Module) -> StateTensors:
    body = module.body
    assert isinstance(body, nn.Module)
    return StateTensors(body.state_dict())


def rearranged(model: LoadedModel, data: LabelledSet, seed: int) -> LoadedModel:
    """The same function, its channels in another order and rescaled."""
    assert model.spec is not None
    assert isinstance(model.module, Normalized)
    permuted = ATTACKS["permute-rescale"]().run(model.module, model.spec, data, seed=seed)
    return held(permuted.model, permuted.spec)


def row_of(
    attacker: Attacker, judge: Judge, copies: Sequence[LoadedModel], attack: str, seconds: float
) -> dict[str, Any]:
    """What the copies of one attack cost, and how they are judged."""
    held_out = load_data(HELD_OUT)
    images = torch.from_numpy(held_out.stored)
    source = predict(attacker.stolen.module, images).argmax(1).numpy()
    judged = [judge(model) for model in copies]
    classes = [predict(model.module, images).argmax(1).numpy() for model in copies]
    right = float((source == held_out.labels).mean())
    return {
        "attack": attack,
        "points_lost": [round(100 * (right - float((one == held_out.labels).mean())), 2) for one in classes],
        "agreement": [round(float((source == one).mean()), 4) for one in classes],
        "scores": [round(score, 4) for score, _ in judged],
        "p_values": [round(p, 4) for _, p in judged],
        "derived": sum(p <= ALPHA for _, p in judged),
        "n": len(judged),
        "seconds_of_tuning": round(seconds / len(copies), 1),
    }


def measured(name: str, cast: Cast, attacker: Attacker) -> dict[str, Any]:
    weights = name == "lineage"
    true = (
        scored_by_weights(cast.owner.module)
        if weights
        else scored_by(configured(name), enrolled(cast, configured(name), 0))
    )
    judge = judge_of(true, cast.judges)
    started = time.process_time()
    surrogates = [] if weights else attacker.fingerprints(name)
    prepared = time.process_time() - started + (0 if weights else attacker.seconds)
    queries = torch.from_numpy(np.concatenate([one.queries for one in surrogates])) if surrogates else None
    rows = []

    def note(attack: str, copies: Sequence[LoadedModel], seconds: float) -> None:
        rows.append(row_of(attacker, judge, copies, attack, seconds))
        print(name, rows[-1], flush=True)

    for weight in WEIGHTS:
        started, copies = time.process_time(), []
        for seed in SEEDS:
            if queries is None:
                pull = away_from_weights(attacker.stolen.module)
                turned = attacker.tuned(pull, weight, passes=PASSES_OF_WEIGHTS, seed=seed)
                copies.append(rearranged(turned, attacker.data, seed))
            else:
                pull = towards_strangers(queries, attacker.strangers, seed)
                copies.append(attacker.tuned(pull, weight, passes=PASSES, seed=seed))
        note(f"tuned, w = {weight:g}", copies, time.process_time() - started)
    started = time.process_time()
    copies = attacker.noisy(true if weights else scored_by(configured(name), surrogates[0]))
    note("noise", copies, time.process_time() - started)
    note("ip-remover", attacker.inverted, attacker.seconds_of_inversion)
    return {
        "source": judge(attacker.stolen),
        "queries_of_the_attacker": 0 if queries is None else len(queries),
        "seconds_of_preparation": round(prepared),
        "rows": rows,
    }


def main() -> None:
    torch.set_num_threads(1)
    cast = cast_of(load("fashion", folder=Path("benchmarks/zoo/fashion")))
    attacker = Attacker(cast.owner)
    path = RESULTS / RESULT
    for name in sys.argv[1:] or FIELD:
        known = json.loads(path.read_text(encoding="utf-8"))["schemes"] if path.exists() else {}
        known[name] = {**measured(name, cast, attacker), "provenance": provenance()}
        write_result(
            RESULT,
            {"alpha": ALPHA, "judges": len(cast.judges), "schemes": {one: known[one] for one in FIELD if one in known}},
        )


if __name__ == "__main__":
    main()
