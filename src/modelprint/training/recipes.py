"""How networks are trained: one-cycle SGD, AdamW, or the owner's own code (`modelprint.training.own_recipe`).

A recipe is a record: a model's card holds it, so that the same training can be done again.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

Augment = Literal["none", "shift", "shift-flip", "shift-gain"]
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class Recipe(ABC):
    """How a network is trained. Subclasses are frozen records."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What `--recipe` calls it."""

    @abstractmethod
    def card(self) -> dict[str, Any]:
        """What a model's card says of it, as JSON."""


class BuiltIn(Recipe):
    """A recipe of the built-in loop, `modelprint.training.loop.fit`.

    Attributes:
        epochs: passes over the data.
        lr: the highest learning rate.
        batch_size: inputs of a step.
        augment: "shift" moves each image by up to `shift` pixels, "shift-flip" mirrors half of them, too,
            "shift-gain" softens series.
        label_smoothing: share of the target spread over all classes.
        bn_eval: keep BatchNorm's statistics as they are (fine-tuning of the last layer).
        largest_gradient: longer gradients (L2, all parameters together) are shortened to it; None: never.
    """

    epochs: int
    lr: float
    batch_size: int
    augment: Augment
    shift: int
    label_smoothing: float
    bn_eval: bool

    @property
    def largest_gradient(self) -> float | None:
        """The length to which longer gradients are shortened."""
        return None

    @abstractmethod
    def keeping_statistics(self) -> BuiltIn:
        """The same recipe, which leaves BatchNorm's statistics as they are."""

    @abstractmethod
    def optimizer(self, model: nn.Module, moving: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """What moves the given parameters of a model."""

    @abstractmethod
    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler | None:
        """How the learning rate changes over so many steps; None: it stays."""


@dataclass(frozen=True, kw_only=True)
class TrainRecipe(BuiltIn):
    """SGD with Nesterov momentum; its repr is the recipe.

    Attributes:
        epochs: passes over the data.
        lr: the peak ("one-cycle") or constant learning rate of SGD with Nesterov momentum.
        schedule: "one-cycle" rises for a quarter of the run, then falls to zero (Smith and Topin, 2019).
        augment: "shift" moves each image by up to `shift` pixels, "shift-flip" mirrors half of them, too,
            "shift-gain" softens series.
        label_smoothing: share of the target spread over all classes.
        bn_eval: keep BatchNorm's statistics as they are (fine-tuning of the last layer).
    """

    epochs: int = 10
    lr: float = 0.1
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    augment: Augment = "shift"
    shift: int = 2
    label_smoothing: float = 0.0
    bn_eval: bool = False

    @property
    def name(self) -> str:
        """Sgd."""
        return "sgd"

    def card(self) -> dict[str, Any]:
        """The fields."""
        return asdict(self)

    def keeping_statistics(self) -> TrainRecipe:
        """The same recipe, which leaves BatchNorm's statistics as they are."""
        return replace(self, bn_eval=True)

    def optimizer(self, model: nn.Module, moving: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """SGD; every parameter decays."""
        return torch.optim.SGD(
            moving, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, nesterov=self.momentum > 0
        )

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler | None:
        """One cycle, or none."""
        if self.schedule == "constant":
            return None
        return OneCycleLR(
            optimizer, self.lr, total_steps=steps, pct_start=max(0.25, 1.25 / steps), cycle_momentum=False
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(BuiltIn):
    """AdamW with a linear warm-up and a cosine to zero, for transformers and for fine-tuning.

    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

    Attributes:
        epochs: passes over the data.
        lr: the highest learning rate, which the warm-up ends at.
        weight_decay: of weights; norms, biases and other vectors do not decay.
        warmup: the share of all steps in which the rate rises from 0.
        clip: longer gradients are shortened to this L2 norm.
        augment: "shift" moves each image by up to `shift` pixels, "shift-flip" mirrors half of them, too,
            "shift-gain" softens series.
        label_smoothing: share of the target spread over all classes.
        bn_eval: keep BatchNorm's statistics as they are (fine-tuning of the last layer).
    """

    epochs: int = 10
    lr: float = 1e-3
    batch_size: int = 128
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.999
    warmup: float = 0.05
    clip: float = 1.0
    augment: Augment = "shift"
    shift: int = 2
    label_smoothing: float = 0.0
    bn_eval: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and less than 1, got {self.warmup}")

    @property
    def name(self) -> str:
        """Adamw."""
        return "adamw"

    @property
    def largest_gradient(self) -> float | None:
        """The length to which longer gradients are shortened."""
        return self.clip

    def card(self) -> dict[str, Any]:
        """The name and the fields."""
        return {"recipe": self.name, **asdict(self)}

    def keeping_statistics(self) -> AdamW:
        """The same recipe, which leaves BatchNorm's statistics as they are."""
        return replace(self, bn_eval=True)

    def optimizer(self, model: nn.Module, moving: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW; matrices and filters decay, unless they belong to a norm."""
        norms = {id(parameter) for parameter in _of_norms(model)}
        decays = [parameter for parameter in moving if parameter.ndim > 1 and id(parameter) not in norms]
        kept = {id(parameter) for parameter in decays}
        others = [parameter for parameter in moving if id(parameter) not in kept]
        groups = [{"params": decays, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=self.lr, betas=(self.beta1, self.beta2)
        )

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler | None:
        """Step t of T, the first w of them warm-up: (t + 1) / (w + 1), then (1 + cos(pi (t - w) / (T - w))) / 2."""
        rising = int(self.warmup * steps)

        def share(step: int) -> float:
            if step < rising:
                return (step + 1) / (rising + 1)
            return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))

        return LambdaLR(optimizer, share)


def _of_norms(model: nn.Module) -> Iterable[nn.Parameter]:
    return (parameter for module in model.modules() if isinstance(module, _NORMS) for parameter in module.parameters())
