"""Small classifiers of series and sound, fit for one core; each adapts to channels, length and classes.

`series-cnn` is a chain of strided convolutions over the samples, as in W. Dai, C. Dai, S. Qu, J. Li, S. Das, "Very Deep
Convolutional Neural Networks for Raw Waveforms", ICASSP 2017; `series-fcn` follows Z. Wang, W. Yan, T. Oates, "Time
Series Classification from Scratch with Deep Neural Networks", IJCNN 2017; `series-spectrum` looks at a spectrogram, as
in T. N. Sainath, C. Parada, "Convolutional Neural Networks for Small-Footprint Keyword Spotting", Interspeech 2015;
`series-transformer` reads patches, as in Y. Nie, N. Nguyen, P. Sinthong, J. Kalagnanam, "A Time Series is Worth 64
Words", ICLR 2023.

Differs from the papers: narrower and shallower; the first convolution of `series-fcn` has a stride where series are
long; the spectrogram is part of the network, without mel bands; the transformer's patches do not overlap, and all
channels are in each.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from modelprint.modalities.series.spec import SeriesSpec
from modelprint.nn.architectures import Features, Net, architecture

FLOOR = 1e-3  # power of a band, relative to the data's own, below which differences are not looked at
SHORT = 8  # places that are left when striding stops


def _conv_bn_relu(inputs: int, outputs: int, *, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()
    )


@architecture("series-cnn", modality="series")
def series_cnn(*, inputs: SeriesSpec, width: int = 16) -> nn.Module:
    """Convolutions of stride 4, the first of 8 where series are long, until 8 places are left; their mean."""
    channels, length = inputs.shape
    layers: list[nn.Module] = []
    outputs = width
    while not layers or length > SHORT:
        stride = 8 if length > 1024 and not layers else 4 if length > 2 * SHORT else 2
        layers.append(_conv_bn_relu(channels, outputs, kernel=2 * stride + 1, stride=stride))
        channels, outputs, length = outputs, min(2 * outputs, 4 * width), -(-length // stride)
    layers += [_conv_bn_relu(channels, outputs, kernel=3), nn.AdaptiveAvgPool1d(1), nn.Flatten()]
    return Net(Features(*layers), outputs, inputs.classes)


@architecture("series-fcn", modality="series")
def series_fcn(*, inputs: SeriesSpec, width: int = 16) -> nn.Module:
    """Three convolutions of 8, 5 and 3 samples and the mean over all places: no pooling, no dense layer."""
    channels, length = inputs.shape
    stride = max(1, length // 128)
    features = Features(
        _conv_bn_relu(channels, width, kernel=2 * stride + 7, stride=stride),
        _conv_bn_relu(width, 2 * width, kernel=5),
        _conv_bn_relu(2 * width, width, kernel=3),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    return Net(features, width, inputs.classes)


@architecture("series-mlp", modality="series")
def series_mlp(*, inputs: SeriesSpec, width: int = 64, depth: int = 2) -> nn.Module:
    """Fully connected layers with ReLU on all samples."""
    channels, length = inputs.shape
    before = channels * length
    layers: list[nn.Module] = [nn.Flatten()]
    for _ in range(depth):
        layers += [nn.Linear(before, width), nn.ReLU()]
        before = width
    return Net(Features(*layers), width, inputs.classes)


class Patches(nn.Module):
    """Stretches of equal length, each as one vector, with a vector for its place added."""

    def __init__(self, channels: int, length: int, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.missing = -length % patch
        self.embed = nn.Linear(channels * patch, width)
        self.place = nn.Parameter(0.02 * torch.randn((length + self.missing) // patch, width))

    def forward(self, series: Float[Tensor, "n channels length"]) -> Float[Tensor, "n places width"]:
        """Embedded patches; the last is filled up with zeros."""
        filled = functional.pad(series, (0, self.missing))
        patches = filled.reshape(*filled.shape[:2], -1, self.patch).transpose(1, 2)
        embedded: Tensor = self.embed(patches.flatten(2)) + self.place
        return embedded


class Attending(nn.Module):
    """A block of a transformer: attention between places, then two dense layers at each; norms before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.mixed = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, places: Float[Tensor, "n places width"]) -> Float[Tensor, "n places width"]:
        """Places that have looked at each other."""
        count, length, _ = places.shape
        parts = self.mixed(self.norm1(places)).reshape(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        places = places + self.out((weights @ value).transpose(1, 2).flatten(2))
        attended: Tensor = places + self.dense(self.norm2(places))
        return attended


class Mean(nn.Module):
    """The mean over places, normed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, places: Float[Tensor, "n places width"]) -> Float[Tensor, "n width"]:
        """One vector for each series."""
        normed: Tensor = self.norm(places).mean(1)
        return normed


@architecture("series-transformer", modality="series")
def series_transformer(*, inputs: SeriesSpec, width: int = 32, depth: int = 2, heads: int = 4) -> nn.Module:
    """Patches, some 32 in a long series; blocks of attention; their mean."""
    channels, length = inputs.shape
    patch = max(1, length // 32)
    blocks = [Attending(width, heads) for _ in range(depth)]
    return Net(Features(Patches(channels, length, patch, width), *blocks, Mean(width)), width, inputs.classes)


class Spectrum(nn.Module):
    """Logarithms of short-time power spectra: fixed, not trained."""

    waves: Tensor

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window
        angles = torch.outer(torch.arange(1, window // 2 + 1), torch.arange(window)) * (2 * torch.pi / window)
        waves = torch.cat([angles.cos(), angles.sin()]) * torch.hann_window(window)
        self.register_buffer("waves", waves[:, None], persistent=False)

    def forward(self, series: Float[Tensor, "n channels length"]) -> Float[Tensor, "n bands places"]:
        """The mean over channels of the power in each band, as logarithms around 0."""
        flat = series.flatten(0, 1)[:, None]
        real, imaginary = functional.conv1d(flat, self.waves.to(flat), stride=self.window // 2).chunk(2, 1)
        power = real.square() + imaginary.square()
        mean = power.reshape(*series.shape[:2], *power.shape[1:]).mean(1)
        return (mean / self.window + FLOOR).log()


@architecture("series-spectrum", modality="series")
def series_spectrum(*, inputs: SeriesSpec, width: int = 32) -> nn.Module:
    """Convolutions over a spectrogram's places, its bands as channels, as keyword spotters have; their mean."""
    _, length = inputs.shape
    window = min(128, max(4, length // 8) // 2 * 2)
    features = Features(
        Spectrum(window),
        nn.BatchNorm1d(window // 2),
        _conv_bn_relu(window // 2, width, kernel=5),
        nn.MaxPool1d(2),
        _conv_bn_relu(width, 2 * width, kernel=3),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    return Net(features, 2 * width, inputs.classes)
