"""Permuted channels: other weights, the same function."""

from __future__ import annotations

import pytest
import torch

from modelprint.attacks.permute import Permute
from modelprint.data.labelled import LabelledSet
from modelprint.nn.architectures import architectures_for
from modelprint.nn.spec import ModelSpec, build
from tests.attacks.conftest import World

SMALL = {
    "resnet20": {"width": 8},
    "wide": {"width": 8},
    "cnn": {"width": 4},
    "strided": {"width": 4, "hidden": 12},
    "vgg": {"width": 4},
    "mobile": {"width": 6},
    "mlp": {"width": 16},
}


@pytest.mark.parametrize("arch", architectures_for("image"))
@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 20)])
def test_function_is_the_same(arch: str, channels: int, size: int, world: World) -> None:
    spec = ModelSpec(arch=arch, arch_args=SMALL.get(arch, {}), channels=channels, size=size, classes=10)
    source = build(spec, seed=1)
    images = torch.rand(200, channels, size, size, generator=torch.Generator().manual_seed(0))
    source.train()
    source(images)  # BatchNorm's statistics of each channel differ now
    source.eval()
    data = LabelledSet(
        name="random",
        stored=(images * 255).to(torch.uint8).numpy(),
        labels=torch.arange(200).numpy() % 10,
        class_names=world.attacker.class_names,
    )
    copy = Permute().run(source, spec, data, seed=0).model
    with torch.inference_mode():
        single = [model(images) for model in (source, copy)]
        double = [model.double()(images.double()) for model in (source, copy)]
    assert torch.equal(double[0].argmax(1), double[1].argmax(1))
    assert (double[0] - double[1]).abs().max() <= 1e-9
    top = single[0].topk(2, dim=1).values
    clear = top[:, 0] - top[:, 1] > 1e-4
    assert torch.equal(single[0].argmax(1)[clear], single[1].argmax(1)[clear])
    for name, tensor in source.named_parameters():
        if name != "body.head.bias" and tensor.numel() > 4 and tensor.unique().numel() > 1:
            assert not torch.equal(tensor, dict(copy.named_parameters())[name]), name
