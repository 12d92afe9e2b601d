"""What UAP changes its points by: one perturbation of all, each point's own way, or a pattern that knows no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.precision import DTYPES
from modelprint.perturb.uap import UniversalName, fooling_rate, perturbed, universal
from modelprint.schemes.base import Enrollment

if TYPE_CHECKING:
    from modelprint.schemes.uap import Uap

HELD_OUT = 2000  # inputs that the fooling rate is measured on, at most
TWICE_AS_FAR = 1.0  # the overshoot of the per-sample control, whose ways must survive clamping and rounding


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Points without and with the perturbation.

    Attributes:
        shift: v, of the shape of an input: float32, or of tokens what stands in front; zero where every point has a
            way of its own.
        stored: (points, 2, ...), each point as it is and changed.
        epsilon: the largest change of a coordinate; of tokens, the share of the longest input that v takes.
        fooled: the share of held-out inputs whose label v changes.
        report: what else crafting says.
    """

    shift: np.ndarray
    stored: np.ndarray
    epsilon: float
    fooled: float
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """What is added to the points.

    Attributes:
        shift: v, of the shape of an input; zero where every point has a way of its own.
        epsilon: the largest change of a coordinate.
        fooled: the share of held-out inputs whose label v changes.
    """

    shift: Tensor
    epsilon: float
    fooled: float


def learned_shift(scheme: Uap, context: Enrollment, generator: torch.Generator) -> Perturbation:
    """The first epsilon that fools enough, and v; controls take that epsilon, too, and are comparable.

    Raises:
        FingerprintError: no epsilon fools enough.
    """
    assert context.train_images is not None
    data = context.train_images
    held_out = unit(scheme, context.seeds, np.arange(min(HELD_OUT, len(context.seeds))), context.source)
    drawn = torch.randperm(len(data), generator=generator)[: scheme.images].numpy()
    inputs = unit(scheme, data, drawn, context.source)
    learned: UniversalName = "deepfool" if scheme.perturbation == "deepfool" else "ascent"
    modality = data.modality
    tried = modality.changes if scheme.epsilon is None else (scheme.epsilon * modality.box.span,)
    best: Perturbation | None = None
    for number, epsilon in enumerate(tried):
        context.progress("perturbation", number, len(tried))
        shift = _universal(
            learned, context, inputs, epsilon=epsilon, generator=generator, unfinished=context.unfinished
        )
        best = Perturbation(
            shift=shift, epsilon=epsilon, fooled=fooling_rate(context.source, held_out, shift, modality=modality)
        )
        if best.fooled >= scheme.least_fooling:
            break
    context.progress("perturbation", len(tried), len(tried))
    assert best is not None
    if best.fooled < scheme.least_fooling:
        raise FingerprintError(
            f"v of up to {best.epsilon:.3f} changes the label of {best.fooled:.1%} of held-out {modality.plural}, "
            f"fewer than {scheme.least_fooling:.0%}: set epsilon higher, or least_fooling lower"
        )
    if scheme.perturbation in ("ascent", "deepfool"):
        return best
    kind: UniversalName = "zero" if scheme.perturbation == "per-sample" else scheme.perturbation
    shift = _universal(kind, context, inputs, epsilon=best.epsilon, generator=generator, unfinished=Unfinished())
    fooled = fooling_rate(context.source, held_out, shift, modality=modality)
    return Perturbation(shift=shift, epsilon=best.epsilon, fooled=fooled)


def shifted_pairs(scheme: Uap, context: Enrollment, index: np.ndarray, perturbation: Perturbation) -> Pairs:
    """Some inputs of the training data without and with v.

    Args:
        index: their numbers.
    """
    assert context.train_images is not None
    data, modality = context.train_images, context.train_images.modality
    clean = unit(scheme, data, index, context.source)
    fooled = perturbation.fooled
    if scheme.perturbation == "per-sample":
        parts = torch.split(clean, 256)
        ways = torch.cat([deepfool(context.source, part, overshoot=TWICE_AS_FAR).shift for part in parts])
        shifted = perturbed(clean, ways, modality.box)
        fooled = fooling_rate(context.source, clean, ways, modality=modality)
    else:
        shifted = perturbed(clean, perturbation.shift, modality.box)
    stored = [modality.to_stored(part).cpu().numpy() for part in (clean, shifted)]
    return Pairs(
        shift=perturbation.shift.float().cpu().numpy(),
        stored=np.stack(stored, axis=1),
        epsilon=perturbation.epsilon,
        fooled=fooled,
    )


def unit(scheme: Uap, data: LabelledSet, index: np.ndarray, source: nn.Module) -> Tensor:
    """Some inputs as points, where the source lies."""
    return data.modality.to_model(data.stored[index], device=device_of(source), dtype=DTYPES[scheme.precision])


def _universal(
    kind: UniversalName,
    context: Enrollment,
    points: Tensor,
    *,
    epsilon: float,
    generator: torch.Generator,
    unfinished: Unfinished,
) -> Tensor:
    name = f"{kind} of epsilon {epsilon!r}"
    loop = unfinished.loop("perturbation", name, generator=generator)

    def compute() -> dict[str, np.ndarray]:
        shift = universal(kind).find(
            context.source,
            points,
            epsilon=epsilon,
            generator=generator,
            space=context.seeds.modality.box,
            loop=loop,
        )
        return {"shift": shift.cpu().numpy()}

    shift = unfinished.piece(name, compute, generator=generator)["shift"]
    return torch.from_numpy(shift.copy()).to(points)
