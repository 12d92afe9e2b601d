"""Independent models: honest strangers, trained from scratch.

SAST, SADT, DAST and DADT = same or different architecture x same or different training data (ADV-TRA, section 5). An
owner without any gets them from `auto_negatives`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from safetensors.torch import load, save

from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.files import ModelCard
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe, TrainReport
from modelprint.training.train import TrainedModel, default_recipe, train_model
from modelprint.zoo.pool import TaskPool

Done = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class _Stranger:
    """One training: its seed, and whether on a bootstrap of the data."""

    seed: int
    bootstrap: bool


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What all trainings share."""

    data: LabelledSet
    spec: ModelSpec
    recipe: TrainRecipe
    holdout: LabelledSet | None


def auto_negatives(
    train_data: LabelledSet,
    spec: ModelSpec,
    count: int,
    *,
    seed: int,
    jobs: int = 1,
    recipe: TrainRecipe | None = None,
    holdout: LabelledSet | None = None,
    progress: Done | None = None,
) -> list[TrainedModel]:
    """Independent models of an owner's own architecture, for `--negatives auto:N`.

    Every second one learns from all the training data (SAST: the innocent that is accused first), the others from a
    bootstrap of it: as many images drawn with replacement, 63 % of them distinct, which is how differently another
    collector's sample of the same world would fall. Halves would differ more but make weaker models, and a weak
    stranger agrees less with the source for a reason that has nothing to do with copying.

    Args:
        spec: the source's.
        recipe: the source's; the default recipe of the data when none is given.
        jobs: processes; the models do not depend on it.
        progress: told how many of how many are trained.
    """
    schedule = recipe or default_recipe(train_data)
    strangers = [
        _Stranger(seed=derived_seed("independent", seed, index), bootstrap=index % 2 == 1) for index in range(count)
    ]
    made: dict[int, TrainedModel] = {}

    def done(index: int, result: tuple[bytes, ModelCard, TrainReport]) -> None:
        weights, card, report = result
        model = build(spec)
        model.body.load_state_dict(load(weights))
        made[index] = TrainedModel(model=model.eval(), card=card, report=report)
        if progress is not None:
            progress(len(made), count)

    course = _Course(data=train_data, spec=spec, recipe=schedule, holdout=holdout)
    with TaskPool(_train, course, jobs=min(jobs, count)) as pool:
        pool.run(strangers, done)
    return [made[index] for index in range(count)]


def bootstrap(data: LabelledSet, *, seed: int) -> LabelledSet:
    """As many images as there are, drawn with replacement."""
    index = np.random.default_rng(seed).integers(len(data), size=len(data))
    return data.take(index, name=f"{data.name} (bootstrap {seed})")


def _train(course: _Course, stranger: _Stranger) -> tuple[bytes, ModelCard, TrainReport]:
    sample = bootstrap(course.data, seed=stranger.seed) if stranger.bootstrap else course.data
    trained = train_model(sample, course.spec, course.recipe, seed=stranger.seed, holdout=course.holdout)
    note = {"independent": "SAST", "bootstrap": stranger.bootstrap}
    card = trained.card.model_copy(update={"recipe": {**trained.card.recipe, **note}})
    state = {name: tensor.contiguous() for name, tensor in trained.model.body.state_dict().items()}
    return save(state), card, trained.report
