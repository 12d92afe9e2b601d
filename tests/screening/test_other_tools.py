"""The files that other tools read: a GitHub Action, a workflow, a pre-commit hook, a container file."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelprint.cli.app import run
from modelprint.nn.kinds import CHECKPOINT_SUFFIXES
from tests.screening.world import World

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / "examples" / "nightly-scan" / "scan.yml"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("schema", "file"), [("github-actions", ACTION), ("github-workflows", WORKFLOW)])
def test_the_schemas_of_github_accept_them(schema: str, file: Path) -> None:
    pytest.importorskip("check_jsonschema")
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_says_what_the_action_takes() -> None:
    action = read(ACTION)
    (step,) = [step for step in read(WORKFLOW)["jobs"]["scan"]["steps"] if step.get("id") == "scan"]
    assert set(step["with"]) <= set(action["inputs"])
    assert {name for name, one in action["inputs"].items() if one.get("required")} <= set(step["with"])
    scripts = [one["run"] for one in action["runs"]["steps"] if "run" in one]
    assert not any("${{" in script for script in scripts)  # no input becomes text of a script


def test_the_container_file_passes_its_linter() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, str(ROOT / "Containerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def scanned(place: Path, *, code: int, fail_on: str, targets: str = "models\n") -> tuple[int, list[str], str]:
    """The action's script with a `modelprint` that ends with a code: its exit code, the words, its outputs."""
    tools, words = place / "bin", place / "words"
    tools.mkdir(exist_ok=True)
    command = tools / "modelprint"
    command.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {shlex.quote(str(words))}\nexit {code}\n')
    command.chmod(0o755)
    outputs = place / "outputs"
    outputs.write_text("")
    inputs = {"REGISTRY": "my owners", "TARGETS": targets, "ARGUMENTS": "--alpha\n0.01\n", "OUTPUT": "out.sarif"}
    environment = {
        **inputs, "FAIL_ON": fail_on, "GITHUB_OUTPUT": str(outputs), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(["bash", str(ROOT / ".github" / "scan.sh")], env=environment, cwd=place, check=False)
    return done.returncode, words.read_text().splitlines() if words.exists() else [], outputs.read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_action_hands_over_its_inputs_and_fails_as_it_is_told(tmp_path: Path) -> None:
    targets = "  models/*.onnx \n\nmy models; rm -rf $HOME\n"
    code, words, outputs = scanned(tmp_path, code=10, fail_on="never", targets=targets)
    assert (code, outputs) == (0, "code=10\n")
    assert words == [
        "scan", "my owners", "models/*.onnx", "my models; rm -rf $HOME", "--alpha", "0.01",
        "--format", "sarif", "--out", "out.sarif", "--exit-code",
    ]  # fmt: skip
    expected = {
        (0, "derived"): 0, (10, "derived"): 10, (11, "derived"): 0, (11, "unsure"): 11, (3, "never"): 3,
        (10, "often"): 2,
    }  # fmt: skip
    for (ends, fail_on), wanted in expected.items():
        assert scanned(tmp_path, code=ends, fail_on=fail_on)[0] == wanted, (ends, fail_on)
    assert scanned(tmp_path, code=0, fail_on="derived", targets="\n")[0] == 2


def test_the_hook_refuses_a_copy(world: World, tmp_path: Path) -> None:
    shutil.copytree(world.registry, tmp_path / "owners")
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    program, *words = shlex.split(hook["entry"])
    assert program == "modelprint"
    assert run([*words, str(tmp_path / "owners"), str(world.models / "source.safetensors")]) == 10
    suffixes = {f".{suffix}" for suffix in hook["files"].removeprefix(r"\.(").removesuffix(")$").split("|")}
    assert suffixes <= {*CHECKPOINT_SUFFIXES, ".safetensors", ".onnx"}
