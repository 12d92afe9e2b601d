"""The normal form: the same answers, and the same weights whatever the scales of the channels were."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import ARCHITECTURES, Net, Normalized, Residual
from modelprint.nn.normal_form import normal_form


def network(name: str, seed: int = 0) -> nn.Module:
    """With statistics, factors and shifts that are none of the defaults."""
    torch.manual_seed(seed)
    net = ARCHITECTURES[name](channels=1, size=8, classes=4)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return Normalized(net, (0.3,), (0.2,)).eval()


NAMES = ("mlp", "cnn", "mobile", "resnet20")


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_stay(name: str) -> None:
    net = network(name)
    points = torch.rand(20, 1, 8, 8)
    with torch.no_grad():
        before, after = net(points), normal_form(net)(points)
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3 * float(before.abs().max()))


def test_the_weights_that_lead_into_a_hidden_channel_have_length_one() -> None:
    form = normal_form(network("cnn"))
    hidden = [part for part in form.body.features.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert len(hidden) >= 2
    for part in hidden:
        lengths = part.weight.flatten(1).norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))
    assert not [part for part in form.modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", NAMES)
def test_rescaled_channels_have_the_same_normal_form(name: str) -> None:
    """One hidden channel of the first layers is made five times as large, and taken back where it is read."""
    net = network(name)
    rescaled = network(name)
    rescaled.load_state_dict(net.state_dict())
    layers = [part for part in rescaled.body.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    if name == "resnet20":
        block = next(part for part in rescaled.body.modules() if isinstance(part, Residual))
        give, read = block.bn1, block.conv2
    else:
        norms = [part for part in rescaled.body.modules() if isinstance(part, nn.BatchNorm2d)]
        give = norms[1] if name == "mobile" else norms[0] if norms else layers[0]
        read = layers[2 if name == "mobile" else 1]
    with torch.no_grad():
        give.weight[2] *= 5.0
        give.bias[2] *= 5.0
        read.weight[:, 2] /= 5.0
    one, other = (dict(normal_form(each).named_parameters()) for each in (net, rescaled))
    assert one.keys() == other.keys()
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-5)


def test_what_does_not_scale_is_refused() -> None:
    with pytest.raises(ModelError, match="Sigmoid"):
        normal_form(Net(nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Sigmoid()), 3, 2))
    with pytest.raises(ModelError, match="registered architectures"):
        normal_form(nn.Linear(4, 3))
