"""The face of every attack: a source and the attacker's images in, another model out.

Removal attacks hold the source's weights and change a copy; extraction attacks only ask it. Adding one is one file that
registers one frozen dataclass, whose fields are the hyper-parameters; the base class checks, copies and seeds.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal, Self, final

import torch
from torch import Tensor, nn

from modelprint.core.errors import DataError, UsageError
from modelprint.core.identity import derived_seed
from modelprint.core.registry import Registry
from modelprint.core.settings import with_settings
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import Loss, TrainReport, predict
from modelprint.training.loop import OnEpoch as OnEpoch
from modelprint.training.outcome import check_trained
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import BuiltIn, Recipe
from modelprint.training.run import train

Family = Literal[
    "fine-tuning", "pruning", "adversarial", "quantisation", "noise", "permutation", "removal", "transfer",
    "extraction", "chain", "averaging", "compression", "conversion",
]  # fmt: skip
DECIDED = frozenset({"epochs", "lr", "batch_size", "momentum", "weight_decay", "augment"})  # by a chosen recipe
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
        on_epoch: called after each epoch of training.
    """

    copy: Normalized
    spec: ModelSpec
    data: LabelledSet
    seed: int
    generator: torch.Generator
    on_epoch: OnEpoch | None = None

    @property
    def images(self) -> Tensor:
        """Stored inputs (n, ...)."""
        return torch.from_numpy(self.data.stored)

    def answers(self, model: nn.Module | None = None) -> Tensor:
        """Logits (n, classes) of the copy, or of another model, for all inputs."""
        return predict(model or self.copy, self.images, modality=self.data.modality).clone()

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
        recipe: how models are trained, in place of the attack's own fields for it; None: by these.
        family: what tables group it under.
        hooks: whether training changes its batches or looks into the model, which only the built-in loop can: of an
            owner's own recipe such an attack makes no use, and its report says so.
        takes: which images it works on: of the source's shape and classes ("same"), of its shape only
            ("same-inputs": labels unused or replaced), or any, which it then resizes, where they are images.
        only: the modality of inputs that it works on; None: any.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    takes: ClassVar[Takes] = "same"
    only: ClassVar[str | None] = None
    hooks: ClassVar[bool] = False

    recipe: Recipe | None = None

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
        if self.hooks and isinstance(self.recipe, OwnRecipe):
            note = f"{self.name} hooks into training: the built-in loop trained with sgd, not {self.recipe.name}"
            return replace(result, report={**result.report, "note": note})
        return result

    @abstractmethod
    def _run(self, loot: Loot) -> AttackResult:
        """Change the copy, or train a student on its answers."""

    def task(self, data: LabelledSet) -> LabelledSet:
        """The images of the task that the made model serves: the source's own, unless the attack changes classes."""
        return data

    def train(
        self,
        loot: Loot,
        model: nn.Module,
        images: Tensor,
        targets: Tensor,
        default: BuiltIn,
        *,
        classes: int | None = None,
        loss: Loss | None = None,
        probabilities: Tensor | None = None,
        parameters: Iterable[nn.Parameter] | None = None,
        features: bool = False,
    ) -> TrainReport:
        """Train a model in place by the chosen recipe, or by the attack's own where none was chosen.

        Args:
            targets: labels, or a teacher's outputs, with `loss`; `probabilities` are what an owner's own recipe learns
                in their place.
            classes: that the model tells apart; the source's unless given.
            features: whether the inputs are what lower layers of a model gave, no inputs of the modality.

        Raises:
            ModelError: training diverged, the recipe's code failed, or a chosen recipe trained nothing.
        """
        count, modality = classes or loot.spec.classes, None if features else loot.data.modality
        report = train(
            model,
            images,
            targets,
            self.recipe or default,
            classes=count,
            seed=loot.seed,
            generator=loot.generator,
            loss=loss,
            probabilities=probabilities,
            parameters=parameters,
            on_epoch=loot.on_epoch,
            modality=modality,
        )
        if self.recipe is not None:
            check_trained(
                model, images, targets if probabilities is None else probabilities, classes=count, modality=modality
            )
        return report

    def hooked(self, default: BuiltIn) -> BuiltIn:
        """The chosen recipe where the built-in loop can follow it, else the attack's own."""
        return self.recipe if isinstance(self.recipe, BuiltIn) else default

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters, as JSON; with a recipe, in place of those that it decides."""
        fields = {name: value for name, value in asdict(self).items() if name != "recipe"}
        if self.recipe is None or (self.hooks and isinstance(self.recipe, OwnRecipe)):
            return fields
        return {**{name: value for name, value in fields.items() if name not in DECIDED}, "recipe": self.recipe.card()}

    @classmethod
    def configured(cls, settings: Mapping[str, str]) -> Self:
        """The attack with some of its fields set from text, as `--set key=value` gives them.

        Raises:
            UsageError: no such field, or a value of another type; the message lists the fields.
        """
        if "recipe" in settings:
            raise UsageError(f"attack {cls.name}: a recipe is named by --recipe, not by --set")
        return with_settings(cls(), settings, who=f"attack {cls.name}")


ATTACKS: Registry[type[Attack]] = Registry("attack", group="modelprint.attacks")


def _check(attack: Attack, spec: ModelSpec, data: LabelledSet) -> None:
    if not len(data):
        raise DataError(f"{data.name} holds no images: attack {attack.name} needs some to work on")
    what = spec.modality
    if attack.only not in (None, what.name):
        raise DataError(f"attack {attack.name} works on inputs of modality {attack.only!r}, not on {what.plural}")
    if data.modality.name != what.name:
        raise DataError(f"{data.name} holds {data.modality.plural}, the source takes {what.plural}: use data of these")
    if attack.takes == "any" and spec.input is None:
        return
    if data.shape != spec.shape:
        raise DataError(
            f"{data.name} has {what.plural} of shape {data.shape} but the source takes "
            f"{spec.shape}: attack it with {what.plural} of that shape"
        )
    if attack.takes == "same" and data.classes != spec.classes:
        raise DataError(
            f"{data.name} has {data.classes} classes but the source tells {spec.classes} apart: "
            f"attack {attack.name} needs the source's classes (transfer changes them)"
        )
