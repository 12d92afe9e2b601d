"""Every registered architecture adapts to the data, is the same for the same seed, and survives its file."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import Net, Normalized, architectures_for, parameter_count
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build

SHAPES = [(1, 8), (1, 28), (3, 32)]
everywhere = pytest.mark.parametrize(("channels", "size"), SHAPES)
each = pytest.mark.parametrize("arch", architectures_for("image"))


def spec_of(arch: str, channels: int = 3, size: int = 32, classes: int = 10) -> ModelSpec:
    return ModelSpec(arch=arch, channels=channels, size=size, classes=classes, mean=(0.4,), std=(0.3,))


def images_of(spec: ModelSpec, count: int = 3) -> Tensor:
    return torch.rand(count, spec.channels, spec.size, spec.size, generator=torch.Generator().manual_seed(0))


def trained_a_little(spec: ModelSpec, seed: int = 0) -> Normalized:
    """Statistics of BatchNorm that are not the initial ones."""
    model = build(spec, seed=seed).train()
    with torch.no_grad():
        model(images_of(spec, 8))
    return model.eval()


@each
@everywhere
@pytest.mark.parametrize("classes", [2, 10])
def test_it_adapts_to_channels_size_and_classes(arch, channels, size, classes):
    spec = spec_of(arch, channels, size, classes)
    model = build(spec).eval()
    logits = model(images_of(spec))
    assert logits.shape == (3, classes)
    assert torch.isfinite(logits).all()
    assert isinstance(model.body, Net)
    assert isinstance(model.body.head, nn.Linear)


@each
@everywhere
def test_its_gradient_reaches_every_weight_and_the_pixels(arch, channels, size):
    spec = spec_of(arch, channels, size)
    model = build(spec).train()
    inputs = images_of(spec, 8).requires_grad_()
    model(inputs)[:, 1].sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.abs().sum() > 0
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@each
@everywhere
def test_saved_and_loaded_it_gives_the_same_logits(arch, channels, size, tmp_path):
    spec = spec_of(arch, channels, size)
    model = trained_a_little(spec)
    save_model(tmp_path / "model.safetensors", model, ModelCard(spec=spec))
    loaded = load_model(tmp_path / "model.safetensors", shape=(channels, size, size), classes=10)
    assert torch.equal(loaded.module(images_of(spec)), model(images_of(spec)))


@each
def test_the_same_seed_gives_the_same_weights(arch):
    spec = spec_of(arch, 1, 8)
    one, same, other = (build(spec, seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build(spec_of("cnn"), seed=9)
    assert torch.equal(torch.rand(3), expected)


@each
@everywhere
def test_channels_last_gives_the_same_result(arch, channels, size):
    spec = spec_of(arch, channels, size)
    model = trained_a_little(spec)
    images = images_of(spec)
    expected = model(images)
    model.to(memory_format=torch.channels_last)
    found = model(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@each
def test_one_image_is_judged_as_in_a_batch(arch):
    spec = spec_of(arch, 1, 28)
    model, images = trained_a_little(spec), images_of(spec)
    torch.testing.assert_close(model(images[:1]), model(images)[:1], atol=1e-5, rtol=1e-4)


def test_sizes_are_as_published():
    # He et al., CVPR 2016, section 4.2: 0.27M parameters; the projections of shortcut "B" add 2,752.
    assert parameter_count(build(spec_of("resnet20")).body) == 269_722 + 2_752
    assert parameter_count(build(ModelSpec(**{**spec_of("resnet20").model_dump(), "arch_args": {"width": 8}}))) > 60_000
    assert parameter_count(build(spec_of("cnn", 1, 28)).body) == sum(
        [144 + 2 * 16, 16 * 32 * 9 + 2 * 32, 32 * 64 * 9 + 2 * 64, 64 * 10 + 10]
    )


def test_normalisation_is_part_of_the_model():
    spec = ModelSpec(arch="mlp", channels=3, size=8, classes=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    model, images = build(spec).eval(), torch.rand(2, 3, 8, 8)
    by_hand = torch.stack([(images[:, k] - spec.mean[k]) / spec.std[k] for k in range(3)], dim=1)
    torch.testing.assert_close(model(images), model.body(by_hand))
    assert all(name.startswith("body.") for name in model.state_dict())


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"std": (0.0,)}, "std must be positive"),
        ({"std": ()}, "std must be positive"),
        ({"mean": (0.1, 0.2)}, "2 means and 1 stds for 3 channels"),
        ({"mean": (float("nan"),)}, "finite number"),
        ({"classes": 1}, "greater than or equal to 2"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"channels": 99}, "less than or equal to 16"),
        ({"arch_args": {"width": 10**9}}, "beyond 10000"),
        ({"depth": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes, what):
    fields = spec_of("cnn").model_dump()
    with pytest.raises(ValueError, match=what):
        ModelSpec.model_validate({**fields, **changes})


def test_arguments_that_an_architecture_does_not_take_are_named():
    with pytest.raises(ModelError, match="architecture mlp does not take layers: it takes depth, width"):
        build(ModelSpec(arch="mlp", arch_args={"layers": 3}, channels=1, size=8, classes=2))
