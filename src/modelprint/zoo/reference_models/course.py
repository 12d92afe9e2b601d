"""The one course that all of an owner's models are made in: each task trains one model, or attacks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from safetensors.torch import load, save

from modelprint.attacks.make import run_attack
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import LoadedModel, weights_identity
from modelprint.nn.spec import ModelSpec, build
from modelprint.training.loop import TrainRecipe
from modelprint.training.train import train_model
from modelprint.zoo.pool import TaskPool

Done = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class AttackPlan:
    """An attack by name, with its settings as text."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A model that others are made from, in a form that can be sent to processes.

    Attributes:
        state: its network's tensors, as a safetensors file.
        identity: SHA-256 that the cards of what is made from it name.
    """

    state: bytes
    identity: str

    @classmethod
    def of(cls, model: Normalized, identity: str) -> Parent:
        """A model as a parent."""
        return cls(state=state_bytes(model), identity=identity)

    def opened(self, spec: ModelSpec) -> Normalized:
        """The model, in evaluation mode."""
        return network(spec, self.state)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model to make.

    Attributes:
        seed: of its training, and of the part of the data that it learns from.
        attack: made by this attack on half of the data; none: trained from scratch.
        parent: what is attacked; none: the course's source.
        bootstrap: trained on a bootstrap of the data.
        note: written into the card's recipe.
    """

    seed: int
    attack: AttackPlan | None = None
    parent: Parent | None = None
    bootstrap: bool = False
    note: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What all tasks share.

    Attributes:
        spec: of the source: its architecture is that of what is trained from scratch, and of parents.
        recipe: of what is trained from scratch.
        source: what attacks without a parent of their own attack.
        holdout: images that no model learns from; accuracy is measured on them.
    """

    data: LabelledSet
    spec: ModelSpec
    recipe: TrainRecipe
    source: Parent | None = None
    holdout: LabelledSet | None = None


def run_course(course: Course, tasks: Sequence[Task], *, jobs: int, progress: Done | None = None) -> list[LoadedModel]:
    """The models of all tasks, in their order.

    Args:
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.
    """
    models: dict[int, LoadedModel] = {}

    def keep(index: int, result: tuple[bytes, ModelCard]) -> None:
        weights, card = result
        module = network(card.spec, weights)
        models[index] = LoadedModel(
            module=module, identity=weights_identity(module), spec=card.spec, card=card, path=None
        )
        if progress is not None:
            progress(len(models), len(tasks))

    with TaskPool(_made, course, jobs=min(jobs, len(tasks))) as pool:
        pool.run(tasks, keep)
    return [models[index] for index in range(len(tasks))]


def bootstrap(data: LabelledSet, *, seed: int) -> LabelledSet:
    """As many images as there are, drawn with replacement."""
    index = np.random.default_rng(seed).integers(len(data), size=len(data))
    return data.take(index, name=f"{data.name} (bootstrap {seed})")


def half(data: LabelledSet, *, seed: int) -> LabelledSet:
    """A random half of the images, in their order."""
    order = np.random.default_rng(seed).permutation(len(data))
    return data.take(np.sort(order[: max(1, len(order) // 2)]), name=f"{data.name} (half {seed})")


def state_bytes(model: Normalized) -> bytes:
    """The tensors of a network without its normalisation, as a safetensors file."""
    state: dict[str, torch.Tensor] = {name: tensor.contiguous() for name, tensor in model.body.state_dict().items()}
    return save(state)


def network(spec: ModelSpec, state: bytes) -> Normalized:
    """A network with these tensors, in evaluation mode."""
    model = build(spec)
    model.body.load_state_dict(load(state))
    return model.eval()


def _made(course: Course, task: Task) -> tuple[bytes, ModelCard]:
    model, card = _trained(course, task) if task.attack is None else _attacked(course, task, task.attack)
    if task.note:
        card = card.model_copy(update={"recipe": {**card.recipe, **task.note}})
    return state_bytes(model), card


def _trained(course: Course, task: Task) -> tuple[Normalized, ModelCard]:
    data = bootstrap(course.data, seed=task.seed) if task.bootstrap else course.data
    trained = train_model(data, course.spec, course.recipe, seed=task.seed, holdout=course.holdout)
    return trained.model, trained.card


def _attacked(course: Course, task: Task, attack: AttackPlan) -> tuple[Normalized, ModelCard]:
    parent = task.parent or course.source
    assert parent is not None
    attacked = run_attack(
        attack.name,
        attack.settings,
        parent.opened(course.spec),
        course.spec,
        half(course.data, seed=task.seed),
        seed=task.seed,
        holdout=course.holdout,
        source_identity=parent.identity,
    )
    return attacked.model, attacked.card
