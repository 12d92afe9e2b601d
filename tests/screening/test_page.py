"""The commands of docs/screening.md run as written."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import shlex
import shutil
from pathlib import Path

import pytest

from modelprint.cli.app import run
from tests.contract.test_check_an_api import CONSOLE
from tests.contract.test_readme import commands
from tests.printed import printed
from tests.screening.world import World

PAGE = Path(__file__).parents[2] / "docs" / "screening.md"


def test_the_page_runs_as_written(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first.fp", "second.fp"):
        shutil.copytree(world.registry.parent / name, name)
    shutil.copytree(world.models, "uploads")
    shown = [pair for block in CONSOLE.findall(PAGE.read_text()) for pair in commands(block)]
    assert len(shown) == 8
    checker = doctest.OutputChecker()
    texts = {}
    for command, expected in shown:
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            code = run(shlex.split(command)[1:])
        texts[command] = stdout.getvalue()
        assert code == (10 if "--exit-code" in command else 0), command
        assert checker.check_output(expected, stdout.getvalue(), doctest.ELLIPSIS), command + stdout.getvalue()
    screen = printed("scan", next(text for command, text in texts.items() if command.endswith("json")))
    verdicts = {Path(row["suspect"]).stem: row["verdict"] for row in screen["suspects"]}
    assert verdicts["source"] == "derived"  # its file is the enrolled one; 5 calibration models show nothing else
    assert verdicts["independent"] == "inconclusive"
    assert any("39 calibration models each" in note for note in screen["notes"])
    assert json.loads(Path("findings.sarif").read_text())["version"] == "2.1.0"
    assert json.loads(Path("models.cdx.json").read_text())["bomFormat"] == "CycloneDX"
