"""The page docs/any-model.md: its commands run as written, its loops as far as there is what they need."""

from __future__ import annotations

import csv
import doctest
import re
import shlex
import shutil
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from modelprint.core.errors import UsageError
from modelprint.ownership.bundle import ANSWERS
from modelprint.ownership.enroll import enroll
from modelprint.ownership.export import export_queries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.opening import asked_of
from modelprint.ownership.verify import verify
from modelprint.schemes.adv_tra import AdvTra
from modelprint.suspects.open import open_suspect
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.recorded import RecordedSuspect
from tests.conftest import Digits
from tests.contract.test_check_an_api import CONSOLE
from tests.contract.test_commands import run
from tests.contract.test_readme import commands
from tests.formats.layers import layers_of, tflite_file
from tests.printed import printed as as_described
from tests.schemes.world import strangers

PAGE = Path(__file__).parents[2] / "docs" / "any-model.md"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
JAVASCRIPT = re.compile(r"^```js\n(.*?)^```", re.MULTILINE | re.DOTALL)
ONNX, TFLITE, COREML = range(3)
STUB = """
import fs from "node:fs";
class Values { constructor(x) { this.x = x; }
  toFloat() { return this; } div() { return this; } expandDims() { return this; }
  argMax() { return { data: async () => [this.x] }; } }
export default { node: { decodePng: (bytes) => new Values(bytes.length) },
  loadLayersModel: async () => ({ predict: (values) => new Values(values.x % 10) }) };
"""


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(
        digits.source,
        digits.queries,
        scheme=AdvTra(trajectories=5, m=3),
        negatives=strangers(digits, 19, seed=100, epochs=4),
    )


