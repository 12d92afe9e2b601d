"""A name is given once, unknown names are answered with the known ones."""

from __future__ import annotations

import pytest

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.registry import Registry


@pytest.fixture
def tools() -> Registry[str]:
    registry: Registry[str] = Registry("tool")
    registry.register("saw")("a saw")
    registry.register("awl")("an awl")
    return registry


def test_things_are_found_by_name_in_the_order_of_registration(tools):
    assert (tools["saw"], list(tools), len(tools)) == ("a saw", ["saw", "awl"], 2)
    assert "awl" in tools
    assert "axe" not in tools


def test_registering_gives_the_thing_back(tools):
    assert tools.register("axe")("an axe") == "an axe"


def test_a_name_is_given_once(tools):
    with pytest.raises(ValueError, match="tool 'saw' is registered twice"):
        tools.register("saw")("another saw")
    assert tools["saw"] == "a saw"


def test_an_unknown_name_is_answered_with_the_known_ones(tools):
    with pytest.raises(UsageError, match="unknown tool 'axe': use one of saw, awl"):
        tools["axe"]


def test_exit_codes_follow_the_contract():
    assert (ModelprintError.exit_code, UsageError.exit_code, IntegrityError.exit_code) == (1, 2, 3)
