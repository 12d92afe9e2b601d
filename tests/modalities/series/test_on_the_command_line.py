"""Series on the command line: WAV folders are trained on, copied, enrolled, and asked over HTTP as JSON and as WAV."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI, Request

from modelprint.cli.app import run
from modelprint.core.access import Access
from modelprint.modalities.series.wav import read_wav, write_wav
from modelprint.nn.loading import load_model
from modelprint.suspects.local import TorchSuspect
from modelprint.suspects.serving import create_app
from tests.suspects.servers import running

CLASSES = ("high", "low", "middle")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """Noisy tones in class folders of WAV files, a source, a tuned copy."""
    root = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    time = np.arange(200) / 1000
    for label, frequency in zip(CLASSES, (250, 60, 140), strict=True):
        (root / "sounds" / label).mkdir(parents=True)
        for number in range(100):
            tone = np.sin(2 * np.pi * frequency * random.uniform(0.7, 1.4) * time + random.uniform(0, 6))
            sound = 0.3 * tone + 0.15 * random.standard_normal(200)
            samples = np.rint(sound.clip(-1, 0.999) * 2**15).astype(np.int16)[None]
            (root / "sounds" / label / f"{number}.wav").write_bytes(write_wav(samples, 1000))
    data, how = root / "sounds", ["--arch", "series-cnn", "--epochs", "8"]
    assert run(["train", f"{data}:owner", *how, "--out", str(root / "source.safetensors")]) == 0
    attack = ["attack", str(root / "source.safetensors"), f"{data}:attacker", "--kind", "ftal", "--set", "epochs=2"]
    assert run([*attack, "--out", str(root / "copy.safetensors")]) == 0
    enroll = ["enroll", str(root / "source.safetensors"), f"{data}:queries", "--scheme", "akh", "--set", "queries=20"]
    assert run([*enroll, "--out", str(root / "fp")]) == 0
    return root


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    capsys.readouterr()
    return capsys


def score(said: pytest.CaptureFixture[str], *arguments: str) -> float:
    assert run(["verify", *arguments, "--format", "json"]) == 0
    return float(json.loads(said.readouterr().out)["score"])


def test_sounds_are_asked_as_json_and_as_wav_files(place: Path, said) -> None:
    assert run(["data", f"{place / 'sounds'}:owner"]) == 0
    assert "series of 1 x 200, 3 classes" in said.readouterr().out
    fingerprint = str(place / "fp")
    expected = score(said, fingerprint, str(place / "copy.safetensors"))
    model = load_model(place / "copy.safetensors")
    assert model.spec is not None
    modality = model.spec.modality
    suspect = TorchSuspect(model.module, model.identity, modality=modality)
    app = create_app(
        suspect, name="copy", input_shape=(1, 200), classes=3, access=Access.SCORES, modality=modality
    )  # fmt: skip
    with running(app) as url:
        assert score(said, fingerprint, url) == expected

    app, rates = FastAPI(), set()

    @app.post("/")
    async def classify(request: Request) -> list[dict[str, object]]:
        assert request.headers["content-type"] == "audio/wav"
        sound = read_wav(await request.body(), who="the request")
        rates.add(sound.rate)
        label = int(suspect.ask(sound.samples[None]).labels[0])
        return [{"label": CLASSES[label], "score": 1.0}]

    with running(app) as url:
        assert score(said, fingerprint, url, "--api", "image") == expected
    assert rates == {1000}


def test_what_does_not_fit_is_refused_in_one_line(place: Path, said, caplog) -> None:
    sounds, fingerprint = place / "sounds", str(place / "fp")
    assert run(["train", f"{sounds}:owner", "--arch", "cnn", "--out", str(place / "x.safetensors")]) == 1
    assert "architecture cnn does not take series: use series-cnn, series-fcn" in said.readouterr().err
    assert run(["data", f"{sounds}", "--text", "body"]) == 2
    assert "--text: for other data than" in said.readouterr().err
    shorter = ["train", f"{sounds}:owner", "--length", "100", "--arch", "series-mlp", "--epochs", "1"]
    assert run([*shorter, "--out", str(place / "short.safetensors")]) == 0
    assert run(["verify", fingerprint, str(place / "short.safetensors")]) == 1
    assert "takes series of 100 samples" in said.readouterr().err
    slower = ["train", f"{sounds}:owner", "--rate", "500", "--arch", "series-mlp", "--epochs", "1"]
    assert run([*slower, "--out", str(place / "slow.safetensors")]) == 0
    assert "were resampled to 500 samples a second" in caplog.text
    assert run(["enroll", str(place / "slow.safetensors"), f"{sounds}:queries", "--out", str(place / "no")]) == 1
    assert "series of 100 samples" in said.readouterr().err
