"""Where tasks run: in this process, in a pool of processes, or on a Ray cluster. The results are the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol, TypeVar

from modelprint.core.errors import UsageError
from modelprint.zoo.pool import TaskPool, one_thread

Task = TypeVar("Task")
Result = TypeVar("Result")
ExecutorName = Literal["process", "ray"]


class Executor(Protocol):
    """Calls `function(None, task)` for each task, in any order; `done` is told index and result, in this process."""

    def run(
        self,
        function: Callable[[None, Task], Result],
        tasks: Sequence[Task],
        done: Callable[[int, Result], None],
    ) -> None:
        """Do all tasks."""


class Processes:
    """This process (one job), or a pool of processes of one thread each."""

    def __init__(self, jobs: int = 1) -> None:
        self.jobs = jobs

    def run(
        self, function: Callable[[None, Task], Result], tasks: Sequence[Task], done: Callable[[int, Result], None]
    ) -> None:
        """Do all tasks."""
        with TaskPool(function, None, jobs=self.jobs) as pool:
            pool.run(tasks, done)


class Ray:
    """A Ray cluster: the one that is running or that RAY_ADDRESS names, else a local one of `jobs` workers."""

    def __init__(self, jobs: int = 2) -> None:
        self.jobs = jobs

    def run(
        self, function: Callable[[None, Task], Result], tasks: Sequence[Task], done: Callable[[int, Result], None]
    ) -> None:
        """Do all tasks; each takes one processor of the cluster."""
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _start(ray, self.jobs)
        try:
            remote = ray.remote(num_cpus=1, max_retries=2)(_on_one_thread)
            waiting = {remote.remote(function, task): index for index, task in enumerate(tasks)}
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1)
                for reference in ready:
                    done(waiting.pop(reference), ray.get(reference))
        finally:
            if started:
                ray.shutdown()


def executor(name: ExecutorName, *, jobs: int) -> Executor:
    """The executor of that name."""
    return Ray(jobs) if name == "ray" else Processes(jobs)


def _on_one_thread(function: Callable[[None, Any], Any], task: Any) -> Any:
    with one_thread():
        return function(None, task)


def _start(ray: Any, jobs: int) -> None:
    import os

    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False)
    else:
        ray.init(num_cpus=jobs, include_dashboard=False, log_to_driver=False)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError("--executor ray needs the extra: pip install 'modelprint[ray]'") from error
    return ray
