"""The commands that a report prints make the fingerprint again: they are run, word for word."""

from __future__ import annotations

import contextlib
import html
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelprint.cli.app import run as command
from modelprint.core.errors import FingerprintError, UsageError
from modelprint.core.identity import canonical_json, digest
from modelprint.data.splits import load_data
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.options import EnrollmentOptions
from modelprint.report.verdict.commands import _setting, commands
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Scheme

NET = """
from torch import nn

def net(channels, size, classes, width=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, width), nn.ReLU(), nn.Linear(width, classes))
"""


def run(folder: Path, *words: str) -> None:
    output = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = command(words)
    assert code == 0, output.getvalue()


def printed(page: Path) -> list[list[str]]:
    """The commands of a report, as a shell splits them, without the program's name."""
    found = re.search(r"<pre>(modelprint enroll.*?)</pre>", page.read_text(), re.DOTALL)
    assert found is not None
    return [shlex.split(text.replace("\\\n", ""))[1:] for text in html.unescape(found[1]).split("\n\n")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    run(folder, "train", "digits:owner", "--arch", "cnn", "--arch-args", '{"width": 8}', "--epochs", "6", "--out",
        "source.safetensors")  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("scheme", "options"),
    [
        ("adv-tra", ("--set", "trajectories=4", "m=3", "--expect", "jpeg", "--budget", "70", "--seed", "3")),
        ("cae", ("--shadow", "2", "--train-data", "digits:owner", "--negatives", "auto:2", "--set", "queries=10")),
    ],
)  # fmt: skip
def test_the_printed_commands_make_the_same_fingerprint(place: Path, scheme: str, options: tuple[str, ...]) -> None:
    first, again, page = f"{scheme}-first", f"{scheme}-again", place / f"{scheme}.html"
    run(place, "enroll", "source.safetensors", "digits:queries", "--out", first, "--scheme", scheme, *options)
    run(place, "verify", first, "source.safetensors", "--report", page.name)
    enroll, verify = printed(page)
    names = {"SOURCE": "source.safetensors", "FINGERPRINT": again, "SUSPECT": "source.safetensors"}
    run(place, *(names.get(word, word) for word in enroll))
    one, other = Fingerprint.load(place / first), Fingerprint.load(place / again)
    np.testing.assert_array_equal(one.queries, other.queries)
    assert one.identity == other.identity
    run(place, *(names.get(word, word) for word in verify))
    assert printed(place / "report.html")[0] == enroll


def test_the_printed_command_says_how_the_sources_file_is_read(place: Path) -> None:
    (place / "net.py").write_text(NET)
    scope: dict[str, Any] = {}
    exec(NET, scope)
    torch.manual_seed(0)
    model, data = scope["net"](1, 8, 10, width=16), load_data("digits:owner")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs, labels = (data.stored.reshape(-1, 1, 8, 8) / 255 - 0.5) / 0.25, torch.from_numpy(data.labels)
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(model(torch.from_numpy(inputs).float()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(model.state_dict(), place / "own.pth")
    said = ("--arch", "net.py:net", "--arch-args", '{"width": 16}', "--mean", "0.5", "--std", "0.25")
    run(place, "enroll", "own.pth", "digits:queries", "--out", "own", "--scheme", "akh", "--budget", "20", *said)
    run(place, "verify", "own", "source.safetensors", "--report", "own.html")
    enroll, _ = printed(place / "own.html")
    run(place, *({"SOURCE": "own.pth", "FINGERPRINT": "own-again"}.get(word, word) for word in enroll))
    assert Fingerprint.load(place / "own").identity == Fingerprint.load(place / "own-again").identity


def test_a_fingerprint_without_options_is_written_as_before(place: Path) -> None:
    run(place, "enroll", "source.safetensors", "digits:queries", "--out", "bare", "--scheme", "akh", "--budget", "20")
    assert b'"enrollment"' not in (place / "bare" / "manifest.json").read_bytes()


def test_what_an_old_fingerprint_does_not_name_is_a_word_in_capitals(records) -> None:  # type: ignore[no-untyped-def]
    text = commands(records.fingerprint, records.copy("thief.onnx"), negatives="others of mine")
    enroll, verify = text.split("\n\n")
    assert "--negatives INDEPENDENT_MODELS" in enroll
    assert "--shadow" not in enroll
    assert "--train-data" not in enroll
    assert "--set precision=single" in enroll  # what it was before it was named
    assert "--negatives 'others of mine'" in verify


def test_an_option_that_is_none_is_refused(place: Path) -> None:
    run(place, "enroll", "source.safetensors", "digits:queries", "--out", "odd", "--scheme", "akh", "--budget", "20",
        "--negatives", "auto:1", "--train-data", "digits:owner")  # fmt: skip
    fingerprint = Fingerprint.load(place / "odd")
    assert fingerprint.manifest.enrollment == EnrollmentOptions(train_data="digits:owner", negatives="auto:1")
    content = fingerprint.manifest.model_dump(mode="json")
    content["enrollment"]["model"] = {"arch; rm -rf": "x"}
    data = canonical_json(content)
    (place / "odd" / "manifest.json").write_bytes(data)
    (place / "odd" / "SHA256").write_bytes(digest(data).encode())
    with pytest.raises(FingerprintError, match="does not know"):
        Fingerprint.load(place / "odd")


def presets() -> Iterator[Scheme]:
    for kind in (SCHEMES[name] for name in SCHEMES):
        yield kind()
        with contextlib.suppress(UsageError):
            yield kind.preset("paper")


@pytest.mark.parametrize("scheme", list(presets()), ids=repr)
def test_every_hyper_parameter_survives_being_printed(scheme: Scheme) -> None:
    settings = {key: _setting(value) for key, value in scheme.parameters().items()}
    assert type(scheme)().with_settings(settings) == scheme
