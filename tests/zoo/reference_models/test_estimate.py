"""Long training is said before it starts."""

from __future__ import annotations

import pytest

from modelprint.data.splits import load_data
from modelprint.training.train import spec_for
from modelprint.zoo.reference_models import estimate
from modelprint.zoo.reference_models.calibration import course_of, independent_tasks
from modelprint.zoo.reference_models.estimate import announce, seconds_per_input
from modelprint.zoo.reference_models.shelf import Shelf
from modelprint.zoo.reference_models.training import HowTrained


def said(monkeypatch: pytest.MonkeyPatch, seconds: float, *, jobs: int = 1) -> list[str]:
    owner = load_data("digits:owner").take(slice(0, 100), name="few")
    course = course_of(owner, spec_for(owner, "mlp", {"width": 8}), HowTrained(settings={"epochs": "10"}))
    monkeypatch.setattr(estimate, "seconds_per_input", lambda _: seconds)
    monkeypatch.setattr(estimate.os, "cpu_count", lambda: 4)
    lines: list[str] = []
    announce(
        "--negatives auto:20",
        course,
        independent_tasks(20, seed=0),
        shelf=Shelf(),
        jobs=jobs,
        notice=lines.append,
        cheaper="--negatives FOLDER of public models",
    )
    return lines


def test_more_than_a_minute_is_said_with_a_cheaper_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = said(monkeypatch, 0.042, jobs=1)  # 20 models x 10 epochs x 100 images x .042 s
    assert line.startswith(
        "--negatives auto:20: 20 models, about 14 min on 1 job (or --negatives FOLDER of public models)"
    )
    (half,) = said(monkeypatch, 0.042, jobs=2)
    assert "about 7 min on 2 jobs" in half


def test_less_than_a_minute_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not said(monkeypatch, 0.002)


def test_a_pass_is_measured() -> None:
    owner = load_data("digits:owner").take(slice(0, 50), name="few")
    course = course_of(owner, spec_for(owner, "mlp", {"width": 8}), HowTrained())
    assert 0 < seconds_per_input(course) < 1
