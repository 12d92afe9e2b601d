"""How long making an owner's models will take, measured on a few batches before it starts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

import torch

from modelprint.attacks.base import ATTACKS
from modelprint.core.batches import images_at_once
from modelprint.core.durations import duration
from modelprint.nn.spec import build
from modelprint.training.recipes import BuiltIn, Recipe
from modelprint.zoo.reference_models.course import Course, Task, recipes
from modelprint.zoo.reference_models.shelf import Shelf

WORTH_SAYING = 60.0  # seconds
BATCHES = 3  # measured, after one that is not


def announce(
    what: str,
    course: Course,
    tasks: Sequence[Task],
    *,
    shelf: Shelf,
    jobs: int,
    notice: Callable[[str], None],
    cheaper: str,
    more: int = 0,
) -> None:
    """Say how many models are made and for how long, where it takes more than a minute, and what would be cheaper.

    Args:
        what: the option that asked for them.
        more: models besides the tasks, which take as long as an average one.
        cheaper: the other choice.
    """
    missing = [
        task for task, file in zip(tasks, map(shelf.file, recipes(course, tasks)), strict=True) if not file.is_file()
    ]
    if len(missing) < len(tasks):
        notice(f"{what}: {len(tasks) - len(missing)} models of an earlier run that was cut off lie in {shelf.place}")
    if not missing:
        return
    passes = [_passes(course, task) for task in missing]
    known = [count for count in passes if count is not None]
    if len(known) < len(passes):
        notice(
            f"{what}: {len(missing) + more} models, for as long as your own recipe takes (or {cheaper}); "
            f"what is finished is kept in {shelf.place} if you stop it"
        )
        return
    workers = max(1, min(jobs, len(missing), os.cpu_count() or 1))
    average = sum(known) / len(known)
    seconds = (sum(known) + more * average) * seconds_per_input(course) / workers
    if seconds > WORTH_SAYING:
        notice(
            f"{what}: {len(missing) + more} models, about {duration(seconds)} on {workers} "
            f"{'job' if workers == 1 else 'jobs'} (or {cheaper}); what is finished is kept in {shelf.place} if you "
            "stop it"
        )


def seconds_per_input(course: Course) -> float:
    """Of one forward and backward pass of the course's architecture, on one thread, measured here."""
    shape = course.data.shape
    size = min(len(course.data), 32, images_at_once(shape, most=32))
    inputs = course.data.modality.to_model(course.data.stored[:size]).to(course.device)
    targets = torch.from_numpy(course.data.labels[:size]).to(course.device)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            model = build(course.spec).to(course.device).train()
            started = 0.0
            for batch in range(BATCHES + 1):
                if batch == 1:
                    started = time.perf_counter()
                loss = torch.nn.functional.cross_entropy(model(inputs), targets)
                loss.backward()  # type: ignore[no-untyped-call]
                loss.item()  # waits until the device is done
            return (time.perf_counter() - started) / (BATCHES * size)
    finally:
        torch.set_num_threads(threads)


def _passes(course: Course, task: Task) -> float | None:
    """How many inputs a task learns from, each pass counted; None where the owner's own code decides."""
    recipe: Recipe = course.init_recipe if task.from_init and course.init_recipe is not None else course.recipe
    if not isinstance(recipe, BuiltIn):
        return None
    if task.attack is None:
        return float(len(course.data) * recipe.epochs)
    epochs = getattr(ATTACKS[task.attack.name], "epochs", recipe.epochs)
    return len(course.data) / 2 * (epochs if isinstance(epochs, int | float) else recipe.epochs)
