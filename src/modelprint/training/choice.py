"""Which recipe a name means, with defaults that suit the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from modelprint.core.errors import UsageError
from modelprint.core.settings import with_settings
from modelprint.data.labelled import LabelledSet
from modelprint.training.own_recipe import OwnRecipe
from modelprint.training.recipes import AdamW, Recipe, TrainRecipe
from modelprint.training.train import default_recipe


def default_adamw(data: LabelledSet, *, epochs: int | None = None, pretrained: bool = False) -> AdamW:
    """AdamW that suits a data set: a small rate and few epochs from a checkpoint, more of both from scratch."""
    like = default_recipe(data)
    return AdamW(
        epochs=epochs or (5 if pretrained else like.epochs),
        lr=2e-4 if pretrained else 1e-3,
        batch_size=min(like.batch_size, 64),
        augment=like.augment,
        shift=like.shift,
    )


def recipe_named(
    name: str | None,
    data: LabelledSet,
    *,
    settings: Mapping[str, str] | None = None,
    epochs: int | None = None,
    pretrained: bool = False,
) -> Recipe:
    """The recipe that `--recipe` and `--set` name, with defaults that suit a data set.

    Args:
        name: "sgd", "adamw", "file.py:fit" or "package.module:fit"; None: sgd, or adamw from a checkpoint.
        settings: fields of sgd or adamw as text.
        pretrained: whether training starts from a checkpoint.

    Raises:
        UsageError: no such recipe or field, or settings for an own recipe.
        ModelError: no such file.
    """
    chosen = name or ("adamw" if pretrained else "sgd")
    settings = settings or {}
    if chosen == "sgd":
        return with_settings(default_recipe(data, epochs=epochs), settings, who="recipe sgd")
    if chosen == "adamw":
        return with_settings(default_adamw(data, epochs=epochs, pretrained=pretrained), settings, who="recipe adamw")
    if ":" not in chosen:
        raise UsageError(f"--recipe {chosen!r}: use sgd, adamw, or FILE.py:fit")
    if settings or epochs is not None:
        given = ", ".join([*settings, *(["epochs"] if epochs is not None else [])])
        raise UsageError(f"recipe {chosen} is your own code, {given} cannot be set: write it into the file")
    return OwnRecipe.named(chosen)


def recipe_fields(name: str) -> frozenset[str]:
    """What `--set` may set of a recipe; nothing of an owner's own.

    >>> "lr" in recipe_fields("adamw"), recipe_fields("mine.py:fit")
    (True, frozenset())
    """
    known = {"sgd": fields(TrainRecipe), "adamw": fields(AdamW)}
    return frozenset(field.name for field in known.get(name, ()))
