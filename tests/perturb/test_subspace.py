"""Spectra and principal angles against closed forms; and of a trained model against chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.subspace import directions_for, leading_subspace, principal_angles, spectrum
from tests.conftest import Digits


def rotated(count: int, *, angle: float, dimensions: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The first axes, and the same axes each turned by an angle towards an axis of its own."""
    axes = np.eye(dimensions)
    turned = np.cos(np.radians(angle)) * axes[:count] + np.sin(np.radians(angle)) * axes[count : 2 * count]
    return axes[:count], turned


@pytest.mark.parametrize("angle", [0.0, 10.0, 45.0, 90.0])
def test_axes_turned_by_an_angle_are_that_far_apart(angle: float) -> None:
    one, other = rotated(4, angle=angle)
    mix = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]  # another basis of the same subspace
    np.testing.assert_allclose(principal_angles(one, mix @ other), angle, atol=1e-6)


def test_a_spectrum_counts_the_directions() -> None:
    vectors = np.repeat(np.eye(6)[:3] * 7, 5, axis=0)
    np.testing.assert_allclose(spectrum(vectors), [3**-0.5] * 3 + [0] * 3, atol=1e-12)
    assert directions_for(spectrum(vectors), energy=0.99) == 3
    np.testing.assert_allclose(principal_angles(leading_subspace(vectors, size=3), np.eye(6)[:3]), 0, atol=1e-5)


@pytest.mark.parametrize("bad", [np.zeros((3, 4)), np.zeros((0, 4))])
def test_zeros_have_no_direction(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match="direction"):
        spectrum(bad)


def test_misfits_are_refused() -> None:
    with pytest.raises(ValueError, match="orthonormal"):
        principal_angles(2 * np.eye(3)[:1], np.eye(3)[:1])
    with pytest.raises(ValueError, match="3 and 4 dimensions"):
        principal_angles(np.eye(3)[:1], np.eye(4)[:1])
    with pytest.raises(ValueError, match="1 to 2 directions"):
        leading_subspace(np.eye(5)[:2], size=3)
    with pytest.raises(ValueError, match="energy"):
        directions_for(np.ones(2), energy=1.5)


def test_boundary_normals_of_a_model_lie_in_few_directions_and_near_a_copys(digits: Digits) -> None:
    images = torch.from_numpy(digits.queries.stored).float() / 255
    normals = deepfool(digits.source, images).shift.flatten(1).double().numpy()
    normals = normals[np.abs(normals).sum(1) > 0]
    chance = np.random.default_rng(0).normal(size=normals.shape)
    assert directions_for(spectrum(normals), energy=0.9) < 0.8 * directions_for(spectrum(chance), energy=0.9)
    own = leading_subspace(normals, size=8)
    noisy = leading_subspace(normals[::2], size=8)
    by_chance = leading_subspace(chance, size=8)
    assert principal_angles(own, noisy).mean() < principal_angles(own, by_chance).mean()
