"""Small image classifiers fit for two CPU cores; each adapts to channels, size and classes.

Sources: ResNet-20 is He et al., CVPR 2016, section 4.2 (with the convolutional shortcut "B" of the later rows); wide
blocks follow Zagoruyko and Komodakis, BMVC 2016; depthwise-separable blocks follow Howard et al., 2017.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.convention import Convention
from modelprint.core.registry import Registry
from modelprint.nn.outputs import logits_of

# A callable that builds an untrained network which takes normalised inputs and returns logits. Those of images take
# channels, size and classes by name; those of another modality take `inputs`, its spec, which knows the classes, too.
Architecture = Callable[..., nn.Module]

ARCHITECTURES: Registry[Architecture] = Registry("architecture", group="modelprint.modalities")
_OF_IMAGES = "image"
_MODALITY: dict[str, str] = {}
_AS_THEY_ARE: set[str] = set()


def architecture(name: str, *, modality: str, normalised: bool = True) -> Callable[[Architecture], Architecture]:
    """A decorator that registers an architecture for inputs of a modality: it is called with `inputs`, their spec.

    Args:
        normalised: whether its inputs are normalised by the mean and spread of the data.
    """

    def add(function: Architecture) -> Architecture:
        _MODALITY[name] = modality
        if not normalised:
            _AS_THEY_ARE.add(name)
        return ARCHITECTURES.register(name)(function)

    return add


def taken_by(name: str) -> str:
    """The modality of the inputs that a registered architecture takes.

    >>> taken_by("resnet20")
    'image'
    """
    return _MODALITY.get(name, _OF_IMAGES)


def is_normalised(name: str) -> bool:
    """Whether the inputs of an architecture are normalised by the data, where nobody says how.

    >>> is_normalised("resnet20")
    True
    """
    return name not in _AS_THEY_ARE


def architectures_for(modality: str) -> tuple[str, ...]:
    """The registered architectures that take inputs of a modality, the usual one first.

    >>> architectures_for("image")[:2]
    ('mlp', 'cnn')
    """
    return tuple(name for name in ARCHITECTURES if taken_by(name) == modality)


def _conv_bn_relu(inputs: int, outputs: int, *, stride: int = 1, groups: int = 1, kernel: int = 3) -> nn.Sequential:
    padding = kernel // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class Features(nn.Sequential):
    """Layers up to the last linear one."""


class InputLayer(nn.Module):
    """The first layer of a network, whose outputs have an order of their own; it has no weights.

    Attributes:
        features: how many outputs it has.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features


class Fitted(nn.Module):
    """A model that no gradients train: it has a way of its own, and only tensors in its state."""

    def fit(self, points: Float[np.ndarray, "n ..."], labels: Int[np.ndarray, " n"], *, seed: int) -> None:
        """Learn from labelled inputs, as the model takes them."""
        raise NotImplementedError


