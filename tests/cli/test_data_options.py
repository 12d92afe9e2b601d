"""DATA on the command line: pictures of many sizes are brought to one, and options that have no effect are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelprint.cli.app import run
from modelprint.data.splits import load_data
from modelprint.nn.loading import load_model


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of many sizes and modes: bright above, or bright below; one of them is damaged."""
    root = tmp_path_factory.mktemp("photos") / "set"
    draw = np.random.default_rng(0)
    for number in range(60):
        name = "above" if number % 2 else "below"
        height, width = draw.integers(8, 30, 2)
        levels = draw.integers(0, 120, (height, width, 3))
        half = slice(None, height // 2) if number % 2 else slice(height // 2, None)
        levels[half] += 120
        image = Image.fromarray(levels.astype(np.uint8))
        (root / name).mkdir(parents=True, exist_ok=True)
        (image.convert("L") if number % 3 else image).save(root / name / f"{number}.{'tif' if number % 5 else 'png'}")
    (root / "above" / "x.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    return root


def said(capsys: pytest.CaptureFixture[str]) -> str:
    shown = capsys.readouterr()
    return shown.out + shown.err


def test_each_refusal_names_the_next_option(
    photos: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert run(["data", str(photos)]) == 1
    assert "give --size" in said(capsys)
    assert run(["data", str(photos), "--size", "8"]) == 1
    assert "give --mode rgb or --mode gray" in said(capsys)
    assert run(["data", str(photos), "--size", "8", "--mode", "gray"]) == 1
    assert "x.jpg cannot be read" in (text := said(capsys))
    assert "--skip-bad" in text
    assert run(["data", str(photos), "--size", "8", "--mode", "gray", "--skip-bad"]) == 0
    assert "1 of 61 pictures cannot be decoded and are left out" in caplog.text
    assert "48 images of 1 x 8 x 8, 2 classes" in said(capsys)


def test_a_model_is_trained_and_enrolled_on_them(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = ["--size", "8", "--mode", "gray", "--crop", "center", "--skip-bad"]
    model = str(tmp_path / "m.safetensors")
    assert run(["train", f"{photos}:owner", "--arch", "mlp", "--epochs", "30", "--out", model, *reading]) == 0
    assert load_model(model).spec.size == 8  # type: ignore[union-attr]
    origin = load_model(model).card.recipe["data"]  # type: ignore[union-attr]
    assert origin == f"{photos}:owner?size=8x8&crop=center&mode=gray&skip-bad=yes"
    assert load_data(origin).shape == (1, 8, 8)
    fingerprint = str(tmp_path / "fp")
    words = ["enroll", model, f"{photos}:stranger", "--scheme", "lineage", "--from-scratch", "--out", fingerprint]
    assert run([*words, *reading]) == 0, said(capsys)
    capsys.readouterr()
    assert run(["verify", fingerprint, model]) == 0
    assert "derived" in said(capsys)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["data", "digits", "--mode", "rgb"], 2, "--mode: for pictures in files, not for digits"),
        (["data", "digits", "--crop", "pad", "--skip-bad"], 2, "--crop and --skip-bad: for pictures in files"),
        (["data", "digits", "--classes", "5"], 1, "digits: a published set is read as it is: leave classes=5 out"),
        (["data", "PHOTOS", "--crop", "center"], 2, "--crop center needs --size"),
        (["data", "PHOTOS", "--size", "1", "2", "3"], 2, "--size takes one side, or height and width, got 3 numbers"),
        (["data", "PHOTOS", "--size", "8", "--background", "blurple"], 1, "background 'blurple' is no colour"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], code: int, reason: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([str(photos) if word == "PHOTOS" else word for word in words]) == code
    assert reason in said(capsys)
