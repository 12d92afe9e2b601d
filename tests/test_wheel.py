"""What is installed: the package alone, without research, benchmarks and tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


def test_the_wheel_holds_the_package_alone(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for folder in ("src", "research"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(CHECKOUT / folder, source / folder, ignore=ignored)
    words = ["wheel", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check", "."]
    subprocess.run([sys.executable, "-m", "pip", *words, "-w", str(tmp_path)], cwd=source, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"modelprint"}
    assert not [name for name in names if name.endswith(".toml") or "research" in name]
    assert "modelprint/bench/bench_file.py" in names
    assert {f"modelprint/console/{name}" for name in ("static/htmx.min.js", "templates/home.html.j2")} <= set(names)


def test_the_package_does_not_import_research() -> None:
    imports = ("import research", "from research", "import benchmarks", "from benchmarks", "import tests", "from tests")
    for path in (CHECKOUT / "src").rglob("*.py"):
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        assert not [line for line in lines if line.startswith(imports)], path
