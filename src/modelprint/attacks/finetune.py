"""Fine-tuning on the attacker's true labels: FTLL, FTAL, RTLL, RTAL.

Y. Adi, C. Baum, M. Cisse, B. Pinkas, J. Keshet, "Turning Your Weakness Into a Strength: Watermarking Deep Neural
Networks by Backdooring", USENIX Security 2018, section 6.3, names the four; settings after T. Xu et al. (ADV-TRA),
NeurIPS 2024: learning rate .001 (fine-tuning) or .01 (re-training), momentum .9, weight decay 5e-4, 50 epochs.

Differs from the paper: 10 epochs unless said otherwise; Nesterov momentum; a constant learning rate. When only the last
layer moves, BatchNorm keeps its statistics and, without augmentation, the features below are computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, Attack, AttackResult, Family, Loot
from modelprint.core.devices import device_of
from modelprint.nn.architectures import Normalized
from modelprint.nn.heads import Answering, Head, answers_last, head_of
from modelprint.training.loop import Augment, TrainRecipe, TrainReport, predict
from modelprint.training.recipes import BuiltIn


@dataclass(frozen=True, kw_only=True)
class FineTune(Attack):
    """Base of the four; `layers` says what moves, `reset` whether the last layer starts anew.

    Attributes:
        augment: as in training; "none" is the published setting and lets the last layer train on kept features.
    """

    family: ClassVar[Family] = "fine-tuning"
    layers: ClassVar[Literal["last", "all"]]
    reset: ClassVar[bool]

    epochs: int = 10
    lr: float = 0.001
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    augment: Augment = "none"

    def published(self) -> TrainRecipe:
        """The recipe that the fields describe."""
        return TrainRecipe(
            epochs=self.epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            schedule="constant",
            augment=self.augment,
            bn_eval=self.layers == "last",
        )

    def _run(self, loot: Loot) -> AttackResult:
        if self.reset:
            reset(head_of(loot.copy, loot.spec).layer, seed=loot.seed)
        report = (
            self.train_head(loot)
            if self.layers == "last"
            else self.train(loot, loot.copy, loot.images, loot.labels, self.published())
        )
        return AttackResult(model=loot.copy, spec=loot.spec, report={"losses": list(report.losses)})

    def train_head(self, loot: Loot) -> TrainReport:
        """Train the last layer; what lies below, BatchNorm's statistics included, stays as it is."""
        model, head, published = loot.copy, head_of(loot.copy, loot.spec), self.published()
        trainer = self
        if isinstance(self.recipe, BuiltIn):
            trainer = replace(self, recipe=self.recipe.keeping_statistics())
        recipe = trainer.recipe or published
        few = loot.data.modality.to_model(loot.images[:2], device=device_of(model))
        if isinstance(recipe, BuiltIn) and recipe.augment == "none" and answers_last(model, head, few):
            kept = _features(model, head, loot)
            return trainer.train(loot, head.layer, kept, loot.labels, published, features=True)
        return trainer.train(loot, model, loot.images, loot.labels, published, parameters=head.layer.parameters())


def reset(layer: Answering, *, seed: int) -> None:
    """Give a layer fresh weights, of its default distribution."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer.reset_parameters()


def _features(model: Normalized, head: Head, loot: Loot) -> Tensor:
    """What the last layer sees of each input, on the CPU."""
    parts: list[Tensor] = []
    hook = head.layer.register_forward_pre_hook(lambda _, arguments: parts.append(arguments[0].cpu()))
    try:
        predict(model, loot.images, modality=loot.data.modality)
    finally:
        hook.remove()
    return torch.cat(parts).clone()  # leaves inference mode


@ATTACKS.register("ftll")
@dataclass(frozen=True, kw_only=True)
class FTLL(FineTune):
    """Fine-tune the last layer."""

    name = "ftll"
    layers = "last"
    reset = False


@ATTACKS.register("ftal")
@dataclass(frozen=True, kw_only=True)
class FTAL(FineTune):
    """Fine-tune all layers."""

    name = "ftal"
    layers = "all"
    reset = False


@ATTACKS.register("rtll")
@dataclass(frozen=True, kw_only=True)
class RTLL(FineTune):
    """Re-train the last layer: fresh weights, then as FTLL."""

    name = "rtll"
    layers = "last"
    reset = True

    lr: float = 0.01


@ATTACKS.register("rtal")
@dataclass(frozen=True, kw_only=True)
class RTAL(FineTune):
    """Re-train all layers: fresh weights for the last, then as FTAL."""

    name = "rtal"
    layers = "all"
    reset = True

    lr: float = 0.01
