"""The commands of docs/your-model.md run as written; in the quick test with fewer and shorter trainings."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from modelprint.cli.app import run
from tests.contract.test_check_an_api import CONSOLE
from tests.contract.test_readme import commands
from tests.nn.real.operators import declare

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-model.md"
CASES = ("timm", "hf", "own", "form")
SHORTER = {
    "auto:20": "auto:2", "20 calibration": "2 calibration", ": derived": ": inconclusive", "--jobs 2": "--jobs 1",
    "epochs 8": "epochs 4", "epochs=8": "epochs=4",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with net.py, and a public checkpoint of transformers."""
    declare()
    shutil.copy(ROOT / "examples" / "own_model.py", tmp_path / "net.py")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def public_checkpoint(place: Path) -> None:
    import torch

    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=8, patch_size=2,
        num_channels=1, num_labels=10,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.ViTForImageClassification(config).save_pretrained(place / "public-vit")
    said = {"size": {"height": 8, "width": 8}, "image_mean": [0.5], "image_std": [0.5], "do_normalize": True}
    (place / "public-vit" / "preprocessor_config.json").write_text(json.dumps(said))


def run_case(case: str, place: Path, block: str) -> None:
    if case == "timm":
        pytest.importorskip("timm")
    if case == "hf":
        public_checkpoint(place)
    checker = doctest.OutputChecker()
    shown = commands(block)
    assert 4 <= len(shown) <= 10
    for command, expected in shown:
        stdout, stderr = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = run(shlex.split(command)[1:])
        assert code == 0, command + stderr.getvalue()
        assert checker.check_output(expected, stdout.getvalue(), doctest.ELLIPSIS), command + "\n" + stdout.getvalue()


@pytest.mark.parametrize("case", CASES)
def test_the_page_s_commands_run_with_shorter_trainings(case: str, place: Path) -> None:
    block = CONSOLE.findall(PAGE.read_text())[CASES.index(case)]
    for long, short in SHORTER.items():
        block = block.replace(long, short)
    if case == "own":  # a scheme that needs no shadow models: eight trainings fewer
        assert block.count("--scheme contrast --shadow 4") == block.count("200 queries by contrast") == 1
        block = block.replace("--scheme contrast --shadow 4", "--scheme akh")
        block = block.replace("200 queries by contrast", "100 queries by akh")
        text = (place / "net.py").read_text()
        (place / "net.py").write_text(text.replace("epochs, size, rate = 25", "epochs, size, rate = 12"))
    run_case(case, place, block)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_page_runs_as_written(case: str, place: Path) -> None:
    """In one process: others would import torchvision without its operators, where these do not load."""
    run_case(case, place, CONSOLE.findall(PAGE.read_text())[CASES.index(case)].replace("--jobs 2", "--jobs 1"))


def test_every_option_of_the_page_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enroll", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) | {"--kind", "--epochs", "--debug"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE.read_text())) <= known
