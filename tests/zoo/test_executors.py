"""Where tasks run: what a Ray cluster is asked for, and what only Ray can be asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelprint.cli.app import run
from modelprint.core.errors import DeviceError, UsageError
from modelprint.zoo import executors
from modelprint.zoo.executors import Processes, Ray, executor


class StubRay:
    """What the executor uses of Ray, in this process; it keeps the options of the remote function."""

    def __init__(self, gpus: float) -> None:
        self.gpus = gpus
        self.options: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"Alive": True, "Resources": {"CPU": 4.0, "GPU": self.gpus}},
            {"Alive": False, "Resources": {"GPU": 9.0}},
        ]

    def remote(self, **options: Any) -> Callable[[Callable[..., Any]], Any]:
        self.options = options

        class Remote:
            def __init__(self, function: Callable[..., Any]) -> None:
                self.function = function

            def remote(self, function: Callable[..., Any], task: Any) -> tuple[int, Any]:
                return task, self.function(function, task)

        return Remote

    def wait(self, waiting: list[Any], *, num_returns: int) -> tuple[list[Any], list[Any]]:
        return waiting[:num_returns], waiting[num_returns:]

    def get(self, reference: tuple[int, Any]) -> Any:
        return reference[1]


def squared(_: None, number: int) -> int:
    return number * number


@pytest.mark.parametrize(("gpus", "asked"), [(0.25, {"num_gpus": 0.25}), (2.0, {"num_gpus": 2.0}), (None, {})])
def test_ray_tasks_reserve_gpus(gpus: float | None, asked: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    ray = StubRay(gpus=2.0)
    monkeypatch.setattr(executors, "_ray", lambda: ray)
    results: dict[int, int] = {}
    executor("ray", jobs=2, gpus_per_task=gpus).run(squared, [2, 3, 4], results.__setitem__)
    assert results == {0: 4, 1: 9, 2: 16}
    assert ray.options == {"num_cpus": 1, "max_retries": 2, **asked}


def test_more_gpus_than_a_machine_has_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "_ray", lambda: StubRay(gpus=1.0))
    with pytest.raises(DeviceError, match="--gpus-per-task 2: no machine of the Ray cluster has more than 1 GPUs"):
        Ray(2, gpus_per_task=2.0).run(squared, [1], lambda index, result: None)


@pytest.mark.parametrize("gpus", [0.0, -1.0, 1.5, float("nan"), float("inf")])
def test_shares_that_ray_does_not_know_are_usage_errors(gpus: float) -> None:
    with pytest.raises(UsageError, match="give a share of one GPU"):
        executor("ray", jobs=2, gpus_per_task=gpus)


def test_gpus_per_task_are_for_ray_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(executor("process", jobs=2), Processes)
    assert run(["bench", "run", "digits", "--gpus-per-task", "0.25"]) == 2
    assert "--gpus-per-task 0.25 is for --executor ray" in " ".join(capsys.readouterr().err.split())
    assert run(["bench", "run", "digits", "--executor", "ray", "--device", "cuda"]) == 2
    assert "Ray hides GPUs from tasks that reserve none" in " ".join(capsys.readouterr().err.split())
