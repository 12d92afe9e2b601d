"""Shadow models: surrogates made from the source and reference models independent of it, for a scheme to learn from.

Surrogates are made by attacks, references are trained from scratch; both learn from images of the source's training
data, which is all that an owner needs to hold. A folder of them tells its sides apart by the models' cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelprint.core.errors import ModelError, UsageError
from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.loading import LoadedModel, load_folder, weights_identity
from modelprint.nn.options import ModelOptions
from modelprint.training.loop import TrainRecipe
from modelprint.training.train import default_recipe
from modelprint.zoo.reference_models.course import AttackPlan, Course, Done, Parent, Task, run_course

LEAST = 2  # of each side
LEAST_AGREEMENT = 0.7  # of an extracted copy with the source (released code of the UAP fingerprints)
COPYING: tuple[AttackPlan, ...] = (  # every second one extracts
    AttackPlan(name="extract-labels"),
    AttackPlan(name="rtal"),
    AttackPlan(name="extract-soft"),
    AttackPlan(name="prune", settings={"rate": "0.5", "finetune_epochs": "5"}),
    AttackPlan(name="extract-adversarial", settings={"steps": "3"}),
    AttackPlan(name="ftal"),
)


@dataclass(frozen=True, kw_only=True)
class Shadows:
    """Models to learn from.

    Attributes:
        surrogates: made from the source.
        references: independent of it.
        reference_copies: made from references, as surrogates are made from the source.
    """

    surrogates: tuple[LoadedModel, ...]
    references: tuple[LoadedModel, ...]
    reference_copies: tuple[LoadedModel, ...] = ()


def shadow_folder(
    path: str | Path,
    source: LoadedModel,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    *,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
) -> Shadows:
    """The models of a folder: surrogates are those whose card names this source, references the others.

    Raises:
        ModelError: no such folder, a model that does not load, or one whose card does not tell how it was made.
    """
    names = {source.identity, weights_identity(source.module)}
    surrogates: list[LoadedModel] = []
    references: list[LoadedModel] = []
    for model in load_folder(path, options, shape=shape, classes=classes):
        recipe = model.card.recipe if model.card is not None else {}
        if "kind" not in recipe:
            raise ModelError(
                f"{model.path} does not tell how it was made, so nobody knows whether it is a surrogate or a reference "
                "model: shadow models are made by `modelprint attack` and `modelprint train`"
            )
        if names & {model.identity, weights_identity(model.module)}:
            raise ModelError(f"{model.path} is the source itself: surrogates are made from it by an attack")
        (surrogates if recipe.get("source") in names else references).append(model)
    return Shadows(surrogates=tuple(surrogates), references=tuple(references))


def auto_shadows(
    train_data: LabelledSet,
    source: LoadedModel,
    count: int,
    *,
    seed: int,
    jobs: int = 1,
    recipe: TrainRecipe | None = None,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> Shadows:
    """As many surrogates, half of them extracted, as references, for `--shadow N`.

    Each surrogate is made with a random half of the training data; every second reference learns from a bootstrap of
    it, as independent models on request do. Extracted surrogates that agree with the source on less than 70 % of the
    holdout are left out.

    Args:
        recipe: of the references; the default recipe of the data when none is given.
        holdout: images that no model learns from.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.

    Raises:
        UsageError: fewer than two of each side, or a source whose architecture is not known.
    """
    if count < LEAST:
        raise UsageError(
            f"--shadow {count}: a scheme learns from {LEAST} surrogates and {LEAST} reference models or more"
        )
    if source.spec is None or not isinstance(source.module, Normalized):
        raise UsageError(
            f"--shadow {count} copies the source's architecture, which this file does not name: give --arch, or a "
            "folder of shadow models"
        )
    surrogates = [
        Task(attack=COPYING[index % len(COPYING)], seed=derived_seed("shadow copy", seed, index))
        for index in range(count)
    ]
    references = [
        Task(seed=derived_seed("shadow stranger", seed, index), bootstrap=index % 2 == 1) for index in range(count)
    ]
    course = Course(
        data=train_data,
        spec=source.spec,
        recipe=recipe or default_recipe(train_data),
        source=Parent.of(source.module, source.identity),
        holdout=holdout,
    )
    models = run_course(course, [*surrogates, *references], jobs=jobs, progress=progress)
    return Shadows(
        surrogates=tuple(model for model in models[:count] if _agrees(model)), references=tuple(models[count:])
    )


def _agrees(model: LoadedModel) -> bool:
    assert model.card is not None
    agreement = model.card.recipe.get("agreement")
    return model.card.recipe.get("family") != "extraction" or agreement is None or agreement >= LEAST_AGREEMENT
