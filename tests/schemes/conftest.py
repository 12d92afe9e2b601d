"""What a scheme makes its queries from, on digits."""

from __future__ import annotations

import pytest

from modelprint.schemes.base import Enrollment
from tests.conftest import Digits
from tests.schemes import world


@pytest.fixture(scope="session")
def enrollment(digits: Digits) -> Enrollment:
    return world.enrolled(digits)
