"""UAP where inputs are tokens: the perturbation is a universal trigger in front of them.

What the scheme's parameters mean here: epsilon is the share of the longest input that the trigger takes, tried from
short to long as on images, and least_fooling the share of held-out inputs whose label it must change. Why these, and
what lost: docs/design/0019-triggers.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError
from modelprint.perturb.trigger import Texts, TriggerSearch
from modelprint.schemes.base import Enrollment
from modelprint.schemes.uap_perturbation import HELD_OUT, Pairs
from modelprint.stats.surprise import Trigrams
from modelprint.training.loop import predict

if TYPE_CHECKING:
    from modelprint.schemes.uap import Uap


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What stands in front of the inputs.

    Attributes:
        front: its tokens.
        epsilon: the share of the longest input that it takes.
        fooled: the share of held-out inputs whose label it changes.
    """

    front: UInt8[np.ndarray, " size"]
    epsilon: float
    fooled: float


def learned_trigger(scheme: Uap, context: Enrollment, generator: torch.Generator) -> Trigger:
    """The shortest trigger that fools enough; the control by chance is as long.

    Raises:
        FingerprintError: no length fools enough, or the scheme's perturbation is not one of tokens.
    """
    assert context.train_images is not None
    data, modality = context.train_images, context.train_images.modality
    if scheme.perturbation not in ("ascent", "random-sign"):
        raise FingerprintError(
            f"perturbation={scheme.perturbation} moves inputs by small steps, and {modality.plural} cannot be: use "
            "perturbation=ascent, or random-sign for a trigger by chance"
        )
    device, longest = device_of(context.source), data.shape[0]

    def taken(stored: np.ndarray) -> Tensor:
        return modality.to_model(stored, device=device)

    texts = Texts(fronted=modality.fronted, taken=taken, tokens=modality.front_tokens)
    shares = modality.changes if scheme.epsilon is None else (scheme.epsilon,)
    sizes = tuple(dict.fromkeys(max(1, round(share * longest)) for share in shares))
    best: Trigger | None = None
    for number, size in enumerate(sizes):
        context.progress("perturbation", number, len(sizes))
        front = _searched(context, scheme.images, texts, size, generator)
        best = Trigger(front=front, epsilon=size / longest, fooled=_fooled(context, front))
        if best.fooled >= scheme.least_fooling:
            break
    context.progress("perturbation", len(sizes), len(sizes))
    assert best is not None
    if best.fooled < scheme.least_fooling:
        raise FingerprintError(
            f"a trigger of {len(best.front)} tokens changes the label of {best.fooled:.1%} of held-out "
            f"{modality.plural}, fewer than {scheme.least_fooling:.0%}: set epsilon higher, or least_fooling lower"
        )
    if scheme.perturbation == "ascent":
        return best
    front = texts.tokens[torch.randint(len(texts.tokens), (len(best.front),), generator=generator).numpy()]
    return Trigger(front=front, epsilon=best.epsilon, fooled=_fooled(context, front))


def triggered_pairs(context: Enrollment, index: np.ndarray, trigger: Trigger) -> Pairs:
    """Some inputs of the training data without and with the trigger.

    Args:
        index: their numbers.
    """
    assert context.train_images is not None
    data, size = context.train_images, len(trigger.front)
    clean = data.stored[index]
    changed = data.modality.fronted(clean, trigger.front)
    shift = np.zeros_like(data.stored[0])
    shift[:size] = trigger.front
    before, after = ((rows != 0).sum(1) for rows in (clean, changed))
    usual = Trigrams.of(context.seeds.stored)
    return Pairs(
        shift=shift,
        stored=np.stack([clean, changed], axis=1),
        epsilon=trigger.epsilon,
        fooled=trigger.fooled,
        report={
            "trigger": trigger.front.tobytes().decode(),
            "share_added": float(np.mean((size + 1) / after)),
            "share_cut": float(np.mean((before + size + 1 - after) / before)),
            "bits_before": float(usual.bits(clean).mean()),
            "bits_after": float(usual.bits(changed).mean()),
        },
    )


def _searched(
    context: Enrollment, images: int, texts: Texts, size: int, generator: torch.Generator
) -> UInt8[np.ndarray, " size"]:
    """The trigger of a size, or what is kept of it."""
    assert context.train_images is not None
    data = context.train_images
    drawn = torch.randperm(len(data), generator=generator)[:images].numpy()
    name = f"trigger of {size}"
    loop = context.unfinished.loop("perturbation", name, generator=generator)

    def compute() -> dict[str, np.ndarray]:
        front = TriggerSearch().find(
            context.source, data.stored[drawn], size=size, texts=texts, generator=generator, loop=loop
        )
        return {"front": front}

    return context.unfinished.piece(name, compute, generator=generator)["front"]


def _fooled(context: Enrollment, front: UInt8[np.ndarray, " size"]) -> float:
    """The share of held-out inputs whose label changes."""
    modality, held_out = context.seeds.modality, context.seeds.stored[:HELD_OUT]
    before, after = (
        predict(context.source, torch.from_numpy(stored), modality=modality).argmax(1)
        for stored in (held_out, modality.fronted(held_out, front))
    )
    return float((before != after).float().mean())
