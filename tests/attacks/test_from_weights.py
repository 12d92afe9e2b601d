"""Attacks that change the weights with little or no training: what they keep, and what they change."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelprint.attacks import run_attack
from modelprint.attacks.low_rank import of_rank
from modelprint.attacks.prune import prunable
from modelprint.core.errors import ModelError, UsageError
from modelprint.data.labelled import LabelledSet
from modelprint.lineage import StateTensors, compare, reference_of
from modelprint.nn.architectures import Normalized, architectures_for
from modelprint.nn.files import save_model
from modelprint.nn.spec import ModelSpec, build
from tests.attacks.conftest import World
from tests.attacks.test_permute import SMALL


def lineage(world: World, model: Normalized) -> float:
    reference = reference_of(StateTensors(world.source.body.state_dict()))
    score = compare(reference, StateTensors(model.body.state_dict())).score
    assert score is not None
    return score


def attacked(world: World, name: str, **settings: str) -> Normalized:
    return run_attack(name, settings, world.source, world.spec, world.attacker, seed=3).model


def settled(arch: str) -> tuple[Normalized, ModelSpec, torch.Tensor, LabelledSet]:
    spec = ModelSpec(arch=arch, arch_args=SMALL.get(arch, {}), channels=1, size=8, classes=10)
    source = build(spec, seed=1)
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    source.train()
    source(images)
    source.eval()
    stored = (images * 255).to(torch.uint8).numpy()
    names = tuple("0123456789")
    data = LabelledSet(name="random", stored=stored, labels=torch.arange(64).numpy() % 10, class_names=names)
    return source, spec, images, data


@pytest.mark.parametrize("arch", architectures_for("image"))
@pytest.mark.parametrize("kind", ["permute-rescale", "onnx-round-trip"])
def test_the_function_stays(kind: str, arch: str) -> None:
    source, spec, images, data = settled(arch)
    copy = run_attack(kind, {}, source, spec, data, seed=2).model
    torch.testing.assert_close(copy(images), source(images), atol=2e-4, rtol=2e-3)
    if kind == "permute-rescale":
        pairs = zip(prunable(source)[1:], prunable(copy)[1:], strict=True)
        assert all(not torch.allclose(ours.weight, theirs.weight, rtol=0.1) for ours, theirs in pairs)


def test_rescaled_channels_are_rescaled_by_far(world: World) -> None:
    norms = [
        model.body.features[0][1].weight.abs().sort().values  # type: ignore[index, union-attr]
        for model in (world.source, attacked(world, "permute-rescale"), attacked(world, "permute"))
    ]
    torch.testing.assert_close(norms[0], norms[2])
    assert not torch.allclose(norms[0], norms[1], rtol=0.2)


def test_lineage_sees_through_what_costs_nothing(world: World) -> None:
    for kind in ("permute-rescale", "onnx-round-trip"):
        assert lineage(world, attacked(world, kind)) > 0.99


def test_noise_goes_to_the_edge_of_worth(world: World) -> None:
    attack = run_attack("noise-edge", {}, world.source, world.spec, world.attacker, seed=3)
    labels = torch.from_numpy(world.attacker.labels)
    images = torch.from_numpy(world.attacker.stored).float() / 255
    accuracies = [float((model(images).argmax(1) == labels).double().mean()) for model in (world.source, attack.model)]
    assert accuracies[1] >= 0.85 * accuracies[0]
    assert accuracies[1] < 0.97 * accuracies[0]
    assert attack.report["scale"] > 0.05


@pytest.mark.parametrize("keep", [0.25, 0.5])
def test_low_rank_is_the_best_approximation_of_its_rank(keep: float) -> None:
    weight = torch.randn(12, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    low = of_rank(weight, keep)
    values = torch.linalg.svdvals(weight.flatten(1))
    rank = round(keep * 12)
    assert torch.linalg.matrix_rank(low.flatten(1)) == rank
    torch.testing.assert_close((weight - low).norm(), values[rank:].norm())


def test_removed_channels_make_a_narrower_net_that_keeps_its_weights(world: World) -> None:
    made = run_attack("prune-channels", {"rate": "0.25"}, world.source, world.spec, world.attacker, seed=3)
    assert made.card.spec.arch_args["width"] == 6
    assert made.model.body.features[0][0].weight.shape[0] == 6  # type: ignore[index, union-attr]
    assert lineage(world, made.model) > 0.8
    tuned = attacked(world, "prune-channels", rate="0.25", finetune_epochs="10")
    assert world.accuracy(tuned) > world.accuracy(made.model)
    with pytest.raises(ModelError, match="leaves 8"):
        attacked(world, "prune-channels", rate="0.01")


@pytest.mark.parametrize("arch", architectures_for("image"))
def test_every_registered_architecture_can_be_narrowed(arch: str) -> None:
    source, spec, images, data = settled(arch)
    made = run_attack("prune-channels", {"rate": "0.5"}, source, spec, data, seed=2)
    assert made.model(images).shape == (64, 10)
    with torch.no_grad():
        assert made.model(images).std() > 0


def test_a_soup_is_the_mean_of_two_models(world: World, tmp_path: Path) -> None:
    made = run_attack("ftll", {"epochs": "1"}, world.source, world.spec, world.attacker, seed=1)
    save_model(tmp_path / "other.safetensors", made.model, made.card)
    soup = attacked(world, "soup", share="0.25", other=str(tmp_path / "other.safetensors"))
    expected = 0.25 * world.source.body.head.weight + 0.75 * made.model.body.head.weight  # type: ignore[union-attr, operator]
    torch.testing.assert_close(soup.body.head.weight, expected)
    torch.testing.assert_close(soup.body.features[0][0].weight, world.source.body.features[0][0].weight)  # type: ignore[index, union-attr]
    own = [lineage(world, attacked(world, "soup", share=share, epochs="1")) for share in ("0.2", "0.8")]
    assert own[0] < own[1]


def test_a_soup_needs_a_model_of_the_same_shapes(world: World, tmp_path: Path) -> None:
    source, spec, _, data = settled("mlp")
    made = run_attack("noise", {}, source, spec, data, seed=1)
    save_model(tmp_path / "other.safetensors", made.model, made.card)
    with pytest.raises(ModelError, match="no soup"):
        attacked(world, "soup", other=str(tmp_path / "other.safetensors"))
    with pytest.raises(UsageError, match="share must lie between 0 and 1"):
        attacked(world, "soup", share="1")


def test_merged_adapters_leave_plain_weights_of_a_low_rank_difference(world: World) -> None:
    copy = attacked(world, "lora", rank="1", epochs="2")
    assert set(copy.state_dict()) == set(world.source.state_dict())
    for ours, theirs in zip(prunable(world.source), prunable(copy), strict=True):
        values = torch.linalg.svdvals((theirs.weight - ours.weight).detach().flatten(1))
        assert values[0] > 0
        assert values[1:].norm() < 1e-3 * values[0] + 1e-5
    assert torch.equal(copy.body.features[0][1].running_mean, world.source.body.features[0][1].running_mean)  # type: ignore[index, union-attr]


def test_a_swapped_head_leaves_the_trunk(world: World) -> None:
    made = run_attack("head-swap", {"classes": "4", "epochs": "2"}, world.source, world.spec, world.attacker, seed=3)
    before, after = world.source.body.features.state_dict(), made.model.body.features.state_dict()  # type: ignore[union-attr]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert made.card.spec.classes == 4
    assert lineage(world, made.model) > 0.99


def test_distillation_with_features_learns_but_shares_no_weights(world: World) -> None:
    made = run_attack("distil-features", {"epochs": "20"}, world.source, world.spec, world.attacker, seed=3)
    assert made.report["losses"][-1] < 0.3 * made.report["losses"][0]
    assert world.accuracy(made.model) > 0.6
    assert lineage(world, made.model) < 0.6