@pytest.fixture
def place(fingerprint: Fingerprint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fingerprint.save(tmp_path / "mine.fp")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_source(fingerprint: Fingerprint, folder: Path) -> None:
    """Fill the list in as the source answers."""
    with (folder / "answers.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["index", "file", "query", "label"]
    assert {row[-1] for row in rows} == {""}
    names = fingerprint.manifest.input.class_names
    with (folder / "answers.csv").open("w", newline="") as file:
        assert fingerprint.plain is not None
        labels = [*fingerprint.source.labels, *fingerprint.plain.labels]
        csv.writer(file).writerows(
            [header, *([*row[:-1], names[label]] for row, label in zip(rows, labels, strict=True))]
        )


def test_the_commands_run_as_written(fingerprint: Fingerprint, place: Path) -> None:
    (place / "wrong.csv").write_text("index,label\n0,3\n1,3\n0,5\n")
    shown = [pair for block in CONSOLE.findall(PAGE.read_text()) for pair in commands(block)]
    assert len(shown) == 3
    for command, expected in shown:
        words = shlex.split(command)[1:]
        done = run(*words, cwd=place, code=int("wrong.csv" in words))
        printed = done.stdout or done.stderr.removeprefix("error: ")
        assert doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS), command + "\n" + printed
        if words[0] == "inspect":
            assert "then: verify mine.fp queries/answers.csv" in done.stderr.replace("\n", " ")
            by_source(fingerprint, place / "queries")


def test_the_python_loop_answers_like_the_model(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # of the exporter's age
        torch.onnx.export(
            digits.source.eval(), (torch.zeros(1, *digits.queries.shape),), place / "m.onnx", dynamo=False
        )
    export_queries(fingerprint, place / "queries")
    (place / "ask.py").write_text(PYTHON.findall(PAGE.read_text())[ONNX])
    subprocess.run([sys.executable, "ask.py", "queries", "m.onnx"], cwd=place, check=True, timeout=120)
    verdict = verify(fingerprint, place / "queries" / "answers.csv")
    assert verdict.verdict == "derived"
    assert verdict.answered == verdict.asked == len(fingerprint)
    assert "not checked" not in verdict.message
    assert verdict.score == verify(fingerprint, digits.source).score


@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs ai_edge_litert")
def test_the_loop_of_tflite_answers_like_the_model(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    (place / "m.tflite").write_bytes(tflite_file(layers_of(digits.source.body), batch=1))
    (mean,), (std,) = digits.spec.mean, digits.spec.std
    export_queries(fingerprint, place / "queries")
    whole, part = (PYTHON.findall(PAGE.read_text())[which] for which in (ONNX, TFLITE))
    start, end = whole.index("import onnxruntime"), whole.index('with (folder / "answers.csv")')
    loop = (whole[:start] + part + whole[end:]).replace("/ 255", f"/ 255 / {std} - {mean / std}")  # as its app does
    (place / "ask.py").write_text(loop)
    subprocess.run([sys.executable, "ask.py", "queries", "m.tflite"], cwd=place, check=True, timeout=120)
    assert verify(fingerprint, place / "queries" / "answers.csv").verdict == "derived"


def test_the_loop_of_core_ml_is_python() -> None:
    compile(PYTHON.findall(PAGE.read_text())[COREML], "loop", "exec")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_javascript_loop_writes_a_file_that_is_read(fingerprint: Fingerprint, place: Path) -> None:
    package = place / "node_modules" / "@tensorflow" / "tfjs-node"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"type": "module", "main": "index.js"}')
    (package / "index.js").write_text(STUB)
    (place / "ask.mjs").write_text(JAVASCRIPT.findall(PAGE.read_text())[0])
    export_queries(fingerprint, place / "queries")
    subprocess.run(["node", "ask.mjs", "queries", "file://model.json"], cwd=place, check=True, timeout=60)
    pictures = [*sorted((place / "queries").glob("*.png")), *sorted((place / "queries" / "plain").glob("*.png"))]
    asked = asked_of(fingerprint)
    assert len(pictures) == len(fingerprint) + len(asked.further) > len(fingerprint)
    options = SuspectOptions(class_names=fingerprint.manifest.input.class_names, asked=lambda: [asked])
    suspect = open_suspect(str(place / "queries" / "answers.csv"), options)
    assert isinstance(suspect, RecordedSuspect)
    assert suspect.recording.answers.labels.tolist() == [file.stat().st_size % 10 for file in pictures]
    assert suspect.recording.queries == (*asked.queries, *asked.further)
    assert suspect.notes == ()


def test_answers_by_hand_give_the_same_verdict_everywhere(fingerprint: Fingerprint, place: Path) -> None:
    export_queries(fingerprint, place / "queries")
    by_source(fingerprint, place / "queries")
    whole = verify(fingerprint, "queries/answers.csv")
    assert (whole.verdict, whole.access) == ("derived", "labels")
    assert whole.suspect.startswith("sha256:")
    run("record", "mine.fp", "queries/answers.csv", "--out", ANSWERS, cwd=place)
    assert verify(fingerprint, ANSWERS).model_copy(update={"message": ""}) == whole.model_copy(update={"message": ""})
    identified = as_described(
        "identify", run("identify", "queries/answers.csv", "mine.fp", "--format", "json", cwd=place).stdout
    )
    assert identified["verdict"] == "derived"


def test_answers_by_hand_are_evidence(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    """A bundle holds them, and a judge's check comes to the same verdict; so it does where classes are lacking."""
    export_queries(fingerprint, place / "queries")
    by_source(fingerprint, place / "queries")
    run("key", "--out", "me", cwd=place)
    run("seal", "mine.fp", "--key", "me", "--out", "mine.seal", cwd=place)
    classes = [str(number) for number in range(9)]
    (place / "names.toml").write_text(f'classes = {classes}\nother_labels = "abstained"')
    text = (place / "queries" / "answers.csv").read_text()
    (place / "nine.csv").write_text(text.replace(",9\n", ",other\n"))
    for words in (["queries/answers.csv"], ["nine.csv", "--class-names", "names.toml"]):
        run("bundle", "mine.fp", *words, "--commitment", "mine.seal", "--key", "me", "--out", "mine.bundle", cwd=place)
        checked = as_described("check", run("check", "mine.bundle", "--format", "json", cwd=place).stdout)
        assert checked["verdict"]["verdict"] == "derived"


def test_of_several_owners_each_finds_its_own_queries(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    other = enroll(digits.strangers[0], digits.queries, scheme=AdvTra(trajectories=4, m=3), negatives=[], seed=5)
    other.save(place / "other.fp")
    for name, one in (("mine", fingerprint), ("others", other)):
        export_queries(one, place / name)
        by_source(one, place / name)
    mine, others = ((place / name / "answers.csv").read_text().splitlines() for name in ("mine", "others"))
    (place / "both.csv").write_text("\n".join([*mine, *others[1:]]))
    refused = run("identify", "mine/answers.csv", "mine.fp", "other.fp", cwd=place)
    assert "mine.fp" in refused.stdout
    identified = as_described(
        "identify", run("identify", "both.csv", "mine.fp", "other.fp", "--format", "json", cwd=place).stdout
    )
    assert len(identified["candidates"]) == 2


def test_half_of_the_lines_and_fewer(fingerprint: Fingerprint, place: Path) -> None:
    export_queries(fingerprint, place / "queries")
    by_source(fingerprint, place / "queries")
    header, *lines = (place / "queries" / "answers.csv").read_text().splitlines()
    queries, plain = lines[: len(fingerprint)], lines[len(fingerprint) :]
    few, most = place / "few.csv", place / "most.csv"
    few.write_text("\n".join([header, *queries[: len(queries) // 3], *plain]))
    most.write_text("\n".join([header, *queries[:-2]]))
    verdict = verify(fingerprint, few)
    assert verdict.verdict == "inconclusive"
    assert f"only {len(queries) // 3} of {len(queries)} queries were answered" in verdict.message
    verdict = verify(fingerprint, most)
    assert verdict.verdict == "derived"
    assert f"2 of {len(queries)} queries were not answered and count against derivation" in verdict.message
    assert verdict.answered == len(queries) - 2


def test_answers_to_another_export_are_refused(digits: Digits, fingerprint: Fingerprint, place: Path) -> None:
    other = enroll(digits.source, digits.queries, scheme=AdvTra(trajectories=4, m=3), seed=5)
    export_queries(other, place / "others")
    by_source(other, place / "others")
    other.save(place / "other.fp")
    refused = run("verify", "mine.fp", "others/answers.csv", cwd=place, code=1)
    assert "answers to another export" in refused.stderr.replace("\n", " ")
    refused = run("inspect", "mine.fp", "--export-queries", "others", cwd=place, code=1)
    assert "answers to them: export into an empty folder" in refused.stderr.replace("\n", " ")
    before = (place / "others" / "answers.csv").read_bytes()
    run("inspect", "other.fp", "--export-queries", "others", cwd=place)
    assert (place / "others" / "answers.csv").read_bytes() == before


def test_what_only_weights_show_is_not_in_a_csv(digits: Digits, place: Path) -> None:
    (place / "answers.csv").write_text("index,label\n0,3\n")
    lineage = enroll(digits.source, digits.queries, scheme="lineage", from_scratch=True)
    with pytest.raises(UsageError, match="shows no weights"):
        verify(lineage, "answers.csv")
