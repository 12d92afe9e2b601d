"""Images of another size: against Pillow's antialiased bilinear filter."""

import numpy as np
import pytest
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.modalities.image import resizing
from modelprint.modalities.image.resizing import resized

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 1, 30, 20), dtype=np.uint8)


@pytest.mark.parametrize("size", [(15, 10), (8, 12), (45, 31)])
def test_it_is_pillows_bilinear_filter_within_a_level(size):
    shown = resized(IMAGES, size)
    height, width = size
    pillow = np.stack(
        [np.asarray(Image.fromarray(one[0]).resize((width, height), Image.Resampling.BILINEAR)) for one in IMAGES]
    )
    assert shown.dtype == np.uint8
    assert np.abs(shown[:, 0].astype(int) - pillow).max() <= 1


def test_blocks_change_nothing_and_floats_stay_floats(monkeypatch):
    whole = resized(IMAGES, (8, 8))
    monkeypatch.setattr(resizing, "BLOCK", 1)
    assert np.array_equal(resized(IMAGES, (8, 8)), whole)
    points = (IMAGES / 255).astype(np.float32)
    assert np.abs(resized(points, (8, 8)) * 255 - whole).max() <= 0.51


def test_images_of_that_size_stay_as_they_are_and_others_are_refused():
    assert resized(IMAGES, (30, 20)) is IMAGES
    with pytest.raises(DataError, match="at least 1"):
        resized(IMAGES, (0, 5))
    with pytest.raises(DataError, match="images"):
        resized(IMAGES[0], (5, 5))