class Net(nn.Module):
    """Features, then one linear layer named `head`: what fine-tuning of the last layer touches."""

    def __init__(self, features: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.head = nn.Linear(width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of shape (n, classes)."""
        logits: Tensor = self.head(self.features(inputs))
        return logits


@ARCHITECTURES.register("mlp")
def mlp(*, channels: int, size: int, classes: int, width: int = 128, depth: int = 2) -> nn.Module:
    """Fully connected layers with ReLU."""
    layers: list[nn.Module] = [nn.Flatten()]
    inputs = channels * size * size
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return Net(Features(*layers), width, classes)


@ARCHITECTURES.register("cnn")
def cnn(*, channels: int, size: int, classes: int, width: int = 16) -> nn.Module:
    """Three 3 x 3 convolutions with BatchNorm, pooled twice, global average: 24k parameters on 28 x 28 grey."""
    pool = nn.MaxPool2d(2) if size >= 16 else nn.Identity()
    features = Features(
        _conv_bn_relu(channels, width),
        pool,
        _conv_bn_relu(width, 2 * width),
        nn.MaxPool2d(2),
        _conv_bn_relu(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Net(features, 4 * width, classes)


@ARCHITECTURES.register("strided")
def strided(*, channels: int, size: int, classes: int, width: int = 16, hidden: int = 0) -> nn.Module:
    """Three strided convolutions with BatchNorm, no pooling: the most accurate for a second of training on grey images.

    `hidden` > 0 adds a dense layer of that width. 34k parameters on 28 x 28 grey.
    """
    side = -(-size // 8)
    layers: list[nn.Module] = [
        _conv_bn_relu(channels, width, stride=2, kernel=5),
        _conv_bn_relu(width, 2 * width, stride=2),
        _conv_bn_relu(2 * width, 4 * width, stride=2),
        nn.Flatten(),
    ]
    features = 4 * width * side * side
    if hidden:
        layers += [nn.Linear(features, hidden), nn.ReLU()]
        features = hidden
    return Net(Features(*layers), features, classes)


@ARCHITECTURES.register("vgg")
def vgg(*, channels: int, size: int, classes: int, width: int = 16) -> nn.Module:
    """Paired 3 x 3 convolutions without BatchNorm, one dense layer."""
    layers: list[nn.Module] = []
    inputs, side = channels, size
    for stage in range(2 if size >= 8 else 1):
        outputs = width * 2**stage
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        inputs, side = outputs, side // 2
    pooled = min(side, 4)
    layers += [nn.AdaptiveAvgPool2d(pooled), nn.Flatten(), nn.Linear(inputs * pooled * pooled, 4 * width), nn.ReLU()]
    net = Net(Features(*layers), 4 * width, classes)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    return net


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut (He et al., CVPR 2016, Eq. 1)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = stride == 1 and inputs == outputs
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Feature maps at the block's stride."""
        hidden = functional.relu(self.bn1(self.conv1(inputs)))
        hidden = self.bn2(self.conv2(hidden))
        return functional.relu(hidden + self.shortcut(inputs))


def _resnet(channels: int, classes: int, *, blocks: int, width: int) -> nn.Module:
    layers: list[nn.Module] = [_conv_bn_relu(channels, width)]
    inputs = width
    for stage in range(3):
        outputs = width * 2**stage
        for block in range(blocks):
            layers.append(Residual(inputs, outputs, stride=2 if stage > 0 and block == 0 else 1))
            inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Net(Features(*layers), inputs, classes)


@ARCHITECTURES.register("resnet20")
def resnet20(*, channels: int, size: int, classes: int, width: int = 16) -> nn.Module:
    """ResNet-20: three stages of three residual blocks; 272k parameters at width 16, 68k at width 8."""
    return _resnet(channels, classes, blocks=3, width=width)


@ARCHITECTURES.register("wide")
def wide(*, channels: int, size: int, classes: int, width: int = 32, blocks: int = 1) -> nn.Module:
    """A shallow, wide residual net: three stages of one block."""
    return _resnet(channels, classes, blocks=blocks, width=width)


@ARCHITECTURES.register("mobile")
def mobile(*, channels: int, size: int, classes: int, width: int = 24, blocks: int = 4) -> nn.Module:
    """Depthwise 3 x 3 then pointwise 1 x 1 convolutions, each with BatchNorm and ReLU."""
    layers: list[nn.Module] = [_conv_bn_relu(channels, width, stride=2 if size >= 32 else 1)]
    inputs = width
    for block in range(blocks):
        stride = 2 if block % 2 == 1 and size >= 16 else 1
        outputs = inputs * 2 if block % 2 == 1 else inputs
        layers += [_conv_bn_relu(inputs, inputs, stride=stride, groups=inputs)]
        layers += [_conv_bn_relu(inputs, outputs, kernel=1)]
        inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Net(Features(*layers), inputs, classes)


class Normalized(nn.Module):
    """A network together with its preprocessing: takes inputs in [0, 1], returns logits.

    The buffers are not part of the state dict, so that the weights of the network keep their own names.

    Args:
        body: returns logits in any form that `logits_of` knows.
        mean, std: per channel, on the scale of `value_range`; one value stands for all channels.
        bgr: whether the network takes the channels in reverse order.
        value_range: what 0 and 1 become before they are normalised.
        size: (height, width) that inputs of another size are resized to (bilinear, antialiased).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        body: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        bgr: bool = False,
        value_range: tuple[float, float] = (0.0, 1.0),
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.bgr = bgr
        self.value_range = value_range
        self.size = size
        self.scaled = set(mean) != {0.0} or set(std) != {1.0}
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits of shape (n, classes) for inputs in [0, 1]."""
        if self.size is not None and inputs.shape[-2:] != self.size:
            inputs = functional.interpolate(inputs, self.size, mode="bilinear", antialias=True)
        if self.bgr:
            inputs = inputs.flip(1)
        low, high = self.value_range
        if (low, high) != (0.0, 1.0):
            inputs = low + (high - low) * inputs
        if not self.scaled:  # the same numbers, and tokens stay integers
            return logits_of(self.body(inputs))
        mean, std = self.mean, self.std
        if inputs.ndim != 4:  # vectors and series: (n, features), (n, channels, length)
            mean, std = (value.reshape(-1, *[1] * (inputs.ndim - 2)) for value in (mean, std))
        return logits_of(self.body((inputs - mean) / std))


def form_of(model: nn.Module) -> Convention | None:
    """The preprocessing that stands before a network, as a convention; None where there is none."""
    if not isinstance(model, Normalized):
        return None
    form = Convention(
        name="the source's own",
        mean=tuple(round(value, 7) for value in model.mean.flatten().tolist()),
        std=tuple(round(value, 7) for value in model.std.flatten().tolist()),
        value_range=model.value_range,
        bgr=model.bgr,
        size=model.size,
    )
    return None if form == Convention(name=form.name) else form


def parameter_count(module: nn.Module) -> int:
    """How many numbers training moves."""
    return sum(parameter.numel() for parameter in module.parameters())
