"""Networks of timm and torchvision, random weights: built, saved by their owners, read, attacked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from modelprint.core.errors import ModelError
from modelprint.nn.heads import head_of
from modelprint.nn.loading import load_model
from modelprint.nn.options import ModelOptions
from modelprint.nn.spec import ModelSpec, build

timm = pytest.importorskip("timm")
TINY_VIT = {"patch_size": 2, "embed_dim": 24, "depth": 2, "num_heads": 3}


def spec_of(arch: str, size: int, channels: int = 1, **args: object) -> ModelSpec:
    return ModelSpec(arch=arch, arch_args=args, channels=channels, size=size, classes=7)


def test_a_vision_transformer_of_timm_is_fitted_to_the_data():
    spec = spec_of("timm:vit_tiny_patch16_224", 8, **TINY_VIT)
    model, again, other = (build(spec, seed=seed).eval() for seed in (3, 3, 4))
    images = torch.rand(2, 1, 8, 8)
    assert model(images).shape == (2, 7)
    assert torch.equal(model(images), again(images))
    assert not torch.equal(model(images), other(images))
    assert head_of(model, spec).name == "head"


def test_a_checkpoint_of_timm_is_read_by_its_architecture_name(tmp_path: Path):
    net = timm.create_model("resnet10t", num_classes=7, in_chans=1).eval()
    torch.save({"epoch": 1, "state_dict": net.state_dict()}, tmp_path / "net.pth.tar")
    loaded = load_model(tmp_path / "net.pth.tar", arch="timm:resnet10t", shape=(1, 32, 32), classes=7)
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(loaded.module(images), net(images))
    assert loaded.spec is not None
    assert head_of(loaded.module, loaded.spec).name == "fc"


def test_the_config_file_of_timm_says_all_that_its_weights_do_not(tmp_path: Path):
    net = timm.create_model("vit_tiny_patch16_224", num_classes=7, in_chans=1, img_size=8, **TINY_VIT).eval()
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 7,
        "model_args": TINY_VIT,
        "pretrained_cfg": {"input_size": [1, 8, 8], "mean": [0.3], "std": [0.4]},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    images = torch.rand(2, 1, 8, 8)
    for reference in (tmp_path, f"hf:{tmp_path}", tmp_path / "model.safetensors"):
        loaded = load_model(reference)
        torch.testing.assert_close(loaded.module(images), net((images - 0.3) / 0.4))
    with pytest.raises(ModelError, match=r"classes differ: 7 by .*config.json, 9 by the data"):
        load_model(tmp_path, shape=(1, 8, 8), classes=9)
    with pytest.raises(ModelError, match=r"size differ: 8 by .*config.json, 16 by the data.*give --size 8"):
        load_model(tmp_path, shape=(1, 16, 16), classes=7)


@pytest.mark.parametrize(
    ("arch", "args", "what"),
    [
        ("timm:resnet19", {}, "timm has no classifier 'resnet19': it has resnet"),
        ("timm:hf-hub:somebody/net", {}, "timm has no classifier"),
        ("timm:resnet10t", {"pretrained": True}, "the argument pretrained is not for you to give"),
        ("timm:resnet10t", {"checkpoint_path": "x.pth"}, "the argument checkpoint_path is not for you to give"),
        ("timm:resnet10t", {"colour": 3}, "TypeError"),
    ],
)
def test_what_timm_cannot_build_is_one_clear_line(arch: str, args: dict[str, object], what: str):
    with pytest.raises(ModelError, match=what) as caught:
        build(spec_of(arch, 32, **args))
    assert "\n" not in str(caught.value)


def test_a_first_convolution_of_torchvision_takes_the_channels_of_the_data():
    pytest.importorskip("torchvision")
    spec = spec_of("torchvision:squeezenet1_1", 32)
    model = build(spec, seed=0).eval()
    assert model(torch.rand(2, 1, 32, 32)).shape == (2, 7)
    head = head_of(model, spec)
    assert (head.name, head.classes) == ("classifier.1", 7)
    with pytest.raises(ModelError, match="no classifier 'resnet19'"):
        build(spec_of("torchvision:resnet19", 32))


@pytest.mark.timm
@pytest.mark.parametrize(
    ("arch", "size", "head"),
    [
        ("timm:resnet18", 32, "fc"),
        ("timm:mobilenetv3_small_050", 32, "classifier"),
        ("timm:vit_tiny_patch16_224", 224, "head"),
        ("timm:swin_tiny_patch4_window7_224", 224, "head.fc"),
        ("torchvision:resnet18", 32, "fc"),
        ("torchvision:vit_b_16", 32, "heads.head"),
        ("torchvision:mobilenet_v2", 32, "classifier.1"),
        ("torchvision:googlenet", 64, "fc"),
    ],
)
def test_networks_in_full(arch: str, size: int, head: str, tmp_path: Path):
    spec = spec_of(arch, size, channels=3)
    model = build(spec, seed=1).eval()
    assert head_of(model, spec).name == head
    save_file(model.body.state_dict(), tmp_path / "net.safetensors")
    options = ModelOptions(arch=arch, mean=(0.5,), std=(0.25,))
    loaded = load_model(
        tmp_path / "net.safetensors", arch=arch, mean=options.mean, std=options.std, shape=spec.shape, classes=7
    )
    images = torch.rand(2, *spec.shape)
    torch.testing.assert_close(loaded.module(images), model.body((images - 0.5) / 0.25))
