"""What a user's own code does wrong ends in one line that names his file and line, never in our traceback."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.cli.app import run
from modelprint.core.errors import SuspectError
from modelprint.data.splits import load_data
from modelprint.ownership.enroll import enroll
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.verify import verify
from tests.conftest import Digits

NET = """import os, random, sys
import numpy, torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        self.register_buffer("seen", torch.zeros(1), persistent=False)

    def forward(self, x):
{}
"""
FIRST = 12  # the line of forward's first statement
ENROLL = ("enroll", "net.pt", "digits:queries", "--arch", "net.py:Net", "--out", "fp", "--budget", "40")


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Of a network that is right on most digits."""
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    data = load_data("digits:owner")
    images, labels = torch.from_numpy(data.stored).float() / 255, torch.from_numpy(data.labels)
    optimizer = torch.optim.Adam(body.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(body(images), labels).backward()
        optimizer.step()
    return {f"body.{name}": value for name, value in body.state_dict().items()}


@pytest.fixture
def place(tmp_path: Path, weights: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.save(weights, tmp_path / "net.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def forward(*lines: str) -> str:
    return NET.format("\n".join(f"        {line}" for line in lines))


def at(line: int) -> str:
    return rf"\(net\.py, line {FIRST + line}\)"


@pytest.mark.parametrize(
    ("scheme", "lines", "message"),
    [
        ("adv-tra", ["return self.body(x).detach()"], r"forward blocks gradients \(torch.no_grad or detach\)"),
        ("adv-tra", ["with torch.no_grad():", "    return self.body(x)"], "forward blocks gradients"),
        (
            "adv-tra",
            ["return self.body(torch.from_numpy(x.detach().numpy()))"],
            "no gradient reaches the inputs: the model's forward takes them out of the graph",
        ),
        ("akh", ["y = self.body(x)", "return {'answer': y}['logits']"], "KeyError: 'logits' " + at(1)),
        ("akh", ["sys.exit(7)"], r"SystemExit: 7 " + at(0)),
        ("akh", ["self.body(x)"], "the model returns nothing: is a `return` missing"),
        ("akh", ["return self.body(x).detach().numpy()"], "returns an array of NumPy: .* as a tensor of torch"),
        ("akh", ["return ['cat' for _ in x]"], "the model returns a str: it must return logits"),
        ("akh", ["return self.body(x)[:, :9]"], r"outputs of shape \(2, 9\) for two images: expected \(2, 10\)"),
        ("akh", ["return self.body(x).argmax(1)"], r"outputs of shape \(2,\) for two images"),
        ("akh", ["return self.body(x).sum(0, keepdim=True)"], r"outputs of shape \(1, 10\) for two images"),
        ("akh", ["x = x.to('cuda')", "return self.body(x)"], r"fails on two images .*" + at(0)),
        ("akh", ["return self.body(x.reshape(len(x), 100))"], "fails on two images .*invalid for input.*" + at(0)),
        ("akh", ["return self.body(x.int())"], "fails on two images .*RuntimeError.*" + at(0)),
        ("akh", ["if len(x) > 30:", "    raise MemoryError", "return self.body(x[:30])"], None),
        ("akh", ["if len(x) > 30:", "    x = x['all']", "return self.body(x)"], "TypeError: .*" + at(1)),
        ("akh", ["if len(x) > 30:", "    sys.exit()", "return self.body(x)"], r"net\.py, line 13 ended the program"),
        ("akh", ["self.train()", "return self.body(x)"], "its forward puts the model into training mode"),
        ("akh", ["self.seen += 1", "return self.body(x)"], r"changes its own weights or statistics \(seen\)"),
        ("akh", ["return self.body(x) + torch.randn(1)"], "answers differ between two identical calls"),
        ("akh", ["return self.body(x) / 0 * 0"], "NaN or infinite outputs"),
    ],
)
def test_a_forward_that_does_wrong(
    place: Path, capsys: pytest.CaptureFixture[str], scheme: str, lines: list[str], message: str | None
) -> None:
    (place / "net.py").write_text(forward(*lines))
    words = [*ENROLL, "--scheme", scheme]
    if message is None:  # less memory than a batch needs: batches are halved
        assert run(words) == 0
        return
    assert_refused(run(words), capsys, message)
    assert not (place / "fp").exists()
    run([*words, "--debug"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def Net(:\n    pass", r"cannot import net\.py: SyntaxError: .*\(net\.py, line 1\)"),
        ("import no_such_package", r"cannot import net\.py: ModuleNotFoundError: .*\(net\.py, line 1\)"),
        ("x = 1\nimport sys\nsys.exit(0)", r"cannot import net\.py: it ended the program: .*\(net\.py, line 3\)"),
        ("def net(): pass", r"net\.py has no Net: it has net"),
        ("def Net(): pass", r"net\.py:Net returned nothing: it must return a torch.nn.Module"),
        ("def Net(width): pass", r"net\.py:Net failed: TypeError: .*'width' \(net\.py, line 1\); look at --arch-args"),
        ("def Net():\n    return {}['body']", r"net\.py:Net failed: KeyError: 'body' \(net\.py, line 2\)"),
        ("Net = 3", r"net\.py:Net is a int: name a function or a class"),
    ],
)
def test_code_that_builds_no_network(place: Path, capsys: pytest.CaptureFixture[str], code: str, message: str) -> None:
    (place / "net.py").write_text(code)
    assert_refused(run([*ENROLL, "--scheme", "akh"]), capsys, message)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["return None"], "the recipe did not train"),
        (["raise ValueError('too few')"], r"recipe fit\.py:fit failed: ValueError: too few \(fit\.py, line 3\)"),
        (["return torch.nn.Linear(1, 1)"], "returned another model: it must train the one that it is given"),
        (["import sys", "sys.exit()"], r"ended the program: let it return, or raise an error \(fit\.py, line 4\)"),
        (["data['images']"], r"TypeError: .*\(fit\.py, line 3\)"),
    ],
)
def test_a_recipe_that_does_wrong(
    place: Path, capsys: pytest.CaptureFixture[str], lines: list[str], message: str
) -> None:
    body = "\n".join(f"    {line}" for line in lines)
    (place / "fit.py").write_text(f"import torch\ndef fit(model, data, *, seed, device, progress):\n{body}\n")
    words = ["train", "digits:owner", "--arch", "mlp", "--recipe", "fit.py:fit", "--out", "x.safetensors"]
    assert_refused(run(words), capsys, message)
    assert not (place / "x.safetensors").exists()


def test_training_says_that_forward_blocks_gradients(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "net.py").write_text(forward("return self.body(x).detach()"))
    words = ["train", "digits:owner", "--arch", "net.py:Net", "--epochs", "1", "--out", "x.safetensors"]
    assert_refused(run(words), capsys, r"no gradient reaches its weights. Its forward blocks gradients")


def test_what_is_only_odd_changes_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "net.py").write_text(forward("return self.body(x)"))
    assert run([*ENROLL, "--scheme", "akh"]) == 0
    plain, expected = capsys.readouterr().out, (place / "fp" / "tensors.safetensors").read_bytes()
    seeds = ("torch.manual_seed(3)", "numpy.random.seed(3)", "random.seed(3)")
    (place / "net.py").write_text(forward("print('x' * 200)", *seeds, "return self.body(x)"))
    before = random.getstate(), torch.get_rng_state().clone(), np.random.get_state()[1].copy()
    assert run([*ENROLL, "--scheme", "akh"]) == 0
    printed = capsys.readouterr()
    assert re.sub("sha256:[0-9a-f]+", "", printed.out) == re.sub("sha256:[0-9a-f]+", "", plain)
    assert "x" * 200 in printed.err
    assert (place / "fp" / "tensors.safetensors").read_bytes() == expected
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(np.random.get_state()[1], before[2])


