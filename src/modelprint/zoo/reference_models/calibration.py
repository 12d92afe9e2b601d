"""Calibration models on request: independent models of the source's architecture, siblings, and copies of these.

SAST, SADT, DAST and DADT = same or different architecture x same or different training data (ADV-TRA, section 5);
siblings (SHARED) start from the public checkpoint that the source started from. Copies of independent models
(third-party copies) answer like copies of the source in all that theft has in common (another model's answers for
labels, less data). A scheme that learned what copies look like accuses them first.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.refs import ModelRef, StoredModel
from modelprint.nn.spec import ModelSpec
from modelprint.zoo.reference_models.course import AttackPlan, Course, Done, Parent, Task, run_course
from modelprint.zoo.reference_models.network import state_bytes
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained

COPYING: tuple[AttackPlan, ...] = (  # mostly extraction, which looks most like theft of any model
    AttackPlan(name="extract-labels"),
    AttackPlan(name="extract-soft"),
    AttackPlan(name="extract-adversarial", settings={"steps": "3"}),
    AttackPlan(name="rtal"),
)


def independent_tasks(count: int, *, seed: int, siblings: bool = False) -> list[Task]:
    """The trainings of independent models.

    Every second one learns from all the training data (SAST: the kind that is accused first), the others from a
    bootstrap of it: as many images drawn with replacement, 63 % of them distinct, which is how differently another
    collector's sample of the same world would fall. Halves would differ more but make weaker models, and a weak
    model agrees less with the source for a reason that has nothing to do with copying.

    Args:
        siblings: whether they start from the checkpoint of the course.
    """
    name, kind = ("sibling", "SHARED") if siblings else ("independent", "SAST")
    return [
        Task(
            seed=derived_seed(name, seed, index),
            bootstrap=index % 2 == 1,
            from_init=siblings,
            note={"independent": kind, "bootstrap": index % 2 == 1},
        )
        for index in range(count)
    ]


def copying_tasks(parents: Sequence[ModelRef], *, seed: int) -> list[Task]:
    """One copy of each model, by each attack in turn."""
    tasks: list[Task] = []
    for index, model in enumerate(parents):
        with model.opened() as module:
            assert isinstance(module, Normalized)
            parent = Parent(identity=model.identity, state=state_bytes(module))
        tasks.append(
            Task(
                seed=derived_seed("copy of an independent", seed, index),
                attack=COPYING[index % len(COPYING)],
                parent=parent,
            )
        )
    return tasks


def independent_models(
    train_data: LabelledSet,
    spec: ModelSpec,
    count: int,
    *,
    seed: int,
    siblings: bool = False,
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    shelf: Shelf | None = None,
    jobs: int = 1,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> list[StoredModel]:
    """Independent models of an owner's own architecture, for `--negatives auto:N`.

    Args:
        spec: the source's.
        siblings: whether they start from the checkpoint of `how`, and not from scratch.
        how: recipe and checkpoint.
        shelf: where they are put; one of their own when none is given.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are trained.
    """
    course = course_of(train_data, spec, how, holdout=holdout)
    tasks = independent_tasks(count, seed=seed, siblings=siblings)
    return run_course(course, tasks, shelf=shelf or Shelf(), jobs=jobs, progress=progress)


def third_party_copies(
    train_data: LabelledSet,
    spec: ModelSpec,
    parents: Sequence[ModelRef],
    *,
    seed: int,
    how: HowTrained = HowTrained(),  # noqa: B008 - frozen
    shelf: Shelf | None = None,
    jobs: int = 1,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> list[StoredModel]:
    """One copy of each independent model, by each attack in turn, for `--negatives auto:N+M`.

    Args:
        spec: of the parents.
        how: as of `independent_models`; so `shelf`.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.
    """
    course = course_of(train_data, spec, how, holdout=holdout)
    tasks = copying_tasks(parents, seed=seed)
    return run_course(course, tasks, shelf=shelf or Shelf(), jobs=jobs, progress=progress)


def course_of(
    train_data: LabelledSet,
    spec: ModelSpec,
    how: HowTrained,
    *,
    holdout: LabelledSet | None = None,
    source: Parent | None = None,
) -> Course:
    """The course in which an owner's models are made."""
    return Course(
        data=train_data,
        spec=spec,
        recipe=how.from_scratch(train_data),
        init_recipe=None if how.init is None else how.from_init(train_data),
        attack_recipe=how.recipe,
        attack_settings={} if how.recipe is None else how.settings,
        device=how.device,
        init=None if how.init is None else Path(how.init),
        source=source,
        holdout=holdout,
    )
