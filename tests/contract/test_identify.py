"""The JSON of `identify`, and its exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelprint.nn.files import save_model
from modelprint.ownership.enroll import enroll
from modelprint.schemes.adv_tra import AdvTra
from tests.conftest import Digits
from tests.contract.test_commands import run
from tests.printed import printed as as_described

KEYS = {"schema", "suspect", "owner", "verdict", "alpha", "candidates", "message"}
CANDIDATE = {
    "fingerprint", "sha256", "scheme", "source", "score", "p_value", "adjusted_p_value", "verdict", "calibration",
    "queries", "message",
}  # fmt: skip
HASH = r"sha256:[0-9a-f]{64}"


@pytest.fixture(scope="module")
def place(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identify")
    save_model(folder / "suspect.safetensors", digits.source, digits.trained.card)
    scheme = AdvTra(trajectories=6, m=3)
    for name, model in (("ann", digits.source), ("bob", digits.strangers[0])):
        others = [other for other in digits.strangers if other is not model]
        enroll(model, digits.queries, scheme=scheme, negatives=others, out=folder / f"{name}.fp")
    return folder


def test_identify_prints_one_object(place: Path) -> None:
    words = ("identify", "suspect.safetensors", "bob.fp", "ann.fp", "--format", "json", "--alpha", "0.8")
    done = run(*words, cwd=place)
    found = as_described("identify", done.stdout)
    assert set(found) == KEYS
    assert (found["schema"], found["verdict"], found["alpha"]) == (1, "derived", 0.8)
    assert re.fullmatch(HASH, found["suspect"])
    first, second = found["candidates"]
    assert set(first) == set(second) == CANDIDATE
    assert found["owner"] == {"fingerprint": "ann.fp", "sha256": first["sha256"]}
    assert re.fullmatch(HASH, first["sha256"])
    assert (first["fingerprint"], first["scheme"], first["verdict"]) == ("ann.fp", "adv-tra", "derived")
    assert (first["p_value"], first["adjusted_p_value"]) == pytest.approx((1 / 4, 1 / 2))
    assert second["fingerprint"] == "bob.fp"
    assert found["message"] in done.stderr.replace("\n", " ")
    run(*words, "--exit-code", cwd=place, code=10)


def test_without_enough_calibration_nobody_is_accused(place: Path) -> None:
    words = ("identify", "suspect.safetensors", "ann.fp", "bob.fp")
    found = as_described("identify", run(*words, "--format", "json", "--exit-code", cwd=place, code=11).stdout)
    assert (found["verdict"], found["owner"]) == ("inconclusive", None)
    assert "needs at least 39" in found["message"]
    table = run("identify", "--budget", "60", *words[1:], cwd=place).stdout
    assert "suspect.safetensors: inconclusive" in table
    assert "ann.fp" in table
    assert "bob.fp: 2 calibration models" in table


def test_identify_is_listed_and_has_help(place: Path) -> None:
    assert "identify" in run("--help", cwd=place).stdout
    assert "k / alpha - 1" in run("identify", "--help", cwd=place).stdout


def test_errors_say_what_is_wrong_with_the_right_code(place: Path) -> None:
    for words, code, message in (
        (("missing.safetensors", "ann.fp"), 1, "missing.safetensors"),
        (("suspect.safetensors", "nothing.fp"), 1, "is no fingerprint"),
        (("suspect.safetensors",), 2, "requires an argument"),
        (("suspect.safetensors", "ann.fp", "ann.fp"), 2, "name each once"),
        (("suspect.safetensors", "ann.fp", "--alpha", "2"), 2, "alpha"),
    ):
        assert message in run("identify", *words, cwd=place, code=code).stderr
