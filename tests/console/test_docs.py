"""The commands of docs/console.md run as written, up to the moment at which the server would wait for browsers."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.console.gate import Gate
from tests.console.world import World
from tests.contract.test_readme import commands

PAGE = Path(__file__).parents[2] / "docs" / "console.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_page_runs_as_written(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served: list[tuple[Gate, int, str]] = []

    def serve(app: Gate, port: int, host: str, *, on_start: Callable[[str], None], lifespan: str) -> None:
        served.append((app, port, host))
        on_start(f"http://{host}:{port}")

    monkeypatch.setattr("modelprint.suspects.serving.serve", serve)
    monkeypatch.setenv("MODELPRINT_CONSOLE_TOKEN", "")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(world.third, tmp_path / "mine.fp")
    start, with_token = CONSOLE.findall(PAGE.read_text())
    for command, expected in commands(start):
        assert run(shlex.split(command)[1:]) == 0, command
        shown = capsys.readouterr()
        if "console" in command:
            checker = doctest.OutputChecker()
            assert checker.check_output(expected, shown.err + shown.out, doctest.ELLIPSIS), shown
    monkeypatch.setenv("MODELPRINT_CONSOLE_TOKEN", "0123456789abcdef0123456789abcdef")
    assert run(shlex.split(with_token.splitlines()[1])[2:]) == 0
    assert [(port, host) for _, port, host in served] == [(8321, "127.0.0.1"), (8321, "0.0.0.0")]
    assert served[1][0].guard.token is not None


def test_the_figures_of_the_page_are_those_of_the_last_result() -> None:
    result = json.loads(Path(__file__).with_name("browser.json").read_text())
    first, progress = result["first_page_ms"], result["progress_ms"]
    text = " ".join(PAGE.read_text().split())
    assert f"took {first['median']:.0f} ms (median of {first['n']}, {first['most']:.0f} ms at most)" in text
    assert f"came every {progress['median']} ms ({progress['most']} ms at most)" in text
