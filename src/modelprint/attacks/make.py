"""One call from a source to an attacked model with its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from modelprint.attacks.base import ATTACKS, DECIDED, Attack, OnEpoch
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import weights_identity
from modelprint.nn.spec import ModelSpec
from modelprint.training.choice import recipe_fields, recipe_named
from modelprint.training.loop import predict


@dataclass(frozen=True, kw_only=True)
class AttackedModel:
    """A model in evaluation mode, its card, and what the attack did.

    Attributes:
        agreement: with the source, on the holdout's images; none without a holdout, or between different classes.
    """

    model: Normalized
    card: ModelCard
    agreement: float | None
    report: Mapping[str, Any]


def run_attack(
    name: str,
    settings: Mapping[str, str],
    source: Normalized,
    spec: ModelSpec,
    data: LabelledSet,
    *,
    seed: int,
    recipe: str | None = None,
    holdout: LabelledSet | None = None,
    source_identity: str | None = None,
    on_epoch: OnEpoch | None = None,
) -> AttackedModel:
    """Attack a source by name and settings, as `modelprint attack` does.

    Args:
        name: registered, such as "ftal".
        settings: hyper-parameters as text.
        data: the attacker's images.
        recipe: how the student or the copy is trained, "sgd", "adamw" or "file.py:fit"; settings that are fields of it
            are its own then. None: as published.
        holdout: accuracy and agreement with the source are measured on it.
        source_identity: "sha256:..." of the source's file; of its weights when not given.

    Raises:
        UsageError: no such attack, recipe or setting.
        DataError: the images do not fit the source.
        ModelError: training diverged, or the source lacks what the attack works on.
    """
    attack = configured(name, settings, data, recipe=recipe)
    return make(
        attack, source, spec, data, seed=seed, holdout=holdout, source_identity=source_identity, on_epoch=on_epoch
    )


def configured(name: str, settings: Mapping[str, str], data: LabelledSet, *, recipe: str | None = None) -> Attack:
    """An attack by name and settings, trained by a recipe where one is named; arguments as in `run_attack`."""
    kind = ATTACKS[name]
    if recipe is None:
        return kind.configured(settings)
    pretrained = kind.family != "extraction"
    fields = frozenset() if kind.hooks and ":" in recipe else recipe_fields(recipe) | DECIDED
    own = {key: value for key, value in settings.items() if key in fields}
    rest = {key: value for key, value in settings.items() if key not in fields}
    chosen = recipe_named(recipe, data, settings=own, pretrained=pretrained)
    return replace(kind.configured(rest), recipe=chosen)


def make(
    attack: Attack,
    source: Normalized,
    spec: ModelSpec,
    data: LabelledSet,
    *,
    seed: int,
    holdout: LabelledSet | None = None,
    source_identity: str | None = None,
    on_epoch: OnEpoch | None = None,
) -> AttackedModel:
    """Run an attack, measure what it made, and write its card; arguments as in `run_attack`."""
    result = attack.run(source, spec, data, seed=seed, on_epoch=on_epoch)
    accuracy = agreement = None
    if holdout is not None:
        accuracy = accuracy_of(result.model, attack.task(holdout))
        if result.spec.classes == spec.classes:
            agreement = agreement_of(result.model, source, holdout)
    recipe = {
        "kind": attack.name,
        "family": attack.family,
        "source": source_identity or weights_identity(source),
        "data": data.name,
        "data_sha256": data.identity,
        "seed": seed,
        "parameters": attack.parameters(),
        "agreement": agreement,
    }
    if "note" in result.report:
        recipe["note"] = result.report["note"]
    card = ModelCard(spec=result.spec, recipe=recipe, accuracy=accuracy)
    return AttackedModel(model=result.model, card=card, agreement=agreement, report=result.report)


def accuracy_of(model: Normalized, data: LabelledSet) -> float:
    """The share of images classified rightly."""
    return float((_labels(model, data) == torch.from_numpy(data.labels)).double().mean())


def agreement_of(model: Normalized, source: Normalized, data: LabelledSet) -> float:
    """The share of images on which a model answers as the source does."""
    return float((_labels(model, data) == _labels(source, data)).double().mean())


def _labels(model: Normalized, data: LabelledSet) -> Tensor:
    return predict(model, torch.from_numpy(data.stored), modality=data.modality).argmax(1)
