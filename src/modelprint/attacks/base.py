"""The face of every attack: a source and the attacker's images in, another model out.

Removal attacks hold the source's weights and change a copy; extraction attacks only ask it. Adding one is one file that
registers one frozen dataclass, whose fields are the hyper-parameters; the base class checks, copies and seeds.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, Self, final

import torch
from torch import Tensor, nn

from modelprint.core.errors import DataError, ModelError
from modelprint.core.identity import derived_seed
from modelprint.core.registry import Registry
from modelprint.core.settings import with_settings
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Net, Normalized
from modelprint.nn.spec import ModelSpec

Family = Literal[
    "fine-tuning", "pruning", "adversarial", "quantisation", "noise", "permutation", "removal", "transfer",
    "extraction", "chain",
]  # fmt: skip
OnEpoch = Callable[[int, float], None]
Takes = Literal["same", "same-inputs", "any"]


@dataclass(frozen=True, kw_only=True)
class Loot:
    """What the attacker holds while he works.

    Attributes:
        copy: a deep copy of the source, in evaluation mode, free to be changed (removal) or asked (extraction).
        spec: of the source.
        data: the attacker's labelled images.
        seed: of everything random, derived from the attack's name and the given seed, so that a student never starts
            from the weights that the source started from; `generator` was seeded with it.
        on_epoch: told of each epoch of training and its mean loss.
    """

    copy: Normalized
    spec: ModelSpec
    data: LabelledSet
    seed: int
    generator: torch.Generator
    on_epoch: OnEpoch | None = None

    @property
    def images(self) -> Tensor:
        """uint8 (n, c, h, w)."""
        return torch.from_numpy(self.data.stored)

    @property
    def labels(self) -> Tensor:
        """True labels, int64 (n,)."""
        return torch.from_numpy(self.data.labels)


@dataclass(frozen=True, kw_only=True)
class AttackResult:
    """What an attack made.

    Attributes:
        model: in evaluation mode.
        spec: of that model; extraction may choose another architecture than the source's.
        report: what was done, as JSON: losses, sparsity, how often the source was asked ...
    """

    model: Normalized
    spec: ModelSpec
    report: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """Base of every attack. The fields of a subclass are its hyper-parameters.

    Attributes:
        family: what tables group it under.
        takes: which images it works on: of the source's shape and classes ("same"), of its shape only
            ("same-inputs": labels unused or replaced), or any, which it then resizes.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    takes: ClassVar[Takes] = "same"

    @final
    def run(
        self, source: Normalized, spec: ModelSpec, data: LabelledSet, *, seed: int, on_epoch: OnEpoch | None = None
    ) -> AttackResult:
        """A model made from the source, which stays as it is; the same seed gives the same model.

        Args:
            data: the attacker's images, which the source was not trained on.

        Raises:
            DataError: the images do not fit the source.
            ModelError: training diverged, or the source lacks what the attack works on.
        """
        _check(self, spec, data)
        salted = derived_seed("attack", self.name, seed)
        loot = Loot(
            copy=copy.deepcopy(source).eval().requires_grad_(True),
            spec=spec,
            data=data,
            seed=salted,
            generator=torch.Generator().manual_seed(salted),
            on_epoch=on_epoch,
        )
        result = self._run(loot)
        result.model.eval()
        return result

    @abstractmethod
    def _run(self, loot: Loot) -> AttackResult:
        """Change the copy, or train a student on its answers."""

    def task(self, data: LabelledSet) -> LabelledSet:
        """The images of the task that the made model serves: the source's own, unless the attack changes classes."""
        return data

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters, as JSON."""
        return asdict(self)

    @classmethod
    def configured(cls, settings: Mapping[str, str]) -> Self:
        """The attack with some of its fields set from text, as `--set key=value` gives them.

        Raises:
            UsageError: no such field, or a value of another type; the message lists the fields.
        """
        return with_settings(cls(), settings, who=f"attack {cls.name}")


ATTACKS: Registry[type[Attack]] = Registry("attack", group="modelprint.attacks")


def head_of(model: Normalized) -> nn.Linear:
    """The last linear layer: what fine-tuning of the last layer moves and re-training resets.

    Raises:
        ModelError: there is none.
    """
    if isinstance(model.body, Net):
        return model.body.head
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ModelError("the model has no linear layer: attacks on the last layer need one")
    return linear[-1]


def _check(attack: Attack, spec: ModelSpec, data: LabelledSet) -> None:
    if not len(data):
        raise DataError(f"{data.name} holds no images: attack {attack.name} needs some to work on")
    if attack.takes == "any":
        return
    if data.shape != (spec.channels, spec.size, spec.size):
        raise DataError(
            f"{data.name} has images of shape {data.shape} but the source takes "
            f"{(spec.channels, spec.size, spec.size)}: attack it with images of that shape"
        )
    if attack.takes == "same" and data.classes != spec.classes:
        raise DataError(
            f"{data.name} has {data.classes} classes but the source tells {spec.classes} apart: "
            f"attack {attack.name} needs the source's classes (transfer changes them)"
        )
