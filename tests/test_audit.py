"""The audit of dependencies: a finding fails it, a service that does not answer is said and fails nothing."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AUDIT = Path(__file__).parent.parent / ".ci" / "audit"
FLAW = {"id": "CVE-1", "fix_versions": ["2.1"], "description": "", "aliases": []}
SKIPPED = {"name": "numpy", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture(scope="module")
def verdict() -> Callable[[dict[str, str]], tuple[int, str]]:
    found: Callable[[dict[str, str]], tuple[int, str]] = runpy.run_path(str(AUDIT))["verdict"]
    return found


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_a_known_vulnerability_fails_and_is_named(verdict: Callable[..., tuple[int, str]]) -> None:
    code, text = verdict({"pypi": report({"name": "numpy", "version": "2.0", "vulns": [FLAW]}), "osv": ""})
    assert code == 1
    assert "numpy 2.0: CVE-1, fixed in 2.1" in text


@pytest.mark.parametrize("said", ["", "no JSON", "[]", report(SKIPPED)])
def test_a_service_that_does_not_answer_is_no_clean_bill(said: str, verdict: Callable[..., tuple[int, str]]) -> None:
    code, text = verdict({"pypi": said, "osv": said})
    assert code == 0
    assert text.startswith("NOT CHECKED")


def test_what_one_service_skips_is_said_unless_another_knows_it(verdict: Callable[..., tuple[int, str]]) -> None:
    clean = {"name": "torch", "version": "2.13", "vulns": []}
    assert verdict({"pypi": report(clean, SKIPPED)}) == (0, "no known vulnerability in 1 packages; NOT CHECKED: numpy")
    known = {"name": "numpy", "version": "2.0", "vulns": []}
    both = {"pypi": report(clean, SKIPPED), "osv": report(clean, known)}
    assert verdict(both) == (0, "no known vulnerability in 2 packages")
