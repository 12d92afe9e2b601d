"""Universal perturbations: bounded, reproducible, and better than patterns that know no model."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
import torch
from torch import Tensor

from modelprint.modalities.image import IMAGE
from modelprint.perturb.uap import (
    Ascent,
    DeepFoolUniversal,
    Universal,
    UniversalName,
    fooling_rate,
    perturbed,
    universal,
)
from tests.conftest import Digits

EPSILON = 64 / 255
WAYS: dict[UniversalName, Universal] = {name: universal(name) for name in get_args(UniversalName)}
WAYS["deepfool"] = DeepFoolUniversal(passes=2)


def images(digits: Digits, part: str) -> Tensor:
    return torch.from_numpy(getattr(digits, part).stored).float() / 255


def found(digits: Digits, name: UniversalName, *, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    learned_from = images(digits, "owner")[:150]
    return WAYS[name].find(digits.source, learned_from, epsilon=EPSILON, generator=generator)


@pytest.fixture(scope="module")
def shifts(digits: Digits) -> dict[UniversalName, Tensor]:
    """What each way finds, made once."""
    return {name: found(digits, name) for name in get_args(UniversalName)}


@pytest.mark.parametrize("name", get_args(UniversalName))
def test_every_way_stays_within_epsilon_and_repeats_itself(
    digits: Digits, shifts: dict[UniversalName, Tensor], name: UniversalName
) -> None:
    shift = shifts[name]
    assert shift.shape == (1, 8, 8)
    assert shift.abs().max() <= EPSILON + 1e-7
    assert torch.equal(shift, found(digits, name))


def test_learned_ones_fool_held_out_images_far_more_often_than_patterns(
    digits: Digits, shifts: dict[UniversalName, Tensor]
) -> None:
    held_out = images(digits, "queries")
    rates = {name: fooling_rate(digits.source, held_out, shift) for name, shift in shifts.items()}
    assert rates["zero"] == 0
    assert rates["ascent"] > max(rates["random-sign"], rates["chessboard"])
    assert rates["deepfool"] > rates["chessboard"]
    assert rates["ascent"] > 0.6


def test_a_chessboard_alternates_and_signs_are_all_at_the_border(shifts: dict[UniversalName, Tensor]) -> None:
    board = shifts["chessboard"][0]
    assert torch.equal(board[:, 1:], -board[:, :-1])
    assert torch.equal(board[1:], -board[:-1])
    assert torch.allclose(shifts["random-sign"].abs(), torch.full((1, 8, 8), EPSILON))


def test_the_fooling_rate_is_counted_on_images_as_stored(digits: Digits, shifts: dict[UniversalName, Tensor]) -> None:
    held_out, shift = images(digits, "queries"), shifts["ascent"]
    stored = ((held_out + shift).clamp(0, 1) * 255).round() / 255
    with torch.no_grad():
        changed = digits.source(held_out).argmax(1) != digits.source(stored).argmax(1)
    assert fooling_rate(digits.source, held_out, shift) == pytest.approx(float(changed.float().mean()))
    assert torch.equal(IMAGE.rounded(perturbed(held_out, shift)), stored)


def test_the_loss_is_clipped_image_by_image(digits: Digits) -> None:
    batch = images(digits, "owner")[:64]
    with torch.no_grad():
        labels = digits.source(batch).argmax(1)
    sure = Ascent(beta=1e-9)._gradient(digits.source, batch, (labels + 1) % 10)  # every loss above beta
    assert not sure.any()
    assert Ascent()._gradient(digits.source, batch, labels).any()


def test_deepfool_stops_when_enough_are_fooled(digits: Digits) -> None:
    held_out, generator = images(digits, "owner")[:100], torch.Generator()
    lazy = DeepFoolUniversal(delta=1.0).find(digits.source, held_out, epsilon=EPSILON, generator=generator)
    assert not lazy.any()


def test_the_model_is_left_as_it_was(digits: Digits) -> None:
    model = copy.deepcopy(digits.source).train()
    model.zero_grad(set_to_none=True)
    for way in (Ascent(epochs=1), DeepFoolUniversal(passes=1)):
        way.find(model, images(digits, "owner")[:20], epsilon=0.1, generator=torch.Generator())
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    before, after = digits.source.state_dict(), model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
