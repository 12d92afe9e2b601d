"""What a model of a zoo is made by; the SHA-256 of it names the model's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from modelprint.attacks.base import ATTACKS, Attack
from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.nn.arch_names import runs_code
from modelprint.nn.files import ModelCard
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import AdamW, TrainRecipe
from modelprint.training.recipes import Recipe as TrainingRecipe

VERSION = 1  # raised when the same recipe would make another model
Role = Literal["source", "base", "derived", "independent"]
Part = Literal["source", "base", "shadow", "rehearsal", "calibration", "test", "sweep"]
Kind = Literal["SAST", "SADT", "DAST", "DADT", "SHARED"]


class Training(Record):
    """From scratch.

    Attributes:
        data: "fashion-mnist:owner[0:20000]".
        train: the fields of a TrainRecipe; of another recipe, its name under "recipe", and its fields.
    """

    make: Literal["train"] = "train"
    data: str
    arch: str
    arch_args: dict[str, int | float | bool | str] = Field(default_factory=dict)
    train: dict[str, Any]
    seed: int

    def recipe(self) -> TrainingRecipe:
        """How it is trained."""
        fields = {name: value for name, value in self.train.items() if name != "recipe"}
        name = self.train.get("recipe", "sgd")
        if name == "sgd":
            return TrainRecipe(**fields)
        return AdamW(**fields) if name == "adamw" else OwnRecipe(code=name, sha256=fields["recipe_sha256"])

    @property
    def code(self) -> str | None:
        """The code that making this model runs; None for what this library and those of models bring."""
        own = self.train.get("recipe", "sgd")
        return self.arch if runs_code(self.arch) else own if ":" in own else None


class Theft(Record):
    """By an attack on another model.

    Attributes:
        source: the identity of that model's recipe.
        attack: its registered name.
        parameters: every hyper-parameter.
        data: the attacker's images.
    """

    make: Literal["attack"] = "attack"
    source: str
    attack: str
    parameters: dict[str, Any]
    data: str
    seed: int

    def method(self) -> Attack:
        """The attack, with its parameters."""
        return ATTACKS[self.attack](**self.parameters)

    @property
    def code(self) -> str | None:
        """The code that making this model runs, where a student has an architecture of its own."""
        arch = self.parameters.get("arch")
        return arch if isinstance(arch, str) and runs_code(arch) else None


Recipe = Annotated[Training | Theft, Field(discriminator="make")]


def identity(recipe: Training | Theft) -> str:
    """SHA-256 of the canonical recipe."""
    return digest_json({"version": VERSION, **recipe.model_dump(mode="json")})


def training(
    data: str, arch: str, arch_args: Mapping[str, int | float | bool | str], train: TrainingRecipe, *, seed: int
) -> Training:
    """The record of a training."""
    fields = {**train.card(), "recipe": train.code} if isinstance(train, OwnRecipe) else train.card()
    return Training(data=data, arch=arch, arch_args=dict(arch_args), train=fields, seed=seed)


def theft(source: Training | Theft, attack: str, settings: Mapping[str, str], data: str, *, seed: int) -> Theft:
    """The record of an attack, its settings as text.

    Raises:
        UsageError: no such attack or setting.
    """
    parameters = ATTACKS[attack].configured(settings).parameters()
    return Theft(source=identity(source), attack=attack, parameters=parameters, data=data, seed=seed)


def made_by(card: ModelCard, recipe: Training | Theft) -> bool:
    """Whether a model's card tells of this recipe (of an attack's source it tells the file, not the recipe)."""
    stated = card.recipe
    if isinstance(recipe, Training):
        expected: dict[str, Any] = {"kind": "train", "data": recipe.data, "seed": recipe.seed, **recipe.recipe().card()}
        built = (card.spec.arch, dict(card.spec.arch_args)) == (recipe.arch, recipe.arch_args)
        return built and all(stated.get(key) == value for key, value in expected.items())
    expected = {"kind": recipe.attack, "data": recipe.data, "seed": recipe.seed, "parameters": recipe.parameters}
    return all(stated.get(key) == value for key, value in expected.items())


class Entry(Record):
    """One model of a zoo.

    Attributes:
        id: unique in its zoo, for people.
        part: sources; the base that SHARED models come from; shadow, calibration and test, which share no model and no
            seed; rehearsal, more shadow models, for schemes that rehearse attacks; sweeps over one knob of an attack,
            for figures alone.
        kind: of an independent model.
        attack: of a derived model, with what tells it from its like: "prune 40 %".
        source: the id of the model that a derived one was made from: a source, a reference or a calibration model.
    """

    id: str
    part: Part
    role: Role
    kind: Kind | None = None
    attack: str | None = None
    family: str | None = None
    source: str | None = None
    recipe: Recipe

    @property
    def identity(self) -> str:
        """SHA-256 of the recipe."""
        return identity(self.recipe)

    @property
    def file(self) -> str:
        """The name of the weights' file."""
        return self.identity.removeprefix("sha256:")[:32] + ".safetensors"
