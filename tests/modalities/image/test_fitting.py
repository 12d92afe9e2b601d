"""Images brought to what a model was made for."""

from __future__ import annotations

import numpy as np

from modelprint.modalities.image.fitting import brought, mean_and_spread, stretched

IMAGES = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 6), dtype=np.uint8)


def test_mean_and_spread_are_numpys_in_blocks_or_at_once() -> None:
    unit = IMAGES.astype(np.float64) / 255
    for block in (None, 1, 7, 100):
        mean, spread = mean_and_spread(IMAGES, block=block)
        assert np.allclose(mean, unit.mean((0, 2, 3)), atol=1e-6)
        assert np.allclose(spread, unit.std((0, 2, 3)), atol=1e-6)


def test_grey_is_the_mean_of_colours_and_colour_repeats_grey() -> None:
    grey = brought(IMAGES, (1, 8, 6))
    assert np.array_equal(grey[:, 0], np.round(IMAGES.astype(np.float32).mean(1)))
    assert np.array_equal(brought(grey, (3, 8, 6)), np.repeat(grey, 3, axis=1))
    assert brought(IMAGES, (3, 4, 5)).shape == (50, 3, 4, 5)


def test_each_image_gets_the_mean_and_spread_that_are_wanted() -> None:
    made = stretched(IMAGES, (0.5, 0.5, 0.5), (0.1, 0.1, 0.1)).astype(np.float64) / 255
    assert np.allclose(made.mean((1, 2, 3)), 0.5, atol=0.01)
    assert np.allclose(made.std((1, 2, 3)), 0.1, atol=0.01)
