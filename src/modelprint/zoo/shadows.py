"""Shadow models: what an owner makes himself, so that a scheme can learn what copies of his model look like.

Copies are made from the source, strangers are trained from scratch; both from images of the source's training data,
which is all that an owner needs to hold. A folder of them tells its sides apart by the models' cards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.torch import load, save

from modelprint.attacks.make import AttackedModel, run_attack
from modelprint.core.errors import ModelError, UsageError
from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import LoadedModel, load_folder, weights_identity
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe
from modelprint.training.train import default_recipe, train_model
from modelprint.zoo.independents import bootstrap
from modelprint.zoo.pool import TaskPool

LEAST = 2  # of each side
LEAST_AGREEMENT = 0.7  # of an extracted copy with the source (released code of the UAP fingerprints)
THEFTS: tuple[tuple[str, Mapping[str, str]], ...] = (  # every second one extracts
    ("extract-labels", {}),
    ("rtal", {}),
    ("extract-soft", {}),
    ("prune", {"rate": "0.5", "finetune_epochs": "5"}),
    ("extract-adversarial", {"steps": "3"}),
    ("ftal", {}),
)


@dataclass(frozen=True, kw_only=True)
class Shadows:
    """Models made from the source, and models that have nothing to do with it.

    Attributes:
        reference_copies: models made from references, as surrogates are made from the source.
    """

    surrogates: tuple[LoadedModel, ...]
    references: tuple[LoadedModel, ...]
    reference_copies: tuple[LoadedModel, ...] = ()


def shadow_folder(
    path: str | Path, source: LoadedModel, *, shape: tuple[int, int, int] | None = None, classes: int | None = None
) -> Shadows:
    """The models of a folder: copies are those whose card names this source, strangers the others.

    Raises:
        ModelError: no such folder, a model that does not load, or one whose card does not tell how it was made.
    """
    names = {source.identity, weights_identity(source.module)}
    copies: list[LoadedModel] = []
    strangers: list[LoadedModel] = []
    for model in load_folder(path, shape=shape, classes=classes):
        recipe = model.card.recipe if model.card is not None else {}
        if "kind" not in recipe:
            raise ModelError(
                f"{model.path} does not tell how it was made, so nobody knows whether it is a copy or a stranger: "
                "shadow models are made by `modelprint attack` and `modelprint train`"
            )
        if names & {model.identity, weights_identity(model.module)}:
            raise ModelError(f"{model.path} is the source itself: shadow copies are made from it by an attack")
        (copies if recipe.get("source") in names else strangers).append(model)
    return Shadows(surrogates=tuple(copies), references=tuple(strangers))


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One model: a theft, or none for a stranger, who may learn from a bootstrap of the data."""

    theft: tuple[str, Mapping[str, str]] | None
    seed: int
    bootstrap: bool = False


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What all of them share; the source as bytes, which processes can be sent."""

    data: LabelledSet
    spec: ModelSpec
    source: bytes
    identity: str
    recipe: TrainRecipe
    holdout: LabelledSet | None


def auto_shadows(
    train_data: LabelledSet,
    source: LoadedModel,
    count: int,
    *,
    seed: int,
    jobs: int = 1,
    recipe: TrainRecipe | None = None,
    holdout: LabelledSet | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Shadows:
    """As many copies, half of them extracted, as strangers, for `--shadow N`.

    Each copy is made with a random half of the training data; every second stranger learns from a bootstrap of it, as
    independent models on request do. Extracted copies that agree with the source on less than 70 % of the holdout are
    left out.

    Args:
        recipe: of the strangers; the default recipe of the data when none is given.
        holdout: images that no model learns from.
        jobs: processes; the models do not depend on it.
        progress: told how many of how many are made.

    Raises:
        UsageError: fewer than two of each side, or a source whose architecture is not known.
    """
    if count < LEAST:
        raise UsageError(f"--shadow {count}: a scheme learns from {LEAST} copies and {LEAST} strangers or more")
    if source.spec is None or not isinstance(source.module, Normalized):
        raise UsageError(
            f"--shadow {count} copies the source's architecture, which this file does not name: give --arch, or a "
            "folder of shadow models"
        )
    copies = [
        _Task(theft=THEFTS[index % len(THEFTS)], seed=derived_seed("shadow copy", seed, index))
        for index in range(count)
    ]
    strangers = [
        _Task(theft=None, seed=derived_seed("shadow stranger", seed, index), bootstrap=index % 2 == 1)
        for index in range(count)
    ]
    tasks = [*copies, *strangers]
    course = _Course(
        data=train_data,
        spec=source.spec,
        source=save({name: tensor.contiguous() for name, tensor in source.module.body.state_dict().items()}),
        identity=source.identity,
        recipe=recipe or default_recipe(train_data),
        holdout=holdout,
    )
    made: dict[int, LoadedModel] = {}

    def done(index: int, result: tuple[bytes, ModelCard]) -> None:
        weights, card = result
        model = _built(card.spec, weights)
        made[index] = LoadedModel(module=model, identity=weights_identity(model), spec=card.spec, card=card, path=None)
        if progress is not None:
            progress(len(made), len(tasks))

    with TaskPool(_make, course, jobs=min(jobs, len(tasks))) as pool:
        pool.run(tasks, done)
    return Shadows(
        surrogates=tuple(made[index] for index in range(count) if _agrees(made[index])),
        references=tuple(made[index] for index in range(count, 2 * count)),
    )


def _make(course: _Course, task: _Task) -> tuple[bytes, ModelCard]:
    if task.theft is None:
        sample = bootstrap(course.data, seed=task.seed) if task.bootstrap else course.data
        trained = train_model(sample, course.spec, course.recipe, seed=task.seed, holdout=course.holdout)
        model, card = trained.model, trained.card
    else:
        stolen = steal(
            task.theft,
            _built(course.spec, course.source),
            course.spec,
            course.data,
            seed=task.seed,
            holdout=course.holdout,
            identity=course.identity,
        )
        model, card = stolen.model, stolen.card
    return save({name: tensor.contiguous() for name, tensor in model.body.state_dict().items()}), card


def steal(
    theft: tuple[str, Mapping[str, str]],
    source: Normalized,
    spec: ModelSpec,
    data: LabelledSet,
    *,
    seed: int,
    holdout: LabelledSet | None,
    identity: str,
) -> AttackedModel:
    """A copy made with a random half of the data; `theft`: an attack's name and settings."""
    order = np.random.default_rng(seed).permutation(len(data))
    part = data.take(np.sort(order[: max(1, len(order) // 2)]), name=f"{data.name} (half {seed})")
    kind, settings = theft
    return run_attack(kind, settings, source, spec, part, seed=seed, holdout=holdout, source_identity=identity)


def _built(spec: ModelSpec, weights: bytes) -> Normalized:
    model = build(spec)
    model.body.load_state_dict(load(weights))
    return model.eval()


def _agrees(model: LoadedModel) -> bool:
    assert model.card is not None
    agreement = model.card.recipe.get("agreement")
    return model.card.recipe.get("family") != "extraction" or agreement is None or agreement >= LEAST_AGREEMENT
