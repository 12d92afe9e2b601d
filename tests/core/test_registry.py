"""A name is given once, unknown names are answered with the known ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.registry import Registry, import_all
from tests import plugins

TOOLS: Registry[str] = Registry("tool")


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


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package of one module, which registers its tool in the group "modelprint.test-tools"."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(code: str) -> None:
        plugins.install(tmp_path, module="plane_tool", code=code, group="modelprint.test-tools", name="plane")
        monkeypatch.delitem(sys.modules, "plane_tool", raising=False)

    return install


def test_entry_points_of_other_packages_are_registered_last(plugin: Callable[[str], None], monkeypatch) -> None:
    tools: Registry[str] = Registry("tool", group="modelprint.test-tools")
    tools.register("saw")("a saw")
    monkeypatch.setattr("tests.core.test_registry.TOOLS", tools)
    plugin("from tests.core import test_registry\ntest_registry.TOOLS.register('plane')('a plane')\n")
    assert list(tools) == ["saw", "plane"]
    tools.discover()  # once more: nothing is registered twice
    assert tools["plane"] == "a plane"


def test_a_broken_entry_point_is_named_with_its_package(plugin: Callable[[str], None]) -> None:
    plugin("import no_such_module\n")
    with pytest.raises(ModelprintError, match=r"tool 'plane' of plane-tool .* cannot be imported: No module named"):
        list(Registry("tool", group="modelprint.test-tools"))


def test_modules_of_a_package_are_imported_in_the_order_of_their_names(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "shed"
    folder.mkdir()
    (folder / "__init__.py").write_text("order = []\n")
    for name in ("b", "a", "c"):
        (folder / f"{name}.py").write_text(f"from shed import order\norder.append({name!r})\n")
    import_all("shed", [str(folder)])
    assert sys.modules["shed"].order == ["a", "b", "c"]


def test_exit_codes_follow_the_contract():
    assert (ModelprintError.exit_code, UsageError.exit_code, IntegrityError.exit_code) == (1, 2, 3)
