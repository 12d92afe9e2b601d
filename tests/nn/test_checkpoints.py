"""Checkpoints as training scripts and libraries leave them: keys, prefixes, averages, shards, numbers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.loading import LoadedModel, load_folder, load_model, open_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build

SPEC = ModelSpec(arch="cnn", arch_args={"width": 4}, channels=1, size=8, classes=10)
SHAPE = (1, 8, 8)
State = dict[str, Tensor]


def state(seed: int) -> State:
    return dict(build(SPEC, seed=seed).body.state_dict())


def read(path: Path, weights: str = "raw") -> LoadedModel:
    options = ModelOptions(arch="cnn", arch_args={"width": 4}, weights=weights)
    return open_model(path, options, shape=SHAPE, classes=10)


def head(loaded: LoadedModel) -> Tensor:
    weight = loaded.module.state_dict()["body.head.weight"]
    assert isinstance(weight, Tensor)
    return weight


def prefixed(prefix: str, seed: int = 1) -> State:
    return {prefix + name: value for name, value in state(seed).items()}


@pytest.mark.parametrize("name", ["a.ckpt", "a.bin", "a.pth.tar"])
@pytest.mark.parametrize(
    "content",
    [
        lambda: {"state_dict": prefixed("model."), "epoch": 3, "pytorch-lightning_version": "2.5"},
        lambda: {"state_dict": prefixed("net.backbone.")},
        lambda: {"params": state(1)},
        lambda: {"module": state(1)},
        lambda: {"student": state(1), "args": argparse.Namespace(lr=0.1, out=Path("x"))},
        lambda: {"weights": state(1), "loss": np.float64(0.5), "curve": np.zeros(3), "best": np.int64(3)},
        lambda: {"teacher": state(1)},
        lambda: {"model_ema": state(1)},
        lambda: {"network": {"state_dict": state(1)}},
        lambda: {name: value.numpy() for name, value in state(1).items()},
    ],
)
def test_keys_and_prefixes(content: Callable[[], object], name: str, tmp_path: Path):
    torch.save(content(), tmp_path / name)
    assert torch.equal(head(read(tmp_path / name)), state(1)["head.weight"])


@pytest.mark.parametrize("key", ["state_dict_ema", "model_ema", "ema"])
def test_raw_weights_are_taken_and_said_where_averaged_ones_lie_beside(key: str, tmp_path: Path):
    torch.save({"state_dict": state(1), key: state(2)}, tmp_path / "both.pth")
    raw, averaged = read(tmp_path / "both.pth"), read(tmp_path / "both.pth", "ema")
    assert torch.equal(head(raw), state(1)["head.weight"])
    assert f"holds weights under state_dict and {key}: state_dict is taken; --weights ema takes the av" in raw.notes[0]
    assert torch.equal(head(averaged), state(2)["head.weight"])
    assert torch.equal(head(read(tmp_path / "both.pth", key)), state(2)["head.weight"])
    with pytest.raises(ModelError, match="no weights under 'generator'"):
        read(tmp_path / "both.pth", "generator")


def test_averages_under_a_prefix_of_their_own(tmp_path: Path):
    torch.save({"state_dict": {**prefixed("model.", 1), **prefixed("model_ema.", 2)}}, tmp_path / "both.ckpt")
    raw = read(tmp_path / "both.ckpt")
    assert torch.equal(head(raw), state(1)["head.weight"])
    assert "holds averaged weights, too: raw ones are taken; --weights ema takes the averaged ones" in raw.notes[0]
    averaged = read(tmp_path / "both.ckpt", "ema")
    assert torch.equal(head(averaged), state(2)["head.weight"])
    assert not any("raw ones are taken" in note for note in averaged.notes)


@pytest.mark.parametrize(
    "content",
    [
        lambda: {"generator": state(1), "discriminator": state(2)},
        lambda: {"netG": state(1), "netD": state(2), "epoch": 3},
        lambda: {"state_dict": {**prefixed("generator."), **prefixed("discriminator.")}},
        lambda: {"g_ema": state(1)},
    ],
)
def test_networks_that_make_images_are_refused_by_name(content: Callable[[], object], tmp_path: Path):
    torch.save(content(), tmp_path / "gan.pth")
    with pytest.raises(ModelError, match=r"gan.pth holds .*: networks that make images.*no classifier"):
        read(tmp_path / "gan.pth")


def test_a_classifier_among_them_is_named_by_its_key(tmp_path: Path):
    torch.save({"generator": state(2), "discriminator": state(1)}, tmp_path / "gan.pth")
    assert torch.equal(head(read(tmp_path / "gan.pth", "discriminator")), state(1)["head.weight"])
    torch.save({"generator": state(2), "classifier": state(1)}, tmp_path / "both.pth")
    assert torch.equal(head(read(tmp_path / "both.pth")), state(1)["head.weight"])


def test_what_belongs_to_no_layer_is_left_out_and_said(tmp_path: Path):
    extra = {
        "features.0.0.total_ops": torch.zeros(1),
        "features.0.0.index": torch.zeros(2, dtype=torch.int64),
        "val_accuracy.correct": torch.zeros(2),
        "n_averaged": torch.tensor(3),
    }
    torch.save({**state(1), **extra}, tmp_path / "metrics.pth")
    loaded = read(tmp_path / "metrics.pth")
    assert torch.equal(head(loaded), state(1)["head.weight"])
    assert "left out" in loaded.notes[0]
    assert "val_accuracy.correct" in loaded.notes[0]


def test_extra_weights_inside_a_layer_are_refused(tmp_path: Path):
    torch.save({**state(1), "head.lora_A": torch.zeros(2, 4)}, tmp_path / "adapted.pth")
    with pytest.raises(ModelError, match=r"it has head.lora_A which the architecture does not have"):
        read(tmp_path / "adapted.pth")


def test_a_wrapper_in_the_architecture_and_tied_weights(tmp_path: Path):
    (tmp_path / "nets.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Tied(nn.Module):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__()\n"
        "        self.net = nn.ModuleDict({'first': nn.Linear(64, classes), 'second': nn.Linear(classes, classes)})\n"
        "        self.net['second'].bias = self.net['first'].bias\n"
        "        self.register_buffer('order', torch.arange(classes))\n"
        "    def forward(self, x):\n"
        "        return self.net['second'](self.net['first'](x.flatten(1))[:, self.order])\n"
    )
    first, second = nn.Linear(64, 3), nn.Linear(3, 3)
    weights = {"first.weight": first.weight, "first.bias": first.bias, "second.weight": second.weight}
    torch.save(weights, tmp_path / "tied.pth")
    loaded = load_model(tmp_path / "tied.pth", arch=f"{tmp_path}/nets.py:Tied", shape=SHAPE, classes=3)
    images = torch.rand(2, *SHAPE)
    expected = nn.functional.linear(first(images.flatten(1)), second.weight, first.bias)
    torch.testing.assert_close(loaded.module(images), expected)


def sharded(folder: Path) -> Path:
    weights = state(1)
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, folder / file)
    places = {name: file for file, part in parts.items() for name in part}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def test_shards_by_their_index_or_folder(tmp_path: Path):
    index = sharded(tmp_path)
    by_index, by_folder = read(index), read(tmp_path)
    assert torch.equal(head(by_index), state(1)["head.weight"])
    assert by_index.identity == by_folder.identity
    save_file({"other": torch.zeros(2)}, tmp_path / "model-2.safetensors")
    with pytest.raises(ModelError, match=r"model-2.safetensors does not hold .* which the index says"):
        read(index)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "is no index of shards"),
        ("[]", "is no index of shards"),
        ('{"weight_map": {"a": "../other.safetensors"}}', "which is no shard beside it"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "which is no shard beside it"),
        ('{"weight_map": {"a": "absent.safetensors"}}', "absent.safetensors does not exist"),
    ],
)
def test_damaged_and_hostile_indices(text: str, what: str, tmp_path: Path):
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelError, match=what):
        read(tmp_path / "model.safetensors.index.json")


def test_a_folder_of_models_names_the_one_with_other_classes(tmp_path: Path):
    torch.save(state(1), tmp_path / "a.pth")
    other = build(SPEC.model_copy(update={"classes": 7}))
    torch.save(other.body.state_dict(), tmp_path / "b.pth")
    options = ModelOptions(arch="cnn", arch_args={"width": 4})
    with pytest.raises(ModelError, match=r"b.pth does not fit .*the file tells 7 classes apart, 10 were expected"):
        load_folder(tmp_path, options, shape=SHAPE, classes=10)
