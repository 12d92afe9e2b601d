"""What contrast chooses its queries from: benign images, and the queries of the schemes that rest on boundaries."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from modelprint.core.errors import FingerprintError
from modelprint.perturb.mixing import Labelled, cutmix
from modelprint.perturb.precision import as_points, in_precision
from modelprint.perturb.uap import fooling_rate, perturbed, rounded, universal
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Enrollment

Pool = Literal["both", "natural", "cutmix", "trajectory", "shifted", "all"]

TRAJECTORY_POINTS = 2000  # at most
EPSILONS = (10 / 255, 20 / 255, 40 / 255, 64 / 255)  # of v: the first that fools this share of the images
FOOLED = 0.7
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
    natural = Labelled(images=context.seeds.stored, labels=context.seeds.labels)
    parts: list[Labelled] = []
    if kind in ("both", "natural", "all"):
        parts.append(natural)
    if kind in ("both", "cutmix", "all"):
        parts.append(cutmix(natural, mixed, generator=generator))
    if kind in ("trajectory", "all"):
        parts.append(_trajectory_points(context, generator))
    if kind in ("shifted", "all"):
        parts.append(_shifted(in_precision(context.source, "double", shape=context.seeds.shape), natural, generator))
    pool = parts[0]
    for part in parts[1:]:
        pool = pool.joined(part)
    return pool, len(natural) if parts[0] is natural else 0


def _trajectory_points(context: Enrollment, generator: torch.Generator) -> Labelled:
    scheme = AdvTra(walk=1)  # the pool stays what it was
    count = TRAJECTORY_POINTS // scheme.points(context.seeds.classes)
    made = replace(scheme, trajectories=count).craft(replace(context, budget=None), generator)
    return Labelled(images=made.stored, labels=made.labels)


def _shifted(source: nn.Module, natural: Labelled, generator: torch.Generator) -> Labelled:
    """Images x + v, v by gradient ascent on some of them, in double precision."""
    images = as_points(torch.from_numpy(natural.images), "double")
    some = images[torch.randperm(len(images), generator=generator)[:LEARNED_FROM]]
    for epsilon in EPSILONS:
        shift = universal("ascent").find(source, some, epsilon=epsilon, generator=generator)
        if fooling_rate(source, some, shift) >= FOOLED:
            return Labelled(images=rounded(perturbed(images, shift)).numpy(), labels=natural.labels)
    raise FingerprintError(
        f"no universal perturbation of up to {EPSILONS[-1]:.2f} changes the label of {FOOLED:.0%} of the images: "
        "use another pool"
    )
