"""Weights as other people's files hold them: quantised, and under the names of well-known repositories."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.loading import load_model

ARCH = """
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, shortcut):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut_name = shortcut
        side = nn.Sequential()
        if stride != 1 or inputs != outputs:
            side = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        setattr(self, shortcut, side)

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + getattr(self, self.shortcut_name)(x))


class ResNet(nn.Module):
    def __init__(self, classes, shortcut, head):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.layer1 = nn.Sequential(Block(4, 4, 1, shortcut))
        self.layer2 = nn.Sequential(Block(4, 8, 2, shortcut))
        self.head_name = head
        setattr(self, head, nn.Linear(8, classes))

    def forward(self, x):
        out = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return getattr(self, self.head_name)(out.mean((2, 3)))


def kuangliu(classes=10):
    return ResNet(classes, "shortcut", "linear")


def timm(classes=10):
    return ResNet(classes, "downsample", "fc")
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(ARCH)
    return tmp_path / "nets.py"


def built(nets: Path, name: str) -> nn.Module:
    scope: dict[str, object] = {}
    exec(compile(nets.read_text(), str(nets), "exec"), scope)
    torch.manual_seed(0)
    module: nn.Module = scope[name]()  # type: ignore[operator]
    return module.eval()


def parallel(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names that torch.nn.DataParallel gives."""
    return {f"module.{key}": value for key, value in state.items()}


def images() -> Tensor:
    return torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "nest"),
    [
        ("kuangliu", lambda state: {"net": parallel(state), "acc": 95.1, "epoch": 9}),
        ("kuangliu", lambda state: {"state_dict": parallel(state), "best_prec1": 91.7}),
        ("timm", lambda state: state),
        ("timm", lambda state: {"epoch": 3, "arch": "resnet", "state_dict": state, "version": 2, "metric": 80.0}),
        ("timm", lambda state: {"state_dict": state, "args": argparse.Namespace(lr=0.1), "optimizer": {"state": {}}}),
    ],
)  # fmt: skip
def test_checkpoints_of_well_known_repositories(nets: Path, tmp_path: Path, name: str, nest: object) -> None:
    """pytorch-cifar and pytorch_resnet_cifar10 (DataParallel), timm's weights and its training script's."""
    net = built(nets, name)
    torch.save(nest(net.state_dict()), tmp_path / "m.pth")  # type: ignore[operator]
    loaded = load_model(tmp_path / "m.pth", arch=f"{nets}:{name}", shape=(3, 8, 8), classes=10)
    torch.testing.assert_close(loaded.module(images()), net(images()))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("zero_point", [True, False])
def test_integers_beside_their_scales(nets: Path, tmp_path: Path, per_channel: bool, zero_point: bool) -> None:
    net = built(nets, "timm")
    state: dict[str, Tensor] = {}
    for key, value in net.state_dict().items():
        if value.ndim < 2:
            state[key] = value
            continue
        flat = value.flatten(1) if per_channel else value.reshape(1, -1)
        scale, shift = flat.abs().amax(1) / 100, torch.full((len(flat),), 7 if zero_point else 0, dtype=torch.int8)
        wide = [-1, *[1] * (value.ndim - 1)]
        state[key] = ((value / scale.reshape(wide)).round() + shift.reshape(wide)).to(torch.int8)
        state[f"{key}_scale"] = scale if per_channel else scale[0]
        if zero_point:
            state[f"{key}_zero_point"] = shift if per_channel else shift[0]
    save_file(state, tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors", arch=f"{nets}:timm", shape=(3, 8, 8), classes=10)
    torch.testing.assert_close(loaded.module(images()), net(images()), atol=0.05, rtol=0.05)
    state["conv1.weight_scale"] = torch.ones(3)
    save_file(state, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=r"conv1\.weight_scale has shape \(3,\) for weights of shape \(4, 3, 3, 3\)"):
        load_model(tmp_path / "m.safetensors", arch=f"{nets}:timm")


@pytest.mark.filterwarnings("ignore")
def test_what_torch_quantised(tmp_path: Path) -> None:
    """A converted module: quantised tensors, packed linear layers, scales of activations."""
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10))"
    )
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 10)).eval()
    conv = torch.quantize_per_channel(net[0].weight.detach(), torch.full((4,), 0.01), torch.zeros(4), 0, torch.qint8)
    linear = torch.quantize_per_tensor(net[2].weight.detach(), 0.001, 0, torch.qint8)
    state = {
        "0.weight": conv, "0.bias": net[0].bias.detach(), "0.scale": torch.tensor(0.1), "0.zero_point": torch.tensor(3),
        "2.scale": torch.tensor(0.1), "2.zero_point": torch.tensor(3), "2._packed_params.dtype": torch.qint8,
        "2._packed_params._packed_params": (linear, net[2].bias.detach()),
    }  # fmt: skip
    torch.save(state, tmp_path / "q.pt")
    loaded = load_model(tmp_path / "q.pt", arch=f"{tmp_path / 'net.py'}:net", shape=(3, 8, 8), classes=10)
    torch.testing.assert_close(loaded.module(images()), net(images()), atol=0.1, rtol=0.1)
