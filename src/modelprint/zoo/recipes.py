"""What a model of a zoo is made by; the SHA-256 of it names the model's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from modelprint.attacks.base import ATTACKS, Attack
from modelprint.core.identity import digest_json
from modelprint.core.records import Record
from modelprint.nn.arch_names import runs_code
from modelprint.nn.files import ModelCard
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import AdamW, BuiltIn, TrainRecipe
from modelprint.training.recipes import Recipe as TrainingRecipe

VERSION = 1  # raised when the same recipe would make another model
Role = Literal["source", "base", "derived", "independent"]
Part = Literal["source", "base", "shadow", "rehearsal", "calibration", "test", "sweep"]
Kind = Literal["SAST", "SADT", "DAST", "DADT", "SHARED", "OTHER"]


def built_in(card: Mapping[str, Any]) -> BuiltIn:
    """The recipe of the built-in loop that a card holds, sgd where it has no name."""
    fields = {name: value for name, value in card.items() if name != "recipe"}
    return AdamW(**fields) if card.get("recipe") == "adamw" else TrainRecipe(**fields)


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
        if self.train.get("recipe", "sgd") in ("sgd", "adamw"):
            return built_in(self.train)
        return OwnRecipe(code=self.train["recipe"], sha256=self.train["recipe_sha256"])

    @property
    def code(self) -> str | None:
        """The code that making this model runs; None for what this library and those of models bring."""
        own = self.train.get("recipe", "sgd")
        return self.arch if runs_code(self.arch) else own if ":" in own else None


class Published(Record):
    """A public checkpoint, whose last layer starts anew.

    Attributes:
        data: what its inputs and classes are to fit.
        weights: "PACKAGE/path/to/file" of an installed package.
        sha256: "sha256:..." of that file.
        size: what its inputs are resized to, in pixels.
        seed: of the last layer.
    """

    make: Literal["published"] = "published"
    data: str
    arch: str
    arch_args: dict[str, int | float | bool | str] = Field(default_factory=dict)
    weights: str
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int
    seed: int

    @property
    def code(self) -> str | None:
        """The code that making this model runs."""
        return self.arch if runs_code(self.arch) else None


class Theft(Record):
    """By an attack on another model.

    Attributes:
        source: the identity of that model's recipe.
        attack: its registered name.
        parameters: every hyper-parameter, but those that name files; "recipe": the fields of a training recipe that was
            chosen in place of the attack's own.
        others: the identity of the recipe of each further model that it takes, under the parameter that names its file.
        data: the attacker's images.
    """

    make: Literal["attack"] = "attack"
    source: str
    attack: str
    parameters: dict[str, Any]
    others: dict[str, str] = Field(default_factory=dict)
    data: str
    seed: int

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was added to the format later stands in a recipe only where it says something: old hashes stay."""
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if name != "others" or value}

    @property
    def needed(self) -> tuple[str, ...]:
        """The identities of the recipes of all models that it takes."""
        return self.source, *self.others.values()

    def method(self, files: Mapping[str, Path] | None = None) -> Attack:
        """The attack, with its parameters.

        Args:
            files: of the further models, under the parameters that name them.
        """
        fields = {name: value for name, value in self.parameters.items() if name != "recipe"}
        chosen = self.parameters.get("recipe")
        recipe = None if chosen is None else built_in(chosen)
        return ATTACKS[self.attack](
            **fields, recipe=recipe, **{name: str(path) for name, path in (files or {}).items()}
        )

    @property
    def code(self) -> str | None:
        """The code that making this model runs, where a student has an architecture of its own."""
        arch = self.parameters.get("arch")
        return arch if isinstance(arch, str) and runs_code(arch) else None


Recipe = Annotated[Training | Theft | Published, Field(discriminator="make")]


def identity(recipe: Training | Theft | Published) -> str:
    """SHA-256 of the canonical recipe."""
    return digest_json({"version": VERSION, **recipe.model_dump(mode="json")})


def training(
    data: str, arch: str, arch_args: Mapping[str, int | float | bool | str], train: TrainingRecipe, *, seed: int
) -> Training:
    """The record of a training."""
    fields = {**train.card(), "recipe": train.code} if isinstance(train, OwnRecipe) else train.card()
    return Training(data=data, arch=arch, arch_args=dict(arch_args), train=fields, seed=seed)


def theft(
    source: Training | Theft | Published,
    attack: str,
    settings: Mapping[str, str],
    data: str,
    *,
    seed: int,
    others: Mapping[str, Training | Theft | Published] | None = None,
    recipe: BuiltIn | None = None,
) -> Theft:
    """The record of an attack, its settings as text.

    Args:
        others: further models that it takes, under the parameters that name their files.
        recipe: how it trains, in place of the attack's own way.

    Raises:
        UsageError: no such attack or setting.
    """
    further = {name: identity(recipe) for name, recipe in (others or {}).items()}
    parameters = replace(ATTACKS[attack].configured(settings), recipe=recipe).parameters()
    return Theft(
        source=identity(source),
        attack=attack,
        parameters={name: value for name, value in parameters.items() if name not in further},
        others=further,
        data=data,
        seed=seed,
    )


def made_by(card: ModelCard, recipe: Training | Theft | Published) -> bool:
    """Whether a model's card tells of this recipe (of an attack's source it tells the file, not the recipe)."""
    stated = card.recipe
    if isinstance(recipe, Published):
        return stated.get("kind") == "published" and stated.get("init", {}).get("sha256") == recipe.sha256
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
        part: sources; the bases that SHARED and OTHER models come from; shadow, calibration and test, which share no
            model and no seed; rehearsal, more shadow models, for schemes that rehearse attacks; sweeps over one knob of
            an attack, for figures alone.
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
