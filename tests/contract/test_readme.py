"""The README's examples run as written; in the quick test with shorter trainings in one process."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
from pathlib import Path

import pytest

from modelprint.cli.app import run

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


SHORTER = {"train digits:owner": "train digits:owner --epochs 10", "--jobs 2": "--jobs 1"}


def commands(block: str) -> list[tuple[str, str]]:
    """Each `$ command` with the output that the README shows for it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.mark.parametrize("length", ["shorter", pytest.param("as written", marks=pytest.mark.slow)])
def test_the_first_screens_example_and_the_python_face_run(
    length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(README.read_text())
    assert [kind for kind, _ in blocks] == ["console", "python"]
    checker, example = doctest.OutputChecker(), blocks[0][1]
    if length == "shorter":
        for as_written, short in SHORTER.items():
            assert example.count(as_written) == 1
            example = example.replace(as_written, short)
    for command, expected in commands(example):
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            code = run(shlex.split(command)[1:])
        assert code == 0, command
        assert checker.check_output(expected, stdout.getvalue(), doctest.ELLIPSIS), command + "\n" + stdout.getvalue()
    examples = doctest.DocTestParser().get_doctest(blocks[1][1], {}, "README", str(README), 0)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(examples)
    assert runner.failures == 0
    assert runner.tries == len(examples.examples) > 3


def test_the_first_screen_is_one_sentence_an_install_line_and_at_most_eight_lines_of_example() -> None:
    block = BLOCK.findall(README.read_text())[0][1]
    assert len(commands(block)) <= 8
    assert (README.parent / "docs" / "images" / "report.png").stat().st_size < 600_000
