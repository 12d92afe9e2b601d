"""Knockoff Nets: a student learns the source's probabilities on images of another distribution.

T. Orekondy, B. Schiele, M. Fritz, "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019; random
selection, soft cross-entropy.

Differs from the paper: the transfer set is whatever images are given (Fashion-MNIST for digits, CIFAR-10 in grey for
Fashion-MNIST ...), resized and brought to the source's channels and contrast; the student starts from scratch, not from
ImageNet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from modelprint.attacks.base import ATTACKS, AttackResult, Loot, Takes
from modelprint.attacks.extract import Extraction
from modelprint.data.labelled import LabelledSet
from modelprint.data.on_disk import computed_rows
from modelprint.modalities.image.fitting import brought, stretched
from modelprint.nn.spec import ModelSpec


@ATTACKS.register("knockoff")
@dataclass(frozen=True, kw_only=True)
class Knockoff(Extraction):
    """Knockoff Nets.

    Attributes:
        budget: how many images are asked; all when none is given.
        match: whether each image gets the mean and spread that the source's normalisation names, which an API's manual
            tells; a transfer set is brought to the victim's domain that far.
    """

    name: ClassVar[str] = "knockoff"
    takes: ClassVar[Takes] = "any"

    budget: int | None = None
    match: bool = True

    def _run(self, loot: Loot) -> AttackResult:
        asked = loot.data
        if loot.spec.input is None:
            asked = fitted(asked, loot.spec)
            asked = matched(asked, loot.spec) if self.match else asked
        if self.budget is not None:
            asked = asked.take(torch.randperm(len(asked), generator=loot.generator)[: self.budget].numpy())
        loot = replace(loot, data=asked)
        return self.train_student(loot, loot.images, loot.answers().softmax(1))


def matched(data: LabelledSet, spec: ModelSpec) -> LabelledSet:
    """Images, each with the mean and spread of a model's normalisation (before clipping to 8 bits)."""
    stored = computed_rows(
        data.stored.shape, data.stored.dtype, lambda part: stretched(data.stored[part], spec.mean, spec.std)
    )
    return replace(data, stored=stored)


def fitted(data: LabelledSet, spec: ModelSpec) -> LabelledSet:
    """Images brought to a model's size (bilinear) and channels (grey is their mean, colour repeats grey)."""
    shape = (spec.shape[0], spec.shape[1], spec.shape[2])
    stored = computed_rows((len(data), *shape), data.stored.dtype, lambda part: brought(data.stored[part], shape))
    return replace(data, stored=stored)
