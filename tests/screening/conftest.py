"""One world for all tests of this folder."""

from __future__ import annotations

import pytest

from tests.conftest import Digits
from tests.screening.world import World, build


@pytest.fixture(scope="session")
def world(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(digits, tmp_path_factory.mktemp("screening"))
