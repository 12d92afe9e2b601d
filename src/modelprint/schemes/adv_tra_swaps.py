"""ADV-TRA where inputs are tokens: trajectories of single swaps, over the borders of several classes.

What the paper's parameters mean here: l swaps lead up to a border and l beyond it, m borders are crossed at most, and
the brake is the lead of the new class over the largest that one swap can give it. Why these, and what lost:
docs/design/0018-texts.md.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError
from modelprint.perturb.embeddings import byte_embedding
from modelprint.perturb.precision import in_precision
from modelprint.perturb.swaps import Judge, SwapWalk, Walked, slopes
from modelprint.schemes.base import Enrollment, Queries
from modelprint.stats.surprise import Trigrams
from modelprint.training.loop import predict

if TYPE_CHECKING:
    from modelprint.schemes.adv_tra import AdvTra


def swap_queries(scheme: AdvTra, context: Enrollment, order: np.ndarray) -> Queries:
    """One trajectory from each of the first bases that the source classifies rightly, within the budget.

    Args:
        order: bases to try, by their place among the seeds.

    Raises:
        FingerprintError: no base ends in a trajectory.
    """
    seeds, most = context.seeds, context.budget
    judge = _judge(scheme, context)
    walk = SwapWalk(
        judge=judge,
        swapped=seeds.modality.swapped,
        share_changed=seeds.modality.share_changed,
        length=scheme.l,
        legs=min(scheme.m, seeds.classes - 1),
        largest_share=scheme.largest_step,
        targets=scheme.retries + 1,
        brake=scheme.brake,
    )
    walked: list[Walked] = []
    bases: list[int] = []
    tried = asked = 0
    for index in order:
        context.progress("trajectories", len(walked), scheme.trajectories)
        tried += 1
        trajectory = walk.walk(seeds.stored[index])
        if trajectory is None:
            continue
        if most is not None and asked + len(trajectory.labels) > most:
            break
        asked += len(trajectory.labels)
        walked.append(trajectory)
        bases.append(int(index))
        if len(walked) == scheme.trajectories:
            break
    context.progress("trajectories", len(walked), len(walked))
    if not walked:
        raise FingerprintError(
            f"none of {tried} {seeds.modality.plural} ended in a trajectory of l={scheme.l} within "
            f"{'any' if most is None else most} queries and with at most {scheme.largest_step:.0%} of the words "
            "changed: lower l, or raise largest_step or the budget"
        )
    return _queries(walked, np.array(bases), context, tried, judge)


def _judge(scheme: AdvTra, context: Enrollment) -> Judge:
    modality, source = context.seeds.modality, context.source
    with suppress(FingerprintError):  # single precision where a model has no other
        source = in_precision(source, scheme.precision, shape=context.seeds.shape)
    device = device_of(source)
    first = modality.to_model(context.seeds.stored[:1], device=device)

    def ask(stored: np.ndarray) -> Float[np.ndarray, "n classes"]:
        logits: np.ndarray = predict(source, torch.from_numpy(stored), modality=modality).double().numpy()
        return logits

    if not byte_embedding(source, first):
        return Judge(ask=ask)
    return Judge(ask=ask, slope=slopes(source, lambda stored: modality.to_model(stored, device=device)))


def _queries(walked: list[Walked], bases: np.ndarray, context: Enrollment, tried: int, judge: Judge) -> Queries:
    sizes = [len(one.labels) for one in walked]
    modality, true_labels = context.seeds.modality, context.seeds.labels[bases]
    changed = [modality.share_changed(one.stored[0], one.stored[-1:])[0] for one in walked]
    usual = Trigrams.of(context.seeds.stored)
    ends = np.stack([one.stored[-1] for one in walked])
    return Queries(
        stored=np.concatenate([one.stored for one in walked]),
        labels=np.repeat(true_labels, sizes),
        group=np.repeat(np.arange(len(walked)), sizes),
        columns={
            "position": np.concatenate([np.arange(size) for size in sizes]),
            "target": np.concatenate([one.targets for one in walked]),
            "probed": np.concatenate([one.labels for one in walked]),
        },
        report={
            "trajectories": len(walked),
            "bases_tried": tried,
            "success_rate": len(walked) / tried,
            "share_changed": float(np.mean(changed)),
            "bits_before": float(usual.bits(context.seeds.stored[bases]).mean()),
            "bits_after": float(usual.bits(ends).mean()),
            "flips_per_trajectory": float(np.mean([(np.diff(one.labels) != 0).sum() for one in walked])),
            "classes_per_trajectory": float(np.mean([len(np.unique(one.labels)) for one in walked])),
            "forward_evaluations": judge.forwards,
            "backward_evaluations": judge.backwards,
            "steps": int(sum(sizes)) - len(walked),
        },
    )
