"""Files that an older version wrote are read for ever."""

from __future__ import annotations

from pathlib import Path

import torch

from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build

FIRST = Path(__file__).parent / "model-v1.safetensors"
SPEC = ModelSpec(
    arch="mlp", arch_args={"width": 2, "depth": 1}, channels=1, size=2, classes=3, mean=(0.5,), std=(0.25,)
)


def test_the_first_model_file_is_read():
    loaded = load_model(FIRST)
    assert loaded.spec == SPEC
    assert loaded.card is not None
    assert (loaded.card.accuracy, loaded.card.recipe) == (0.5, {"kind": "golden"})
    images = torch.tensor([[0.0, 0.25, 0.5, 1.0], [1.0, 1.0, 0.0, 0.0]]).view(2, 1, 2, 2)
    expected = torch.tensor([[-0.96875, 0.78125, 2.53125], [-0.125, 0.125, 0.375]])
    torch.testing.assert_close(loaded.module(images), expected, atol=1e-5, rtol=0)


def test_today_the_same_model_makes_the_same_file(tmp_path):
    model = build(SPEC)
    model.load_state_dict(load_model(FIRST).module.state_dict())
    save_model(tmp_path / "today.safetensors", model, ModelCard(spec=SPEC, recipe={"kind": "golden"}, accuracy=0.5))
    assert (tmp_path / "today.safetensors").read_bytes() == FIRST.read_bytes()
