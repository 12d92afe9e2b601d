"""Augmentation moves pixels and never makes one: every image is a true shift, perhaps mirrored, of its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from modelprint.core.errors import UsageError
from modelprint.modalities.image import IMAGE


def shifts_of(image: np.ndarray, shift: int) -> list[bytes]:
    """Every shift of an image by up to that many pixels, black where nothing was, written without padding tricks."""
    height, width = image.shape[1:]
    found = []
    for down in range(-shift, shift + 1):
        for right in range(-shift, shift + 1):
            moved = np.zeros_like(image)
            for y in range(max(0, down), min(height, height + down)):
                for x in range(max(0, right), min(width, width + right)):
                    moved[:, y, x] = image[:, y - down, x - right]
            found.append(moved.tobytes())
    return found


def batch(images: Tensor, index: list[int], kind: str, shift: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return IMAGE.augmented(images[torch.tensor(index)], kind, shift=shift, generator=generator)


@given(
    count=st.integers(1, 4),
    channels=st.sampled_from([1, 3]),
    height=st.integers(2, 5),
    width=st.integers(2, 5),
    shift=st.integers(0, 2),
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_shifted_images_are_true_shifts(count, channels, height, width, shift, flip, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, channels, height, width), dtype=np.uint8)
    index = [number % count for number in range(2 * count)]
    made = batch(torch.from_numpy(pixels), index, "shift-flip" if flip else "shift", shift, seed).numpy()
    assert made.shape == (2 * count, channels, height, width)
    for number, image in zip(index, made, strict=True):
        possible = shifts_of(pixels[number], shift)
        if flip:
            possible += shifts_of(np.ascontiguousarray(pixels[number][:, :, ::-1]), shift)
        assert image.tobytes() in possible


def test_every_shift_and_both_sides_occur_and_each_image_goes_its_own_way():
    image = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    image[0, 0, 2, 2], image[0, 0, 2, 3] = 255, 51  # the darker dot is on the right, unless mirrored
    made = batch(image, [0] * 400, "shift-flip", 1, seed=0)
    bright = (made == 255).flatten(1).int().argmax(1)
    mirrored = made.flatten(1).gather(1, bright[:, None] - 1)[:, 0] > 0
    seen = {(int(place), bool(side)) for place, side in zip(bright, mirrored, strict=True)}
    assert seen == {(5 * y + x, side) for y in (1, 2, 3) for x in (1, 2, 3) for side in (False, True)}
    assert 150 < int(mirrored.sum()) < 250


def test_without_augmentation_the_images_are_as_they_were():
    images = torch.arange(48, dtype=torch.uint8).view(3, 1, 4, 4)
    made = batch(images, [2, 0], "none", 2, seed=0)
    assert torch.equal(made, images[[2, 0]])


def test_what_images_do_not_know_is_refused():
    with pytest.raises(UsageError, match="images are not augmented by 'reverse'"):
        batch(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), [0], "reverse", 1, seed=0)
