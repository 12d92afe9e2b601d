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
from modelprint.modalities.base import InputSpec, modality_of
from modelprint.nn.architectures import Normalized
from modelprint.nn.folders import folder_models
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.models_file import SOURCE, ModelEntry
from modelprint.nn.options import ModelOptions
from modelprint.nn.places import MODELS_FILE
from modelprint.nn.refs import ModelRef, stored_model
from modelprint.zoo.reference_models.calibration import course_of
from modelprint.zoo.reference_models.course import AttackPlan, Course, Done, Parent, Task, run_course
from modelprint.zoo.reference_models.network import state_bytes
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained

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
    """Models to learn from; each is opened when it is needed.

    Attributes:
        surrogates: made from the source.
        references: independent of it.
        reference_copies: made from references, as surrogates are made from the source.
        siblings: those of the references that were tuned from the checkpoint that the source started from; None: all
            of them, where a checkpoint is named.
    """

    surrogates: tuple[ModelRef, ...]
    references: tuple[ModelRef, ...]
    reference_copies: tuple[ModelRef, ...] = ()
    siblings: tuple[ModelRef, ...] | None = None


def shadow_folder(
    path: str | Path,
    source: LoadedModel,
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    *,
    shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    inputs: InputSpec | None = None,
) -> Shadows:
    """The models of a folder: surrogates are those made from this source, references the others.

    A model's card says what it was made from, or `made_from` and `kind` of the folder's `models.toml`.

    Args:
        options: what holds for every file that does not say it itself.
        shape, classes, inputs: of the data, as of `open_model`.

    Raises:
        ModelError: no such folder, a model that does not load, or one of which nothing says how it was made.
    """
    names = {source.identity, weights_identity(source.module)}
    surrogates: list[ModelRef] = []
    references: list[ModelRef] = []
    for one in folder_models(path, options):
        if one.path is None or not one.is_torch:
            raise ModelError(
                f"{one.reference}: shadow models are asked for gradients and for thousands of images: name model files "
                "of torch, and take this one as a calibration model (--negatives)"
            )
        ref, model = stored_model(
            one.path, one.options, shape=shape, classes=classes, inputs=inputs, files_first=one.files_first
        )
        spec = model.spec
        if inputs is not None and spec is not None and spec.input is not None and spec.modality != modality_of(inputs):
            raise ModelError(f"{one.path} has other columns or ranges than the source: shadow models share its table")
        parent = _parent(model, one.entry)
        if parent is None:
            raise ModelError(
                f"{one.path} does not tell how it was made, so nobody knows whether it is a surrogate or a reference "
                "model: shadow models are made by `modelprint attack` and `modelprint train`, or say made_from or "
                f"kind in {MODELS_FILE}"
            )
        if names & {model.identity, weights_identity(model.module)}:
            raise ModelError(f"{one.path} is the source itself: surrogates are made from it by an attack")
        (surrogates if parent in {*names, SOURCE} else references).append(ref)
    return Shadows(surrogates=tuple(surrogates), references=tuple(references))


def _parent(model: LoadedModel, entry: ModelEntry) -> str | None:
    """What a model was made from, "" for nothing; None where nothing says it."""
    if entry.made_from is not None or entry.kind is not None:
        return entry.made_from or ""
    recipe = {} if model.card is None else model.card.recipe
    return str(recipe.get("source", "")) if "kind" in recipe else None


def auto_shadows(
    train_data: LabelledSet,
    source: LoadedModel,
    count: int,
    *,
    seed: int,
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    shelf: Shelf | None = None,
    jobs: int = 1,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> Shadows:
    """As many surrogates, half of them extracted, as references, for `--shadow N`.

    Each surrogate is made with a random half of the training data; every second reference learns from a bootstrap of
    it, as independent models on request do. Where `how` names a checkpoint, the other references start from it:
    siblings of the source, which a scheme has to tell from copies. Extracted surrogates that agree with the source on
    less than 70 % of the holdout are left out.

    Args:
        how: recipe and checkpoint.
        shelf: where the models are put; one of their own when none is given.
        holdout: images that no model learns from.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.

    Raises:
        UsageError: fewer than two of each side, or a source whose architecture is not known.
    """
    course, tasks = shadow_course(train_data, source, count, seed=seed, how=how, holdout=holdout)
    models = run_course(course, tasks, shelf=shelf or Shelf(), jobs=jobs, progress=progress)
    return Shadows(
        surrogates=tuple(model for model in models[:count] if _agrees(model)), references=tuple(models[count:])
    )


def shadow_course(
    train_data: LabelledSet,
    source: LoadedModel,
    count: int,
    *,
    seed: int,
    how: HowTrained,
    holdout: LabelledSet | None,
) -> tuple[Course, list[Task]]:
    """What `auto_shadows` does: the course and its tasks, surrogates first.

    Raises:
        UsageError: as of `auto_shadows`.
    """
    if count < LEAST:
        raise UsageError(
            f"--shadow {count}: a scheme learns from {LEAST} surrogates and {LEAST} reference models or more"
        )
    if source.spec is None or not isinstance(source.module, Normalized):
        raise UsageError(
            f"--shadow {count} copies the source's architecture, which is not known: give --arch, or a folder of "
            "shadow models"
        )
    surrogates = [
        Task(attack=COPYING[index % len(COPYING)], seed=derived_seed("shadow copy", seed, index))
        for index in range(count)
    ]
    references = [
        Task(
            seed=derived_seed("shadow stranger", seed, index),
            bootstrap=index % 2 == 1,
            from_init=how.init is not None and index % 2 == 0,
        )
        for index in range(count)
    ]
    parent = Parent(identity=source.identity, state=state_bytes(source.module))
    return course_of(train_data, source.spec, how, holdout=holdout, source=parent), [*surrogates, *references]


def _agrees(model: ModelRef) -> bool:
    assert model.card is not None
    agreement = model.card.recipe.get("agreement")
    return model.card.recipe.get("family") != "extraction" or agreement is None or agreement >= LEAST_AGREEMENT
