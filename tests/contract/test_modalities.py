"""The commands of docs/modalities.md run as written, on noisy tones in class folders of WAV files."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from modelprint.cli.app import run
from modelprint.data.named_texts import load_made_up_languages
from modelprint.modalities import MODALITIES
from modelprint.modalities.series.wav import write_wav
from modelprint.modalities.text.storage import texts_of
from modelprint.nn.architectures import architectures_for
from tests.contract.test_check_an_api import CONSOLE
from tests.contract.test_readme import commands
from tests.modalities.vector.test_schemes import rows

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "modalities.md").read_text()


@pytest.mark.parametrize("modality", ["series", "vector", "text"])
def test_the_page_names_what_there_is(modality: str) -> None:
    for name in (*architectures_for(modality), *MODALITIES[modality].transforms):
        assert f"`{name}`" in TEXT, name
    assert "docs/modalities.md" in (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_commands_for_sounds_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread) -> None:
    random = np.random.default_rng(0)
    time = np.arange(200) / 1000
    for label, frequency in (("high", 250), ("low", 60), ("middle", 140)):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        for number in range(100):
            tone = np.sin(2 * np.pi * frequency * random.uniform(0.7, 1.4) * time + random.uniform(0, 6))
            sound = (0.3 * tone + 0.15 * random.standard_normal(200)).clip(-1, 0.999)
            data = write_wav(np.rint(sound * 2**15).astype(np.int16)[None], 1000)
            (tmp_path / "sounds" / label / f"{number}.wav").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_as_written("## Series and sound")


@pytest.mark.slow
def test_the_commands_for_tables_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread) -> None:
    (tmp_path / "houses.csv").write_text("\n".join(["length,width,rooms,colour,kind", *rows(900, 0)]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_as_written("## Vectors")


@pytest.mark.slow
def test_the_commands_for_texts_run_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread) -> None:
    known = load_made_up_languages()
    pairs = zip(texts_of(known.train_images), known.train_labels, strict=True)
    lines = [json.dumps({"text": text, "label": known.class_names[label]}) for text, label in pairs]
    (tmp_path / "lines.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run_as_written("## Texts")


def run_as_written(title: str) -> None:
    """Run the commands of a section, and compare what they print."""
    section = TEXT.split(title)[1].split("\n## ")[0]
    shown = [entry for block in CONSOLE.findall(section) for entry in commands(block)]
    assert len(shown) == 5
    checker = doctest.OutputChecker()
    for command, expected in shown:
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            code = run(shlex.split(command)[1:])
        assert code == 0, command
        assert checker.check_output(expected, stdout.getvalue(), doctest.ELLIPSIS), f"{command}\n{stdout.getvalue()}"
