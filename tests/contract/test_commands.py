"""The commands and answers of the contract, run as a user runs them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelprint.cli.app import run as command
from tests.printed import printed as as_described

KEYS = {
    "schema",
    "verdict",
    "scheme",
    "score",
    "alpha",
    "threshold",
    "p_value",
    "false_accusations",
    "queries",
    "access",
    "fingerprint",
    "suspect",
    "matched",
    "trajectories",
    "mean_mutation_rate",
    "details",
    "kinds",
    "asked",
    "answered",
}


@dataclass(frozen=True, kw_only=True)
class Done:
    stdout: str
    stderr: str


def run(*words: str, cwd: Path, code: int = 0) -> Done:
    """A command, in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        found = command(words)
    assert found == code, stdout.getvalue() + stderr.getvalue()
    return Done(stdout=stdout.getvalue(), stderr=stderr.getvalue())


def spawn(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command, in a process of its own, with more environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "modelprint", *words], cwd=cwd, capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, **(env or {})},
    )  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source, a copy, and a fingerprint calibrated on trained independents, all by commands."""
    folder = tmp_path_factory.mktemp("contract")
    small = ("--arch-args", '{"width": 8}', "--epochs", "8")
    run("train", "digits:owner", "--arch", "cnn", "--out", "source.safetensors", *small, cwd=folder)
    run("attack", "source.safetensors", "digits:attacker", "--kind", "ftal", "--out", "copy.safetensors",
        "--set", "epochs=2", cwd=folder)  # fmt: skip
    for seed in range(1, 4):
        name = folder / "negatives" / f"n{seed}.safetensors"
        run("train", "digits:owner", "--arch", "cnn", "--out", str(name), "--seed", str(seed), *small, cwd=folder)
    done = run("enroll", "source.safetensors", "digits:queries", "--out", "fp", "--scheme", "adv-tra",
               "--negatives", "negatives", "--set", "trajectories=10", "--set", "m=4", cwd=folder)  # fmt: skip
    assert "3 calibration models" in done.stdout
    return folder


def verdict_of(place: Path, *words: str, code: int = 0) -> dict[str, Any]:
    done = run("verify", "fp", *words, "--format", "json", cwd=place, code=code)
    found: dict[str, Any] = as_described("verify", done.stdout)
    return found


def test_verify_prints_exactly_the_contracts_object(place: Path) -> None:
    found = verdict_of(place, "copy.safetensors")
    assert set(found) == KEYS
    assert found["schema"] == 1
    assert found["scheme"] == "adv-tra"
    assert found["verdict"] == "inconclusive"  # 3 calibration models cannot show an error rate of 5 %
    assert found["p_value"] == 0.25
    assert found["threshold"] is None
    assert found["false_accusations"] is None
    assert found["queries"] == 10 * 17
    assert found["trajectories"] == 10
    assert found["details"] == {key: found[key] for key in ("matched", "trajectories", "mean_mutation_rate")}
    assert found["score"] == pytest.approx(found["matched"] / 10 + 0.001 * (1 - found["mean_mutation_rate"]))
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", found["suspect"])
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", found["fingerprint"])


def test_alpha_within_reach_of_the_calibration_gives_a_verdict(place: Path) -> None:
    found = verdict_of(place, "copy.safetensors", "--alpha", "0.25", "--exit-code", code=10)
    assert found["verdict"] == "derived"
    assert found["false_accusations"]["n"] == 3
    assert found["score"] > found["threshold"]
    other = verdict_of(place, "negatives/n1.safetensors", "--alpha", "0.25", "--exit-code")
    assert other["verdict"] == "not-shown"
    assert verdict_of(place, "copy.safetensors", "--exit-code", code=11)["verdict"] == "inconclusive"


def test_a_judge_names_his_own_negatives(place: Path) -> None:
    (place / "one").mkdir()
    (place / "one" / "n.safetensors").write_bytes((place / "negatives" / "n1.safetensors").read_bytes())
    found = verdict_of(place, "copy.safetensors", "--negatives", "one", "--alpha", "0.5")
    assert found["false_accusations"]["n"] == 1
    assert found["fingerprint"] == verdict_of(place, "copy.safetensors")["fingerprint"]


def test_budget_asks_whole_trajectories(place: Path) -> None:
    assert verdict_of(place, "copy.safetensors", "--budget", "60")["queries"] == 51
    assert "raise it" in run("verify", "fp", "copy.safetensors", "--budget", "5", cwd=place, code=1).stderr


def test_record_now_and_judge_later(place: Path) -> None:
    for name in ("answers.jsonl", "answers.npz"):
        run("record", "fp", "copy.safetensors", "--out", name, cwd=place)
        later = verdict_of(place, name)
        now = verdict_of(place, "copy.safetensors")
        assert {**later, "suspect": ""} == {**now, "suspect": ""}
        judged = verdict_of(place, name, "--negatives", "negatives", "--alpha", "0.25")
        assert judged["verdict"] == "derived"


def test_inspect_exports_png_queries_with_an_index(place: Path) -> None:
    run("inspect", "fp", "--export-queries", "png", cwd=place)
    assert len(list((place / "png").glob("*.png"))) == 170
    lines = (place / "png" / "index.csv").read_text().splitlines()
    assert lines[0] == "file,sha256,true_label,source_label"
    assert len(lines) == 171
    found = as_described("inspect", run("inspect", "fp", "--format", "json", cwd=place).stdout)
    assert found["scheme"] == "adv-tra"
    assert found["parameters"]["m"] == 4


def test_report_is_one_html_file(place: Path) -> None:
    run("verify", "fp", "copy.safetensors", "--report", "report.html", cwd=place)
    page = (place / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>") or page.startswith("<!doctype html>")
    assert "inconclusive" in page.lower()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["verify", "fp", "missing.safetensors"], 1, "missing.safetensors"),
        (["verify", "nothing", "copy.safetensors"], 1, "no fingerprint"),
        (["verify", "fp"], 2, "requires an argument"),
        (["enroll", "source.safetensors", "digits:queries", "--out", "x", "--scheme", "magic"], 2, "unknown scheme"),
        (["enroll", "source.safetensors", "digits:queries", "--out", "x", "--set", "speed=9"], 2, "no parameter"),
        (["enroll", "source.safetensors", "digits:queries", "--out", "x", "--negatives", "auto:3"], 2, "--train-data"),
        (
            [
                "enroll",
                "source.safetensors",
                "digits:owner",
                "--out",
                "x",
                "--negatives",
                "auto:3",
                "--train-data",
                "digits:owner",
            ],
            1,
            "600 of 600 images",
        ),
        (["enroll", "source.safetensors", "digits:nowhere", "--out", "x"], 1, "unknown split"),
        (["train", "digits:owner", "--arch", "magic", "--out", "x.safetensors"], 2, "unknown architecture"),
        (["verify", "fp", "copy.safetensors", "--alpha", "1.5"], 2, "alpha"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_errors_say_what_is_wrong_with_the_right_code(place: Path, words: list[str], code: int, message: str) -> None:
    assert message in run(*words, cwd=place, code=code).stderr


def test_a_zoos_status_is_shown_without_building_it(place: Path) -> None:
    done = run("zoo", "status", "digits", "--folder", "zoo", "--format", "json", cwd=place)
    found = as_described("zoo-status", done.stdout)
    assert (found["zoo"], found["done"]) == ("digits", 0)
    assert found["total"] > 20
    assert "unknown zoo" in run("zoo", "status", "imaginary", cwd=place, code=2).stderr


def test_an_edited_fingerprint_exits_with_3(place: Path) -> None:
    from shutil import copytree

    copytree(place / "fp", place / "edited")
    path = place / "edited" / "tensors.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert "changed after enrollment" in run("verify", "edited", "copy.safetensors", cwd=place, code=3).stderr


def test_debug_shows_the_traceback(place: Path) -> None:
    assert "Traceback" in run("verify", "nothing", "x", "--debug", cwd=place, code=1).stderr
    plain = spawn("verify", "nothing", "x", cwd=place)
    assert (plain.returncode, "Traceback" in plain.stderr) == (1, False)


def test_help_of_every_command_and_no_torch_until_needed(tmp_path: Path) -> None:
    listed = run("--help", cwd=tmp_path).stdout
    for name in ("demo", "train", "enroll", "attack", "inspect", "verify", "record", "serve-model", "data"):
        assert name in listed
        assert "Usage" in run(name, "--help", cwd=tmp_path).stdout
    check = "import sys, modelprint, modelprint.cli.app; sys.exit('torch' in sys.modules or 'altair' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
