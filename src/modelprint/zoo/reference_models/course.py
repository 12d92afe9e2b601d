"""The one course that all of an owner's models are made in: each task trains one model, or attacks one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from modelprint.attacks.make import run_attack
from modelprint.core.identity import digest_file
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import Normalized
from modelprint.nn.files import ModelCard
from modelprint.nn.loading import open_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.refs import StoredModel
from modelprint.nn.spec import ModelSpec
from modelprint.training.init import identity_of
from modelprint.training.recipes import Recipe
from modelprint.training.train import train_model
from modelprint.zoo.pool import TaskPool
from modelprint.zoo.reference_models.network import network, state_bytes
from modelprint.zoo.reference_models.shelf import Shelf

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
        identity: SHA-256 that the cards of what is made from it name.
        state: its network's tensors, as a safetensors file; or
        file: where it lies.
    """

    identity: str
    state: bytes | None = None
    file: Path | None = None

    def opened(self, spec: ModelSpec) -> Normalized:
        """The model, in evaluation mode."""
        if self.state is not None:
            return network(spec, self.state)
        assert self.file is not None
        module = open_model(self.file, ModelOptions(trust_code=True)).module
        assert isinstance(module, Normalized)
        return module


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model to make.

    Attributes:
        seed: of its training, and of the part of the data that it learns from.
        attack: made by this attack on half of the data; none: trained.
        parent: what is attacked; none: the course's source.
        bootstrap: trained on a bootstrap of the data.
        from_init: trained from the course's checkpoint, not from scratch.
        note: written into the card's recipe.
    """

    seed: int
    attack: AttackPlan | None = None
    parent: Parent | None = None
    bootstrap: bool = False
    from_init: bool = False
    note: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Course:
    """What all tasks share.

    Attributes:
        spec: of the source: its architecture is that of what is trained, and of parents.
        recipe: of what is trained from scratch; `init_recipe`: of what starts from `init`.
        attack_recipe: how attacks train, by name; none: as published. `attack_settings`: its fields, as text.
        init: the checkpoint.
        source: what attacks without a parent of their own attack.
        holdout: images that no model learns from; accuracy is measured on them.
        device: where models are trained.
    """

    data: LabelledSet
    spec: ModelSpec
    recipe: Recipe
    device: str = "cpu"
    init_recipe: Recipe | None = None
    attack_recipe: str | None = None
    attack_settings: Mapping[str, str] = field(default_factory=dict)
    init: Path | None = None
    source: Parent | None = None
    holdout: LabelledSet | None = None


def run_course(
    course: Course, tasks: Sequence[Task], *, shelf: Shelf, jobs: int, progress: Done | None = None
) -> list[StoredModel]:
    """The models of all tasks, in their order; those that lie on the shelf already are not made again.

    Args:
        shelf: where each model is put as it is finished.
        jobs: processes; the models do not depend on it.
        progress: called with how many of how many are made.
    """
    files = [shelf.file(recipe) for recipe in recipes(course, tasks)]
    missing = [place for place, file in enumerate(files) if not shelf.holds(file)]
    finished = len(tasks) - len(missing)
    if finished and progress is not None:
        progress(finished, len(tasks))

    def keep(index: int, result: tuple[bytes, ModelCard]) -> None:
        nonlocal finished
        shelf.put(files[missing[index]], *result)
        finished += 1
        if progress is not None:
            progress(finished, len(tasks))

    if missing:
        with TaskPool(_made, course, jobs=min(jobs, len(missing))) as pool:
            pool.run([tasks[place] for place in missing], keep)
    return [shelf.model(file) for file in files]


def recipes(course: Course, tasks: Sequence[Task]) -> list[object]:
    """Everything that decides the weights and the card of each task's model, as JSON."""
    shared = {
        "versions": [version("modelprint"), torch.__version__],
        "data": course.data.identity,
        "spec": course.spec.model_dump(mode="json"),
        "holdout": None if course.holdout is None else course.holdout.identity,
    }
    if course.device != "cpu":  # another kind of device rounds otherwise
        shared["device"] = course.device.partition(":")[0]
    init = None if course.init is None else identity_of(course.init)

    def recipe(task: Task) -> object:
        own: dict[str, object] = {"seed": task.seed, "note": dict(task.note)}
        if task.attack is not None:
            parent = task.parent or course.source
            assert parent is not None
            settings = {**course.attack_settings, **task.attack.settings}
            own |= {"attack": task.attack.name, "settings": settings, "parent": parent.identity}
            own["recipe"] = _named_recipe(course.attack_recipe)
        else:
            own |= {"bootstrap": task.bootstrap, "init": init if task.from_init else None}
            own["recipe"] = [_recipe(course, task).name, _recipe(course, task).card()]
        return {**shared, **own}

    return [recipe(task) for task in tasks]


def _recipe(course: Course, task: Task) -> Recipe:
    return course.init_recipe if task.from_init and course.init_recipe is not None else course.recipe


def _named_recipe(name: str | None) -> object:
    """A recipe's name, with the hash of the file that holds its code."""
    if name is None or ":" not in name:
        return name
    file = Path(name.rpartition(":")[0])
    return [name, digest_file(file) if file.is_file() else None]


def bootstrap(data: LabelledSet, *, seed: int) -> LabelledSet:
    """As many images as there are, drawn with replacement."""
    index = np.random.default_rng(seed).integers(len(data), size=len(data))
    return data.take(index, name=f"{data.name} (bootstrap {seed})")


def half(data: LabelledSet, *, seed: int) -> LabelledSet:
    """A random half of the images, in their order."""
    order = np.random.default_rng(seed).permutation(len(data))
    return data.take(np.sort(order[: max(1, len(order) // 2)]), name=f"{data.name} (half {seed})")


def _made(course: Course, task: Task) -> tuple[bytes, ModelCard]:
    model, card = _trained(course, task) if task.attack is None else _attacked(course, task, task.attack)
    if task.note:
        card = card.model_copy(update={"recipe": {**card.recipe, **task.note}})
    return state_bytes(model), card


def _trained(course: Course, task: Task) -> tuple[Normalized, ModelCard]:
    data = bootstrap(course.data, seed=task.seed) if task.bootstrap else course.data
    trained = train_model(
        data,
        course.spec,
        _recipe(course, task),
        seed=task.seed,
        init=course.init if task.from_init else None,
        holdout=course.holdout,
        device=torch.device(course.device),
    )
    return trained.model, trained.card


def _attacked(course: Course, task: Task, attack: AttackPlan) -> tuple[Normalized, ModelCard]:
    parent = task.parent or course.source
    assert parent is not None
    attacked = run_attack(
        attack.name,
        {**course.attack_settings, **attack.settings},
        parent.opened(course.spec).to(course.device),
        course.spec,
        half(course.data, seed=task.seed),
        seed=task.seed,
        recipe=course.attack_recipe,
        holdout=course.holdout,
        source_identity=parent.identity,
    )
    return attacked.model, attacked.card
