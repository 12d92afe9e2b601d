"""A model, a recipe and a checkpoint of one's own, from the command line: train, attack, enroll, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.test_commands import run

OWN = '''
"""A small transformer and the recipe that trains it, in one file."""
import torch
from torch import nn


class Patches(nn.Module):
    def __init__(self, channels, size, classes, patch=2, width=24):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.places = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, inputs):
        tokens = self.patches(2 * inputs - 1).flatten(2).transpose(1, 2) + self.places
        return {"logits": self.head(self.layers(tokens).mean(1))}


def net(channels, size, classes):
    return Patches(channels, size, classes)


def fit(model, data, *, seed, device, progress):
    epochs, size, rate = EPOCHS, 32, 5e-3
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    steps = epochs * -(-len(data.labels) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    model.train()
    for epoch in range(epochs):
        for inputs, targets in data.batches(size, seed + epoch):
            outputs = model(inputs)
            logits = outputs["logits"] if isinstance(outputs, dict) else outputs
            loss = nn.functional.cross_entropy(logits, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
'''
CODE = ("--arch", "own.py:net")
RECIPE = ("--recipe", "own.py:fit")


def prepared(place: Path, data: str, *, epochs: int) -> None:
    """A source, a fine-tuned copy and an independent model."""
    (place / "own.py").write_text(OWN.replace("EPOCHS", str(epochs)))
    run("train", data, *CODE, *RECIPE, "--out", "mine.safetensors", cwd=place)
    run("train", data, *CODE, *RECIPE, "--seed", "77", "--out", "other.safetensors", cwd=place)
    run(
        "attack", "mine.safetensors", "digits:attacker", "--kind", "ftal", *CODE, "--out", "copy.safetensors", cwd=place
    )


def enrolled(place: Path, scheme: str, data: str, *words: str) -> str:
    """What enrolling says on stderr; the fingerprint lies in `place` under the scheme's name."""
    command = (
        "enroll",
        "mine.safetensors",
        "digits:queries",
        "--scheme",
        scheme,
        "--train-data",
        data,
        "--out",
        scheme,
    )
    return run(*command, *CODE, *RECIPE, *words, cwd=place).stderr


def verdict(place: Path, scheme: str, suspect: str, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        run("verify", scheme, f"{suspect}.safetensors", *CODE, "--format", "json", *words, cwd=place).stdout
    )
    return found


def test_an_own_transformer_with_its_own_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = "digits:owner[0:300]"
    prepared(tmp_path, data, epochs=12)
    said = enrolled(tmp_path, "akh", data, "--negatives", "auto:3")
    assert "--negatives auto:3: 3 models, for as long as your own recipe takes" in said
    assert not list((tmp_path / "cache").rglob("*.safetensors"))  # the fingerprint is finished
    mine, theirs = (verdict(tmp_path, "akh", suspect, "--alpha", "0.25") for suspect in ("copy", "other"))
    assert mine["verdict"] == "derived"
    assert mine["score"] > theirs["score"]  # type: ignore[operator]
    assert mine["kinds"] == [{"kind": "INDEPENDENT", "n": 3, "p_value": 0.25, "covered": True}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "words"),
    [("adv-tra", ()), ("contrast", ()), ("cae", ()), ("uap", ("--set", "epsilon=0.25", "least_fooling=0.4"))],
)
def test_calibrated_verdicts_of_every_kind_of_scheme(
    scheme: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    prepared(tmp_path, "digits:owner", epochs=20)
    enrolled(tmp_path, scheme, "digits:owner", "--shadow", "4", "--negatives", "auto:20", "--jobs", "2", *words)
    assert verdict(tmp_path, scheme, "copy")["verdict"] == "derived"
    assert verdict(tmp_path, scheme, "other")["verdict"] == "not-shown"
