"""One world for all tests of this folder, and a console on a copy of its registry."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelprint.console.console import Console
from modelprint.screening.registry import Registry
from tests.console.world import World, build


@pytest.fixture(scope="session")
def world(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("console"))


@pytest.fixture
def console(world: World, tmp_path: Path) -> Iterator[Console]:
    shutil.copytree(world.registry, tmp_path / "registry")
    console = Console(registry=Registry(tmp_path / "registry"))
    yield console
    console.end()
