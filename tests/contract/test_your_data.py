"""The commands of docs/your-data.md run as written, on forty pictures of many sizes."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelprint.cli import data_options
from modelprint.cli.app import run
from modelprint.data.layout import PARTS
from modelprint.data.splits import load_data
from tests.contract.test_check_an_api import CONSOLE
from tests.contract.test_readme import commands

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-data.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos in a folder, a zip archive and a list, and with damaged photos."""
    draw = np.random.default_rng(0)
    lines = ["picture;kind"]
    for number in range(40):
        kind = "dog" if number % 2 else "cat"
        height, width = draw.integers(20, 60, 2)
        levels = draw.integers(0, 120, (height, width, 3))
        levels[: height // 2] += 120 * (number % 2)
        path = tmp_path / "photos" / kind / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels.astype(np.uint8)).convert("RGB" if number % 3 else "L").save(path)
        lines.append(f"photos/{kind}/{number:02}.jpg;{kind}")
    (tmp_path / "photos.csv").write_text("\n".join(lines))
    (tmp_path / "classes.txt").write_text("dog\nbird\ncat\n")
    shutil.copytree(tmp_path / "photos", tmp_path / "damaged")
    for name in ("cat/00.jpg", "dog/07.jpg"):
        (tmp_path / "damaged" / name).write_bytes(b"\xff\xd8 no more")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted((tmp_path / "photos").rglob("*.jpg")):
            archive.write(path, path.relative_to(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_page_s_commands_run_as_written(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    checker = doctest.OutputChecker()
    shown = [entry for block in CONSOLE.findall(PAGE.read_text()) for entry in commands(block)]
    assert len(shown) >= 10
    for command, expected in shown:
        stdout, stderr = io.StringIO(), io.StringIO()
        caplog.clear()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run(shlex.split(command)[1:])
        assert code == (1 if expected.startswith("error:") else 0), command + stderr.getvalue()
        notes = "".join(f"{record.getMessage()}\n" for record in caplog.records if record.levelname == "WARNING")
        printed = notes + stdout.getvalue() if code == 0 else stderr.getvalue()
        assert checker.check_output(expected, printed, doctest.ELLIPSIS), f"{command}\n{printed}"


def test_the_same_pictures_are_the_same_parts_in_every_container(place: Path) -> None:
    reading = "size=16x16&mode=gray"
    for split in ("train", "test", "owner", "queries"):
        folder = load_data(f"photos:{split}?{reading}").identity
        assert load_data(f"photos.zip:{split}?{reading}").identity == folder
        assert load_data(f"photos.csv:{split}?{reading}&path=picture&label=kind").identity == folder


def test_the_page_names_every_option_and_part() -> None:
    text = PAGE.read_text()
    for name in data_options.DataFlags.__annotations__:
        assert f"`--{name.replace('_', '-')}" in text, name
    assert all(re.search(rf"`{part}`", text) for part in set(PARTS.values()))
    assert "docs/your-data.md" in (ROOT / "README.md").read_text()
