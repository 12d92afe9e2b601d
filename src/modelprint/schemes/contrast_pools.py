"""What contrast chooses its queries from: benign images, and the queries of the schemes that rest on boundaries."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError
from modelprint.modalities.base import Labelled, Modality
from modelprint.perturb.precision import DTYPES, in_precision
from modelprint.perturb.uap import fooling_rate, perturbed, universal
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment

Pool = Literal["both", "natural", "cutmix", "trajectory", "shifted", "all"]

TRAJECTORY_POINTS = 2000  # at most
FOOLED = 0.7  # the share of the inputs that v must fool
LEARNED_FROM = 2000  # images


def candidates(kind: Pool, context: Enrollment, mixed: int, generator: torch.Generator) -> tuple[Labelled, int]:
    """8-bit images to choose from, natural ones first, and how many these are.

    Args:
        kind: images as they are, CutMix of them ("both": these two), points of ADV-TRA's trajectories, images moved by
            a universal perturbation, or all of these.
        mixed: how many CutMix images.

    Raises:
        FingerprintError: not one candidate of that kind could be made.
    """
    natural = context.seeds.pairs
    modality = context.seeds.modality
    parts: list[Labelled] = []
    if kind in ("both", "natural", "all"):
        parts.append(natural)
    if kind in ("both", "cutmix", "all"):
        parts.append(modality.mix(natural, mixed, generator=generator))
    if kind in ("trajectory", "all"):
        parts.append(_trajectory_points(context, generator))
    if kind in ("shifted", "all"):
        source = in_precision(context.source, "double", shape=context.seeds.shape)
        parts.append(_shifted(source, natural, modality, generator))
    pool = parts[0]
    for part in parts[1:]:
        pool = pool.joined(part)
    return pool, len(natural) if parts[0] is natural else 0


def _trajectory_points(context: Enrollment, generator: torch.Generator) -> Labelled:
    scheme = AdvTra(walk=1)  # the pool stays what it was
    count = TRAJECTORY_POINTS // scheme.points(context.seeds.classes)
    points = replace(scheme, trajectories=count).craft(replace(context, budget=None), generator)
    return Labelled(stored=points.stored, labels=points.labels)


def _shifted(source: nn.Module, natural: Labelled, modality: Modality, generator: torch.Generator) -> Labelled:
    """Inputs x + v, v by gradient ascent on some of them, in double precision."""
    points = modality.to_model(natural.stored, device=device_of(source), dtype=DTYPES["double"])
    some = points[torch.randperm(len(points), generator=generator)[:LEARNED_FROM]]
    changes = modality.changes[::2]
    for epsilon in changes:
        shift = universal("ascent").find(source, some, epsilon=epsilon, generator=generator, space=modality.box)
        if fooling_rate(source, some, shift, modality=modality) >= FOOLED:
            stored = modality.to_stored(perturbed(points, shift, modality.box)).cpu().numpy()
            return Labelled(stored=stored, labels=natural.labels)
    raise FingerprintError(
        f"no universal perturbation of up to {changes[-1]:.2f} changes the label of {FOOLED:.0%} of the "
        f"{modality.plural}: use another pool"
    )
