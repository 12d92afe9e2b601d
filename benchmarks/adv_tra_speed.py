"""How fast surface trajectories are made, and what verifying costs.

    python -m benchmarks.adv_tra_speed

On a small Fashion-MNIST CNN, l = 2, m = 9: 100 trajectories against a faithful one-image-at-a-time loop of the
published algorithm (`reference_adv_tra.py`, a few bases, seconds per finished trajectory); against the bare cost of the
forward and backward evaluations performed, in batches of 100, and that of the steps that the trajectories contain, all
in double precision; and against the walk in single precision. `verify` of a local model against a bare batched forward
pass over the same queries. Two things timed are timed in turn. Writes benchmarks/results/adv_tra_speed.json.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.common import alternating, provenance, ratio, write_result
from benchmarks.reference_adv_tra import reference_trajectories
from modelprint.data.splits import load_data
from modelprint.nn.architectures import Normalized
from modelprint.ownership.enroll import enroll
from modelprint.ownership.verify import verify
from modelprint.perturb.evaluate import Evaluator, frozen
from modelprint.perturb.precision import DTYPES, in_precision
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment
from modelprint.training.train import default_recipe, spec_for, train_model


def bare(model: nn.Module, images: torch.Tensor, *, forwards: int, backwards: int, batch: int) -> None:
    """That many evaluations and nothing else: forward and backward together, then the forwards that are left."""
    with frozen(model):
        evaluator = Evaluator(model)
        for count in _batches(backwards, batch):
            evaluator.aim(images[:count], lambda _, logits: np.zeros(len(logits), dtype=np.int64))
        for count in _batches(forwards - backwards, batch):
            evaluator.labels(images[:count])


def _batches(total: int, batch: int) -> list[int]:
    whole, rest = divmod(max(total, 0), batch)
    return [batch] * whole + ([rest] if rest else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reference-bases", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    owner, queries = load_data("fashion-mnist:owner"), load_data("fashion-mnist:queries")
    trained = train_model(
        owner, spec_for(owner, "cnn"), default_recipe(owner), seed=0, holdout=load_data("fashion-mnist:holdout")
    )
    model, scheme = trained.model, AdvTra()
    context = Enrollment(source=model, seeds=queries)
    queries_made = scheme.craft(context, torch.Generator().manual_seed(0))
    report = queries_made.report
    images = queries.modality.to_model(queries.stored[: scheme.trajectories], dtype=DTYPES[scheme.precision])
    precise = in_precision(model, scheme.precision, shape=queries.shape)
    evaluations = {"forwards": report["forward_evaluations"], "backwards": report["backward_evaluations"]}
    steps = {"forwards": report["steps"], "backwards": report["steps"]}
    # The crafting also looks once at all seeds for rightly classified ones: part of enrolling, not of the walk.
    small = Enrollment(source=model, seeds=queries.take(slice(0, 200)))
    crafting = alternating(
        {
            "craft": lambda: scheme.craft(small, torch.Generator().manual_seed(0)),
            "evaluations": lambda: bare(precise, images, batch=scheme.trajectories, **evaluations),
            "steps": lambda: bare(precise, images, batch=scheme.trajectories, **steps),
            "single": lambda: AdvTra(precision="single").craft(small, torch.Generator().manual_seed(0)),
        },
        rounds=arguments.rounds,
    )
    fingerprint = enroll(model, queries, scheme=scheme)
    asked = torch.from_numpy(fingerprint.queries)
    with torch.inference_mode():
        checking = alternating(
            {
                "verify": lambda: verify(fingerprint, model),
                "forward": lambda: [
                    model(part.float().div_(255).contiguous(memory_format=torch.channels_last)).argmax(1)
                    for part in asked.split(512)
                ],
            },
            rounds=2 * arguments.rounds,
        )
    result: dict[str, Any] = {
        "model": {"arch": "cnn", "accuracy": trained.card.accuracy, "data": "fashion-mnist:owner"},
        "crafting": dict(report),
        "seconds_100_trajectories": crafting["craft"],
        "craft_over_bare_evaluations": ratio(crafting["craft"], crafting["evaluations"]),
        "craft_over_bare_steps": ratio(crafting["craft"], crafting["steps"]),
        "craft_over_single": ratio(crafting["craft"], crafting["single"]),
        "verify_seconds": checking["verify"],
        "verify_over_bare_forward": ratio(checking["verify"], checking["forward"]),
        "reference": reference(model, queries.stored, queries.labels, arguments.reference_bases, crafting["craft"]),
        "provenance": provenance(),
    }
    write_result("adv_tra_speed.json", result)
    for name in (
        "craft_over_bare_evaluations",
        "craft_over_bare_steps",
        "craft_over_single",
        "verify_over_bare_forward",
    ):
        print(name, result[name])
    print("reference", result["reference"])


def reference(
    model: Normalized, images: np.ndarray, labels: np.ndarray, bases: int, ours: list[float]
) -> dict[str, Any]:
    """Seconds per finished trajectory of the published loop, over ours."""
    started = time.perf_counter()
    published = reference_trajectories(model, images[:bases], labels[:bases])
    seconds = time.perf_counter() - started
    finished = len(published.trajectories)
    each = statistics.median(ours) / 100
    return {
        "bases": bases,
        "finished": finished,
        "seconds": seconds,
        "seconds_per_base": seconds / bases,
        "seconds_per_trajectory": seconds / finished if finished else None,
        "ours_seconds_per_trajectory": each,
        "speedup_per_trajectory": seconds / finished / each if finished else None,
        "speedup_per_base": seconds / bases / each,
    }


if __name__ == "__main__":
    main()
