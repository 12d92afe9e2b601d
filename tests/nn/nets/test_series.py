"""Networks of series: any length and number of channels, and what each computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from modelprint.modalities.series.spec import SeriesSpec
from modelprint.nn.architectures import architectures_for, taken_by
from modelprint.nn.nets.series import Attending, Patches, Spectrum
from modelprint.nn.spec import ModelSpec, build


@pytest.mark.parametrize("arch", architectures_for("series"))
@pytest.mark.parametrize(("channels", "length"), [(1, 8), (2, 60), (1, 2048)])
def test_each_adapts_and_answers_alike_alone_and_in_a_batch(arch: str, channels: int, length: int) -> None:
    assert taken_by(arch) == "series"
    inputs = SeriesSpec(channels=channels, length=length, class_names=("a", "b", "c"))
    model = build(ModelSpec(arch=arch, input=inputs.model_dump(mode="json"), classes=3)).eval()
    series = torch.randn(4, channels, length, generator=torch.Generator().manual_seed(0))
    together = model(series)
    assert together.shape == (4, 3)
    assert torch.allclose(together[:1], model(series[:1]), atol=1e-5)
    points = series.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(points).sum(), points)
    assert gradient.abs().sum() > 0
    assert model.double()(series.double()).dtype == torch.float64


def test_a_spectrum_is_that_of_numpy() -> None:
    window = 16
    series = torch.randn(1, 1, 48, generator=torch.Generator().manual_seed(0))
    measured = Spectrum(window)(series).exp()[0] - 1e-3
    hann = torch.hann_window(window).numpy()
    for place in range(measured.shape[1]):
        stretch = series[0, 0, place * 8 : place * 8 + window].numpy() * hann
        power = np.abs(np.fft.rfft(stretch)[1:]) ** 2 / window
        assert np.allclose(measured[:, place], power, atol=1e-4)


def test_attention_is_that_of_torch() -> None:
    block = Attending(8, heads=2).eval()
    places = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
    query, key, value = (
        part.reshape(3, 5, 2, 4).transpose(1, 2) for part in block.mixed(block.norm1(places)).chunk(3, dim=2)
    )
    attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
    after = places + block.out(attended)
    assert torch.allclose(block(places), after + block.dense(block.norm2(after)), atol=1e-5)


def test_patches_hold_every_sample_once() -> None:
    patches = Patches(2, 10, 4, 8)
    patches.embed = torch.nn.Identity()  # type: ignore[assignment]
    patches.place.data.zero_()
    series = torch.arange(20.0).reshape(1, 2, 10)
    held = patches(series)
    assert held.shape == (1, 3, 8)
    assert held[0, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert held[0, 2].tolist() == [8, 9, 0, 0, 18, 19, 0, 0]
