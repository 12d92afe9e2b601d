"""A tiny zoo and a tiny benchmark on it, once per test process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from modelprint import zoo
from modelprint.bench.plan import Bench, Contender, Knob
from modelprint.bench.running import run
from modelprint.results.records import Results
from modelprint.zoo.executors import Processes
from tests.zoo.tiny import tiny_plan

PLAN = tiny_plan(strangers=20, surrogates=2)
SMALL = {"trajectories": "5", "m": "3"}
BENCH = Bench(
    name="tiny",
    zoo="tiny",
    contenders=(
        Contender(label="adv-tra", scheme="adv-tra", settings=SMALL),
        Contender(label="agreement", scheme="agreement"),
        *(
            Contender(
                label=f"m = {m}",
                scheme="adv-tra",
                settings={**SMALL, "m": str(m), "eight_bit": "false"},
                knob=Knob(name="classes spanned", value=m, line="l = 2"),
                budgets=(1000,),
                thinning=2,
            )
            for m in (1, 2)
        ),
    ),
    budgets=(30, 100),
    seeds=(0, 1),
    regions="adv-tra",
)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    assert zoo.build(PLAN, folder=folder).complete
    return folder


@pytest.fixture(scope="session")
def folder(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


class Counting(Processes):
    """One process that counts its tasks."""

    count = 0

    def run(self, function: Callable[[None, Any], Any], tasks: Sequence[Any], done: Callable[[int, Any], None]) -> None:
        self.count += len(tasks)
        super().run(function, tasks, done)


@pytest.fixture(scope="session")
def counted(models: Path, folder: Path) -> tuple[Results, int]:
    """The results of the tiny benchmark, and of how many tasks."""
    executor = Counting()
    return run(BENCH, folder=folder, zoo=PLAN, zoo_folder=models, executor=executor), executor.count


@pytest.fixture(scope="session")
def results(counted: tuple[Results, int]) -> Results:
    return counted[0]
