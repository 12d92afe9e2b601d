"""Many small trainings at once: one process each, one thread each."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any, Generic, Self, TypeVar

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


class TaskPool(Generic[Task, Result]):
    """Calls `function(shared, task)` for many tasks, on as many processes as there are jobs (1: in this one).

    Processes start with the first batch that needs them and serve later batches, too; close the pool by leaving its
    `with` block.

    Args:
        function: a module-level function; it and its results are pickled when jobs > 1.
        shared: sent to each process once.
    """

    def __init__(self, function: Callable[[Any, Task], Result], shared: object, *, jobs: int) -> None:
        self.function = function
        self.shared = shared
        self.jobs = jobs
        self._processes: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._processes is not None:
            self._processes.shutdown(wait=False, cancel_futures=True)

    def run(self, tasks: Sequence[Task], done: Callable[[int, Result], None]) -> None:
        """Do all tasks; `done` is told the index and the result of each, as they end, in this process.

        Raises:
            ModelprintError: a process died (killed, or out of memory).
        """
        if self.jobs <= 1 or (len(tasks) <= 1 and self._processes is None):
            with one_thread():
                for index, task in enumerate(tasks):
                    done(index, self.function(self.shared, task))
            return
        processes = self._started()
        waiting: dict[Future[Result], int] = {processes.submit(_call, task): index for index, task in enumerate(tasks)}
        try:
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    done(waiting.pop(future), future.result())
        except BrokenProcessPool as error:
            raise ModelprintError(
                "a worker process died (killed, or out of memory): what was finished is kept; use fewer --jobs"
            ) from error

    def _started(self) -> ProcessPoolExecutor:
        if self._processes is None:
            self._processes = ProcessPoolExecutor(
                max_workers=self.jobs,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_prepare,
                initargs=(self.function, self.shared),
            )
        return self._processes


_work: tuple[Callable[[Any, Any], Any], object] | None = None


def _prepare(function: Callable[[Any, Any], Any], shared: object) -> None:
    global _work  # noqa: PLW0603 - each worker process is told its work once
    torch.set_num_threads(1)
    sys.stdout = sys.stderr  # what somebody's code prints is no result
    _work = function, shared
    end_with_parent()


def end_with_parent() -> None:
    """From now on this process ends when the one that started it was killed, which leaves that no time to say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _call(task: Any) -> Any:
    assert _work is not None
    function, shared = _work
    return function(shared, task)
