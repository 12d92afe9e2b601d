"""Many small trainings at once: one process each, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from modelprint.core.errors import ModelprintError

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, torch computes on one thread: the same numbers whatever the number of processes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run_tasks(
    function: Callable[..., Result],
    shared: tuple[Any, ...],
    tasks: Sequence[Task],
    *,
    jobs: int,
    done: Callable[[int, Result], None],
) -> None:
    """Call `function(*shared, task)` for every task, on as many processes as there are jobs (1: in this one).

    Args:
        function: a module-level function; it and its results are pickled when jobs > 1.
        shared: sent to each process once.
        done: told the index and the result of each task, as they end, in this process.

    Raises:
        ModelprintError: a process died (killed, or out of memory).
    """
    if jobs <= 1 or len(tasks) <= 1:
        with one_thread():
            for index, task in enumerate(tasks):
                done(index, function(*shared, task))
        return
    pool = ProcessPoolExecutor(
        max_workers=min(jobs, len(tasks)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(function, shared),
    )
    try:
        waiting: dict[Future[Result], int] = {pool.submit(_call, task): index for index, task in enumerate(tasks)}
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                done(waiting.pop(future), future.result())
    except BrokenProcessPool as error:
        raise ModelprintError(
            "a worker process died (killed, or out of memory): what was finished is kept; use fewer --jobs"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_work: tuple[Callable[..., Any], tuple[Any, ...]] | None = None


def _prepare(function: Callable[..., Any], shared: tuple[Any, ...]) -> None:
    global _work  # noqa: PLW0603 - each worker process is told its work once
    torch.set_num_threads(1)
    _work = function, shared
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this worker when the build itself was killed, which leaves it no time to say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(task: Any) -> Any:
    assert _work is not None
    function, shared = _work
    return function(*shared, task)
