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

import numpy as np
import torch
from torch.nn import functional

from modelprint.attacks.base import ATTACKS, AttackResult, Loot, Takes
from modelprint.attacks.extract import Extraction
from modelprint.data.labelled import LabelledSet
from modelprint.data.on_disk import computed_rows
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import predict


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
        asked = fitted(loot.data, loot.spec)
        if self.match:
            asked = matched(asked, loot.spec)
        if self.budget is not None:
            asked = asked.take(torch.randperm(len(asked), generator=loot.generator)[: self.budget].numpy())
        loot = replace(loot, data=asked)
        return self.train_student(loot, loot.images, predict(loot.copy, loot.images).clone().softmax(1))


def matched(data: LabelledSet, spec: ModelSpec) -> LabelledSet:
    """Images, each with the mean and spread of a model's normalisation (before clipping to 8 bits)."""
    mean, std = (np.asarray(value, np.float32)[None, :, None, None] for value in (spec.mean, spec.std))

    def stretched(part: slice) -> np.ndarray:
        images = data.stored[part].astype(np.float32) / 255
        axes = (1, 2, 3)
        standard = (images - images.mean(axes, keepdims=True)) / images.std(axes, keepdims=True).clip(0.02)
        rounded: np.ndarray = np.rint(((standard * std) + mean).clip(0, 1) * 255).astype(np.uint8)
        return rounded

    made = computed_rows(data.stored.shape, data.stored.dtype, stretched)
    return LabelledSet(name=data.name, stored=made, labels=data.labels, class_names=data.class_names)


def fitted(data: LabelledSet, spec: ModelSpec) -> LabelledSet:
    """Images brought to a model's size (bilinear) and channels (grey is their mean, colour repeats grey)."""

    def brought(part: slice) -> np.ndarray:
        images = torch.from_numpy(data.stored[part]).float()
        if data.shape[1:] != spec.shape[1:]:
            images = functional.interpolate(images, spec.shape[1:], mode="bilinear", antialias=True)
        if images.shape[1] != spec.channels:
            images = images.mean(1, keepdim=True).expand(-1, spec.channels, -1, -1)
        eight_bit: np.ndarray = images.round().clamp(0, 255).to(torch.uint8).contiguous().numpy()
        return eight_bit

    made = computed_rows((len(data), *spec.shape), data.stored.dtype, brought)
    return LabelledSet(name=data.name, stored=made, labels=data.labels, class_names=data.class_names)
