"""What long work takes is said before it starts, measured on a few inputs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from modelprint.nn.refs import held
from modelprint.ownership import costs, measured
from modelprint.ownership.ask import cost
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.measured import Measured, announce_crafting, measure
from modelprint.ownership.verify import examine
from modelprint.schemes import SCHEMES
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Effort, Enrollment, Scheme
from tests.conftest import Digits


class Slow(nn.Module):
    """A network that takes 5 ms for every input, and 10 more for its gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        time.sleep(0.005 * len(inputs))
        if inputs.requires_grad:
            inputs.register_hook(lambda gradient: time.sleep(0.01 * len(gradient)))
        logits: Tensor = self.inner(inputs)
        return logits


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", budget=60, negatives=digits.strangers)


def test_seconds_are_those_of_the_network(digits: Digits) -> None:
    each = measure(Enrollment(source=Slow(digits.source), seeds=digits.queries), "single", gradients=True)
    assert 0.005 <= each.answer < 0.05
    assert each.gradient is not None
    assert 0.015 <= each.gradient < 0.15
    assert measure(Enrollment(source=digits.source, seeds=digits.queries), "double", gradients=False).gradient is None


def test_memory_is_that_of_the_weights_and_of_what_a_gradient_keeps(digits: Digits) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).eval()
    each = measure(Enrollment(source=net, seeds=digits.queries), "single", gradients=True)
    assert each.weights == 4 * (64 * 32 + 32 + 32 * 10 + 10)
    assert each.kept == 4 * 32  # what ReLU let through
    effort = Effort(queries=1, gradients=1.0, together=1000)
    assert each.memory(effort, together=500) == each.weights + 500 * each.kept
    double = measure(Enrollment(source=net, seeds=digits.queries), "double", gradients=True)
    assert (double.weights, double.kept) == (2 * each.weights, 2 * each.kept)
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


def test_an_effort_in_seconds() -> None:
    each = Measured(answer=0.5, gradient=2.0, kept=0, weights=0)
    assert each.seconds(Effort(queries=10, answers=4.0, gradients=3.0)) == 8.0


def test_long_crafting_is_said_before_it_starts(
    digits: Digits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    scheme = AdvTra(trajectories=2, m=2)
    heard: list[str] = []
    enroll(digits.source, digits.queries, scheme=scheme, notice=heard.append)
    assert not any("are crafted" in line for line in heard)  # less than a minute
    monkeypatch.setattr(measured, "WORTH_SAYING", 0.0)
    enroll(digits.source, digits.queries, scheme=scheme, notice=heard.append)
    (line,) = [line for line in heard if "are crafted" in line]
    assert line.startswith("adv-tra: up to 18 queries are crafted, about ")
    assert " of memory on cpu (measured on 4 images); what is finished is kept in " in line


@pytest.mark.parametrize("name", ["adv-tra", "cae", "cort", "contrast", "ipguard", "residual", "uap"])
def test_every_scheme_that_takes_long_says_what_it_asks(
    name: str, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "WORTH_SAYING", 0.0)
    scheme: Scheme = SCHEMES[name]()
    pair = held(digits.strangers[:2])
    context = Enrollment(
        source=digits.source,
        seeds=digits.queries,
        train_images=digits.owner,
        surrogates=pair,
        references=pair,
        budget=200,
    )
    heard: list[str] = []
    announce_crafting(scheme, context, calibration=20, notice=heard.append, kept_in=None)
    queries = 185 if name == "adv-tra" else 200
    assert heard[0].startswith(f"{name}: up to {queries} queries are crafted, about ")


def test_an_effort_is_about_what_crafting_counts(digits: Digits) -> None:
    context = Enrollment(source=digits.source, seeds=digits.queries)
    scheme = AdvTra(trajectories=20)
    queries = scheme.craft(context, torch.Generator().manual_seed(0))
    effort = scheme.effort(context)
    assert effort.queries == len(queries)
    assert 0.5 < queries.report["forward_evaluations"] / effort.gradients < 1.5


def test_a_slow_suspect_here_is_said_before_it_is_asked(
    digits: Digits, fingerprint: Fingerprint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costs, "WORTH_SAYING", 0.1)
    heard: list[str] = []
    examine(fingerprint, Slow(digits.source), alpha=0.25, notice=heard.append)
    assert any("queries, about " in line and line.endswith(" on this machine") for line in heard)
    seconds = cost(fingerprint, Slow(digits.source)).seconds
    assert seconds is not None
    assert seconds > 0.005 * 60


def test_a_callable_is_not_asked_to_be_measured(fingerprint: Fingerprint) -> None:
    def paid(images: np.ndarray) -> np.ndarray:
        raise AssertionError("asked")

    assert cost(fingerprint, paid).seconds is None
