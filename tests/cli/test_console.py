"""Progress where there is no terminal."""

from __future__ import annotations

import time

import pytest

from modelprint.cli import console
from modelprint.cli.console import Lines


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    now = 0.0
    report = Lines(every=30.0, clock=lambda: now)
    for done in range(51):
        now = 10.0 * done
        report("calibration models", done, 50)
    assert lines[0] == "calibration models: 3 of 50, about 8 min left"
    assert lines[-1] == "calibration models: 48 of 50, about 20 s left"
    assert len(lines) == 16


def test_what_is_over_soon_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    report = Lines(every=30.0, clock=lambda: 1.0)
    for done in range(100):
        report("queries", done, 100)
    assert not lines


def test_a_line_comes_early_where_a_tenth_more_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    now = 0.0
    report = Lines(every=30.0, least=5.0, clock=lambda: now)
    for done in range(101):
        now = 0.6 * done  # a minute in all, a tenth in six seconds
        report("queries", done, 100)
    assert lines[0] == "queries: 10 of 100, about 54 s left"
    assert len(lines) == 10


def test_a_stage_that_comes_again_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two parts of a scheme train shadow models each, minutes apart."""
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    now = 0.0
    report = Lines(every=30.0, least=5.0, clock=lambda: now)
    for began in (0.0, 1000.0):
        for done in range(3):
            now = began + 10 * done
            report("shadow models", done, 2)
    assert lines[-1] == "shadow models: 2 of 2, about 0 s left"
    assert lines[-2] == "shadow models: 1 of 2, about 10 s left"


def test_what_finishes_nothing_for_long_shows_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(console, "say", lines.append)
    now = 0.0
    report = Lines(every=30.0, clock=lambda: now)
    report("trajectories", 0, 100)
    for second in range(1, 100):
        now = float(second)
        report.beat()
    report("trajectories", 100, 100)
    now = 200.0
    report.beat()  # nothing is under way any more
    assert lines == [
        "trajectories: 0 of 100, 30 s so far",
        "trajectories: 0 of 100, 1 min so far",
        "trajectories: 0 of 100, 2 min so far",
        "trajectories: 100 of 100, about 0 s left",
    ]


def test_a_pipe_gets_whole_lines_without_carriage_returns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console.Lines.__init__, "__defaults__", (0.5, 0.1, time.monotonic))
    with console.progress() as report:
        report("trajectories", 0, 2)
        time.sleep(2.2)  # the beat comes by itself
        report("trajectories", 2, 2)
    shown = capsys.readouterr().err
    assert shown.splitlines()[0].startswith("trajectories: 0 of 2, ")
    assert shown.endswith("\n")
    assert not set(shown) & set("\r\x1b")