def test_a_process_that_forward_forked_does_not_go_on(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "net.py").write_text("import os\nos.fork()\n" + forward("return self.body(x)"))
    assert run([*ENROLL, "--scheme", "akh"]) == 0
    printed = capfd.readouterr()
    assert printed.out.count("40 queries by akh") == 1  # and not two
    assert "a process that your code forked came back from it, and ends here" in printed.err


@pytest.fixture(scope="module")
def fingerprint(digits: Digits) -> Fingerprint:
    return enroll(digits.source, digits.queries, scheme="akh", budget=40, negatives=digits.strangers)


def _raises(images: np.ndarray) -> Any:
    return {}["labels"]


def _exits(images: np.ndarray) -> Any:
    raise SystemExit(4)


def _returns_nothing(images: np.ndarray) -> Any:
    images.mean()


def _wants_more(images: np.ndarray, device: str) -> Any:
    return images


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_raises, r"failed: KeyError: 'labels' \(.*test_own_code\.py, line \d+\)"),
        (_exits, r"failed: it ended the program: .*test_own_code\.py, line \d+\)"),
        (_returns_nothing, "returned nothing: is a `return` missing"),
        (_wants_more, r"failed: TypeError: .*'device' \(.*test_own_code\.py, line \d+\)"),
        (lambda images: images, r"gave outputs of shape \(\d+, 1, 8, 8\) to \d+ images: expected labels"),
        (lambda images: [0], r"gave outputs of shape \(1,\) to \d+ images"),
        (lambda images: [[0.5], [0.5, 0.5]], "gave no array of labels or scores"),
        (lambda images: np.full((len(images), 10), np.nan), "NaN"),
        (lambda images: np.array([99] * len(images)), "99"),
        (lambda images: ["dog"] * len(images), "answered class 'dog'"),
    ],
)
def test_a_callable_that_does_wrong(fingerprint: Fingerprint, function: Callable[..., Any], message: str) -> None:
    with pytest.raises(SuspectError, match=message) as caught:
        verify(fingerprint, function)
    assert "\n" not in str(caught.value)


def test_a_callable_may_seed_what_it_likes(digits: Digits, fingerprint: Fingerprint) -> None:
    def seeded(images: np.ndarray) -> np.ndarray:
        torch.manual_seed(1)
        with torch.inference_mode():
            return digits.source(torch.from_numpy(images).float() / 255).argmax(1).numpy()

    before = torch.get_rng_state().clone()
    assert verify(fingerprint, seeded, alpha=0.25).verdict == "derived"
    assert torch.equal(torch.get_rng_state(), before)


def assert_refused(code: int, capsys: pytest.CaptureFixture[str], message: str) -> None:
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    assert code == 1
    assert re.search(message, line), line
    assert "Traceback" not in printed.err
    assert os.path.join("src", "modelprint") not in printed.err  # noqa: PTH118 - a part of a path in a text
    assert not printed.out
