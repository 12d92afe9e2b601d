"""8-bit images and the floats that models take: refused outside the range, exact inside."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelprint.core.errors import DataError
from modelprint.modalities.image import IMAGE
from modelprint.modalities.image.storage import check_images, to_bytes
from modelprint.suspects.local import CallableSuspect


@pytest.mark.parametrize(
    ("images", "what"),
    [
        (np.zeros((1, 2, 2), np.uint8), r"expected images of shape \(n, channels, height, width\), got \(1, 2, 2\)"),
        (np.zeros((1, 1, 2, 2), np.int32), "expected uint8 or float images, got int32"),
        (np.full((1, 1, 2, 2), 1.01, np.float32), "got min 1.01, max 1.01: divide by 255"),
        (np.full((1, 1, 2, 2), -0.01, np.float32), "got min -0.01"),
        (np.full((1, 1, 2, 2), np.nan, np.float32), "got NaN or infinite values"),
        (np.full((1, 1, 2, 2), np.inf, np.float32), "got NaN or infinite values"),
    ],
)
def test_images_outside_the_range_are_refused_before_anything_is_asked(images, what):
    asked = []
    suspect = CallableSuspect(asked.append)
    with pytest.raises(DataError, match=what):
        suspect.ask(images)
    assert asked == []


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
def test_images_in_the_range_are_taken(pixels):
    check_images(np.array(pixels, np.float32).reshape(1, 1, 2, 2))
    check_images(np.zeros((0, 1, 2, 2), np.float32))


LEVELS = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_level_comes_back_and_its_neighbourhood_with_it(dtype):
    points = IMAGE.to_model(LEVELS, dtype=dtype)
    assert points.dtype == dtype
    assert torch.equal(points.flatten(), torch.arange(256, dtype=dtype) / 255)
    for off in (-0.49, 0.0, 0.49):
        moved = (points + off / 255).clamp(0, 1)
        assert np.array_equal(IMAGE.to_stored(moved).numpy(), LEVELS)
        assert torch.equal(IMAGE.rounded(moved), points)
    assert np.array_equal(IMAGE.as_points(LEVELS), IMAGE.to_model(LEVELS).numpy())
    assert np.array_equal(to_bytes(IMAGE.as_points(LEVELS)), LEVELS)


def test_floats_stay_what_they_are():
    points = np.random.default_rng(0).random((2, 3, 4, 4))
    assert np.array_equal(IMAGE.to_model(points, dtype=torch.float64).numpy(), points)


def test_a_ball_ends_on_whole_levels_inside_the_range():
    points = IMAGE.to_model(LEVELS)
    low, high = IMAGE.within(points, 10.9 / 255)
    at = np.arange(256)
    assert np.array_equal(IMAGE.to_stored(low).flatten().numpy(), np.maximum(at - 10, 0))
    assert np.array_equal(IMAGE.to_stored(high).flatten().numpy(), np.minimum(at + 10, 255))
    assert IMAGE.whole_steps(10.9 / 255) == 10 / 255


def test_rows_are_one_stretch_of_memory_each():
    points = IMAGE.to_model(np.zeros((2, 3, 4, 5), np.uint8))
    rows = IMAGE.rows(points)
    assert rows.is_contiguous()
    assert IMAGE.from_rows(rows).shape == points.shape
