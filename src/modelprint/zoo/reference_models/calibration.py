"""Calibration models on request: independent models of the source's architecture, and copies of these.

SAST, SADT, DAST and DADT = same or different architecture x same or different training data (ADV-TRA, section 5).
Copies of independent models (third-party copies) answer like copies of the source in all that theft has in common
(another model's answers for labels, less data). A scheme that learned what copies look like accuses them first.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.loading import LoadedModel
from modelprint.nn.spec import ModelSpec
from modelprint.training.loop import TrainRecipe
from modelprint.training.train import default_recipe
from modelprint.zoo.reference_models.course import AttackPlan, Course, Done, Parent, Task, run_course

COPYING: tuple[AttackPlan, ...] = (  # mostly extraction, which looks most like theft of any model
    AttackPlan(name="extract-labels"),
    AttackPlan(name="extract-soft"),
    AttackPlan(name="extract-adversarial", settings={"steps": "3"}),
    AttackPlan(name="rtal"),
)


def independent_models(
    train_data: LabelledSet,
    spec: ModelSpec,
    count: int,
    *,
    seed: int,
    jobs: int = 1,
    recipe: TrainRecipe | None = None,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> list[LoadedModel]:
    """Independent models of an owner's own architecture, for `--negatives auto:N`.

    Every second one learns from all the training data (SAST: the kind that is accused first), the others from a
    bootstrap of it: as many images drawn with replacement, 63 % of them distinct, which is how differently another
    collector's sample of the same world would fall. Halves would differ more but make weaker models, and a weak
    model agrees less with the source for a reason that has nothing to do with copying.

    Args:
        spec: the source's.
        recipe: the source's; the default recipe of the data when none is given.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are trained.
    """
    tasks = [
        Task(
            seed=derived_seed("independent", seed, index),
            bootstrap=index % 2 == 1,
            note={"independent": "SAST", "bootstrap": index % 2 == 1},
        )
        for index in range(count)
    ]
    course = Course(data=train_data, spec=spec, recipe=recipe or default_recipe(train_data), holdout=holdout)
    return run_course(course, tasks, jobs=jobs, progress=progress)


def third_party_copies(
    train_data: LabelledSet,
    spec: ModelSpec,
    parents: Sequence[LoadedModel],
    *,
    seed: int,
    jobs: int = 1,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> list[LoadedModel]:
    """One copy of each independent model, by each attack in turn, for `--negatives auto:N+M`.

    Args:
        spec: of the parents.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.
    """
    tasks = []
    for index, parent in enumerate(parents):
        assert isinstance(parent.module, Normalized)
        tasks.append(
            Task(
                seed=derived_seed("copy of an independent", seed, index),
                attack=COPYING[index % len(COPYING)],
                parent=Parent.of(parent.module, parent.identity),
            )
        )
    course = Course(data=train_data, spec=spec, recipe=default_recipe(train_data), holdout=holdout)
    return run_course(course, tasks, jobs=jobs, progress=progress)
