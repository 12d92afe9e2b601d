"""Where tasks run: in this process, in a pool of processes, or on a Ray cluster. The results are the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, Protocol, TypeVar

from modelprint.core.errors import DeviceError, UsageError
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
        self._pool: TaskPool[Any, Any] | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside, all tasks are done by the same processes: each takes seconds to load its libraries."""
        with TaskPool[Any, Any](_called, None, jobs=self.jobs) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None

    def run(
        self, function: Callable[[None, Task], Result], tasks: Sequence[Task], done: Callable[[int, Result], None]
    ) -> None:
        """Do all tasks."""
        with nullcontext() if self._pool is not None else self.kept():
            assert self._pool is not None
            self._pool.run([(function, task) for task in tasks], done)


class Ray:
    """A Ray cluster: the one that is running or that RAY_ADDRESS names, else a local one of `jobs` workers.

    Args:
        gpus_per_task: GPUs, or the share of one, that each task reserves; 0.25 has four tasks share a GPU.
    """

    def __init__(self, jobs: int = 2, *, gpus_per_task: float = 0.0) -> None:
        self.jobs = jobs
        self.gpus_per_task = gpus_per_task

    def run(
        self, function: Callable[[None, Task], Result], tasks: Sequence[Task], done: Callable[[int, Result], None]
    ) -> None:
        """Do all tasks; each takes one processor of the cluster, and its share of GPUs.

        Raises:
            DeviceError: tasks ask for more GPUs than the cluster has on any machine; they would wait for ever.
        """
        ray = _ray()
        started = not ray.is_initialized()
        if started:
            _start(ray, self.jobs)
        try:
            if self.gpus_per_task:
                self._check_gpus(ray)
            options = {"num_cpus": 1, "max_retries": 2, **self._gpus()}
            remote = ray.remote(**options)(_on_one_thread)
            waiting = {remote.remote(function, task): index for index, task in enumerate(tasks)}
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1)
                for reference in ready:
                    done(waiting.pop(reference), ray.get(reference))
        finally:
            if started:
                ray.shutdown()

    def _gpus(self) -> dict[str, float]:
        return {"num_gpus": self.gpus_per_task} if self.gpus_per_task else {}

    def _check_gpus(self, ray: Any) -> None:
        most = max((node["Resources"].get("GPU", 0.0) for node in ray.nodes() if node["Alive"]), default=0.0)
        if self.gpus_per_task > most:
            raise DeviceError(
                f"--gpus-per-task {self.gpus_per_task:g}: no machine of the Ray cluster has more than {most:g} GPUs; "
                "look at `ray status`, or leave the option out"
            )


def executor(name: ExecutorName, *, jobs: int, gpus_per_task: float | None = None) -> Executor:
    """The executor of that name.

    Args:
        gpus_per_task: of Ray alone: a share of one GPU, or whole ones.

    Raises:
        UsageError: GPUs for processes of this machine, or a number that Ray does not know.
    """
    if gpus_per_task is None:
        return Ray(jobs) if name == "ray" else Processes(jobs)
    if name != "ray":
        raise UsageError(
            f"--gpus-per-task {gpus_per_task:g} is for --executor ray: processes of this machine share the GPU that "
            "--device names"
        )
    if not 0 < gpus_per_task < math.inf or (gpus_per_task > 1 and gpus_per_task != int(gpus_per_task)):
        raise UsageError(
            f"--gpus-per-task {gpus_per_task:g}: give a share of one GPU (0.25), or a whole number of them"
        )
    return Ray(jobs, gpus_per_task=gpus_per_task)


def kept(executor: Executor) -> AbstractContextManager[None]:
    """Inside, an executor that starts processes of its own starts them once."""
    return executor.kept() if isinstance(executor, Processes) else nullcontext()


def _called(_: None, work: tuple[Callable[[None, Any], Any], Any]) -> Any:
    function, task = work
    return function(None, task)


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
