"""Mirrored and mixed images: what is in them, and what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.perturb.mixing import Labelled, cutmix, mirrored, topped_up


def plain(count: int = 6, size: int = 12) -> Labelled:
    """Each image is one grey level, 20 times its class."""
    labels = np.arange(count) % 3
    images = np.broadcast_to((20 * labels + 10).astype(np.uint8)[:, None, None, None], (count, 1, size, size))
    return Labelled(images=images.copy(), labels=labels)


def everything(data: Labelled) -> np.ndarray:
    return np.ones(len(data), bool)


def test_a_mixed_image_holds_two_classes_and_is_called_by_the_larger_part() -> None:
    mixed = cutmix(plain(), 200, generator=torch.Generator().manual_seed(0))
    levels = 20 * np.arange(3) + 10
    parts = np.stack([(mixed.images == level).mean(axis=(1, 2, 3)) for level in levels], axis=1)
    assert np.allclose(parts.sum(1), 1.0)
    assert ((parts > 0).sum(1) <= 2).all()
    assert (parts[np.arange(200), mixed.labels] >= 0.5).all()
    assert ((parts > 0).sum(1) == 2).mean() > 0.8


def test_the_part_of_another_class_is_one_box() -> None:
    mixed = cutmix(plain(), 50, generator=torch.Generator().manual_seed(1))
    for image in mixed.images[:, 0]:
        below = np.bincount(image.reshape(-1)).argmax()
        inside = image != below
        rows, columns = inside.any(1), inside.any(0)
        one_box = inside[np.ix_(rows, columns)].all()
        rest = ~inside
        assert one_box or rest[np.ix_(rest.any(1), rest.any(0))].all()


def test_images_of_one_class_are_refused() -> None:
    with pytest.raises(ValueError, match="two classes"):
        cutmix(plain().take(np.array([0, 3])), 1, generator=torch.Generator())


def test_mirror_images() -> None:
    data = Labelled(images=np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3), labels=np.array([4]))
    assert mirrored(data).images[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert mirrored(data).labels.tolist() == [4]


def test_topping_up_takes_what_was_found_then_mirror_images_then_mixed_ones() -> None:
    data = plain()
    tilted = data.images.copy()
    tilted[..., 0] += 1  # so that mirror images are new
    found = Labelled(images=tilted[:2], labels=data.labels[:2])
    full = topped_up(found, 7, data, accepts=everything, generator=torch.Generator().manual_seed(0))
    assert len(full) == 7
    assert (full.images[:2] == found.images).all()
    assert (full.images[2:4] == found.images[..., ::-1]).all()
    assert len(topped_up(found, 1, data, accepts=everything, generator=torch.Generator())) == 1


def test_a_mirror_image_that_is_no_other_is_left_out() -> None:
    data = plain()
    full = topped_up(data.take(np.arange(2)), 4, data, accepts=everything, generator=torch.Generator().manual_seed(0))
    assert len(np.unique(full.images[:2], axis=0)) == 2
    assert (full.images[2:] != data.images[:1]).reshape(2, -1).any(1).all()


def test_what_is_not_accepted_is_not_there_and_fewer_come_back() -> None:
    empty = plain().take(np.zeros(0, int))
    none = topped_up(empty, 5, plain(), accepts=lambda data: np.zeros(len(data), bool), generator=torch.Generator())
    assert len(none) == 0
    zero = topped_up(empty, 5, plain(), accepts=lambda data: data.labels == 0, generator=torch.Generator())
    assert zero.labels.tolist() == [0] * 5
