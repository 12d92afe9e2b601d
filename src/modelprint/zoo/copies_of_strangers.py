"""Innocents who stole from somebody else: copies of independent models, for `--negatives auto:N+M`.

They answer like copies in all that thefts have in common (another model's answers for labels, less data), and are the
first whom a scheme that learned what copies look like accuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from safetensors.torch import load, save

from modelprint.core.identity import derived_seed
from modelprint.data.labelled import LabelledSet
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.train import TrainedModel
from modelprint.zoo.pool import TaskPool
from modelprint.zoo.shadows import steal

THEFTS: tuple[tuple[str, Mapping[str, str]], ...] = (  # mostly extraction, which looks most like theft of any model
    ("extract-labels", {}),
    ("extract-soft", {}),
    ("extract-adversarial", {"steps": "3"}),
    ("rtal", {}),
)


@dataclass(frozen=True, kw_only=True)
class _Robbery:
    """Whom, its identity, how, and with which half of the data."""

    victim: bytes
    identity: str
    theft: tuple[str, Mapping[str, str]]
    seed: int


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What all thefts share."""

    data: LabelledSet
    spec: ModelSpec
    holdout: LabelledSet | None


def auto_copies(
    train_data: LabelledSet,
    spec: ModelSpec,
    victims: Sequence[TrainedModel],
    *,
    seed: int,
    jobs: int = 1,
    holdout: LabelledSet | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[LoadedModel]:
    """One copy of each independent model, the kinds of theft in turn.

    Args:
        spec: of the victims.
        jobs: processes; the models do not depend on it.
        progress: told how many of how many are made.
    """
    if not victims:
        return []
    robberies = [
        _Robbery(
            victim=save({name: tensor.contiguous() for name, tensor in victim.model.body.state_dict().items()}),
            identity=weights_identity(victim.model),
            theft=THEFTS[index % len(THEFTS)],
            seed=derived_seed("copy of an independent", seed, index),
        )
        for index, victim in enumerate(victims)
    ]
    made: dict[int, LoadedModel] = {}

    def done(index: int, result: tuple[bytes, ModelCard]) -> None:
        weights, card = result
        model = build(card.spec)
        model.body.load_state_dict(load(weights))
        made[index] = LoadedModel(
            module=model.eval(), identity=weights_identity(model), spec=card.spec, card=card, path=None
        )
        if progress is not None:
            progress(len(made), len(robberies))

    course = _Course(data=train_data, spec=spec, holdout=holdout)
    with TaskPool(_rob, course, jobs=min(jobs, len(robberies))) as pool:
        pool.run(robberies, done)
    return [made[index] for index in range(len(robberies))]


def _rob(course: _Course, task: _Robbery) -> tuple[bytes, ModelCard]:
    victim = build(course.spec)
    victim.body.load_state_dict(load(task.victim))
    stolen = steal(
        task.theft,
        victim.eval(),
        course.spec,
        course.data,
        seed=task.seed,
        holdout=course.holdout,
        identity=task.identity,
    )
    return save({name: tensor.contiguous() for name, tensor in stolen.model.body.state_dict().items()}), stolen.card
