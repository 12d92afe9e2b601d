"""The commands of docs/check-an-api.md run as written, but for the port."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest

from modelprint.cli.app import run
from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.class_names import ClassNamesFile
from modelprint.suspects.mapping import Mapping
from tests.conftest import Digits
from tests.contract.test_readme import commands
from tests.schemes.world import strangers
from tests.suspects.world import free_port, started

PAGE = Path(__file__).parents[2] / "docs" / "check-an-api.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """mine.fp and suspect.safetensors; briefly trained models calibrate."""
    save_model(tmp_path / "suspect.safetensors", digits.source, digits.trained.card)
    enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=5, m=3),
        negatives=strangers(digits, 19, seed=100, epochs=4),
        out=tmp_path / "mine.fp",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_page_runs_as_written(place: Path) -> None:
    port = free_port()
    blocks = CONSOLE.findall(PAGE.read_text().replace(":8000", f":{port}").replace("--port 8000", f"--port {port}"))
    shown = [pair for block in blocks for pair in commands(block)]
    assert len(shown) >= 6
    checker = doctest.OutputChecker()
    with ExitStack() as servers:
        for command, expected in shown:
            words = shlex.split(command)
            if words[-1] == "&":
                server = [sys.executable, "-m", *words[:-1]]
                servers.enter_context(started(server, cwd=place, ready=f"http://127.0.0.1:{port}/v2/health/ready"))
                continue
            stdout = io.StringIO()
            with contextlib.redirect_stdout(stdout):
                assert run(words[1:]) == 0, command
            assert checker.check_output(expected, stdout.getvalue(), doctest.ELLIPSIS), command + stdout.getvalue()
    assert (place / "ledger.jsonl").read_text().count('"query"') > 50
    assert ClassNamesFile.model_validate(tomllib.loads((place / "names.toml").read_text())).class_names["7"] == "7"


def test_its_files_are_such_files() -> None:
    mapping, names = (tomllib.loads(text) for text in TOML.findall(PAGE.read_text()))
    assert Mapping.model_validate(mapping).request.kind == "multipart"
    assert ClassNamesFile.model_validate(names).class_names == {"tabby": "cat"}
