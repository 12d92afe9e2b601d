"""Mirrored and mixed images: what is in them, and what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelprint.modalities.base import Labelled
from modelprint.modalities.image.mixing import cutmix, mirrored


def plain(count: int = 6, size: int = 12) -> Labelled:
    """Each image is one grey level, 20 times its class."""
    labels = np.arange(count) % 3
    images = np.broadcast_to((20 * labels + 10).astype(np.uint8)[:, None, None, None], (count, 1, size, size))
    return Labelled(stored=images.copy(), labels=labels)


def test_a_mixed_image_holds_two_classes_and_is_called_by_the_larger_part() -> None:
    mixed = cutmix(plain(), 200, generator=torch.Generator().manual_seed(0))
    levels = 20 * np.arange(3) + 10
    parts = np.stack([(mixed.stored == level).mean(axis=(1, 2, 3)) for level in levels], axis=1)
    assert np.allclose(parts.sum(1), 1.0)
    assert ((parts > 0).sum(1) <= 2).all()
    assert (parts[np.arange(200), mixed.labels] >= 0.5).all()
    assert ((parts > 0).sum(1) == 2).mean() > 0.8


def test_the_part_of_another_class_is_one_box() -> None:
    mixed = cutmix(plain(), 50, generator=torch.Generator().manual_seed(1))
    for image in mixed.stored[:, 0]:
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
    data = Labelled(stored=np.arange(6, dtype=np.uint8).reshape(1, 1, 2, 3), labels=np.array([4]))
    assert mirrored(data).stored[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert mirrored(data).labels.tolist() == [4]


@pytest.mark.parametrize("block", [1, 1000, 2**30])
def test_mixing_in_blocks_gives_the_same_images(block: int) -> None:
    whole = cutmix(plain(), 37, generator=torch.Generator().manual_seed(3))
    parts = cutmix(plain(), 37, generator=torch.Generator().manual_seed(3), block=block)
    assert np.array_equal(whole.stored, parts.stored)
    assert np.array_equal(whole.labels, parts.labels)


def test_mixing_large_images_needs_little_more_memory_than_the_mixed_images() -> None:
    import tracemalloc

    data = Labelled(stored=np.zeros((4, 3, 96, 96), np.uint8), labels=np.arange(4))
    data.stored[1::2] = 200
    tracemalloc.start()
    mixed = cutmix(data, 400, generator=torch.Generator().manual_seed(0), block=2**16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * mixed.stored.nbytes
