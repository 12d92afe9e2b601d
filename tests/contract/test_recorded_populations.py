"""The commands of docs/recorded-populations.md run as written."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from modelprint.attacks.make import run_attack
from modelprint.cli.app import run
from modelprint.nn.files import save_model
from modelprint.nn.loading import load_model
from modelprint.nn.models_file import ModelsFile
from tests.conftest import Digits
from tests.contract.test_check_an_api import CONSOLE, TOML
from tests.contract.test_readme import commands

PAGE = Path(__file__).parents[2] / "docs" / "recorded-populations.md"


@pytest.fixture
def place(digits: Digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models of others, one of them twice, and a table of one's own source with two copies."""
    downloads, ours = tmp_path / "downloads", tmp_path / "ours-models"
    downloads.mkdir()
    ours.mkdir()
    plain = digits.trained.card.model_copy(update={"recipe": {}})
    for number, module in enumerate(digits.strangers):
        save_model(downloads / f"{number}.safetensors", module, plain)
    (downloads / "again.safetensors").write_bytes((downloads / "0.safetensors").read_bytes())
    (tmp_path / "downloads.txt").write_text("".join(f"downloads/{number}.safetensors\n" for number in (0, 1, 2)))
    save_model(ours / "source.safetensors", digits.source, plain)
    card = plain.model_copy(update={"recipe": {"source": load_model(ours / "source.safetensors").identity}})
    for rate in ("0.3", "0.5"):
        copy = run_attack("prune", {"rate": rate}, digits.source, digits.spec, digits.attacker, seed=0).model
        save_model(ours / f"pruned-{rate}.safetensors", copy, card)
    monkeypatch.chdir(tmp_path)
    assert run(["bench", "record", "ours-models", "--data", "digits:queries", "--out", "ours"]) == 0
    return tmp_path


def test_the_page_runs_as_written(place: Path) -> None:
    shown = [pair for block in CONSOLE.findall(PAGE.read_text()) for pair in commands(block)]
    assert len(shown) == 3
    checker = doctest.OutputChecker()
    printed = []
    for command, expected in shown:
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            assert run(shlex.split(command)[1:]) == 0, command
        printed.append(stdout.getvalue())
        assert checker.check_output(expected, printed[-1], doctest.ELLIPSIS), command + printed[-1]
    assert "3 models, 150 inputs, 3 families" in printed[0]
    assert "again.safetensors" in printed[0]
    assert [model["id"] for model in json.loads(printed[1])["models"]] == [f"{n}.safetensors" for n in range(3)]
    rows = {line.split()[0] for line in printed[2].splitlines() if re.match(r"\s*\w+\s+60 ", line)}
    assert rows == {"akh", "contrast", "residual", "auto"}


def test_its_entry_is_one() -> None:
    (block,) = TOML.findall(PAGE.read_text())
    entry = ModelsFile.model_validate(tomllib.loads(block)).models["net.onnx"]
    assert (entry.licence, entry.kind) == ("Apache-2.0", "OTHER")


def test_its_files_are_those_of_a_table(place: Path) -> None:
    named = set(re.findall(r"^\| `([\w.]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert named == {path.name for path in (place / "ours").iterdir()}
