"""Progress where there is no terminal."""

from __future__ import annotations

import pytest

from modelprint.cli import console
from modelprint.cli.console import Lines


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    now = 0.0
    report = Lines(every=30.0, clock=lambda: now)
    for done in range(21):
        now = 10.0 * done
        report("calibration models", done, 20)
    assert lines[0] == "calibration models: 3 of 20, about 3 min left"
    assert lines[-1] == "calibration models: 18 of 20, about 20 s left"
    assert len(lines) == 6


def test_what_is_over_soon_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    report = Lines(every=30.0, clock=lambda: 1.0)
    for done in range(100):
        report("queries", done, 100)
    assert not lines
