"""Maps number their regions where there is room."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from modelprint.report.drawing.pictures import PALETTE, colour, ink, region_map


def decoded(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def test_a_map_shows_each_class_in_its_colour_and_numbers_it_inside():
    labels = np.zeros((40, 40), dtype=np.int64)
    labels[:, 20:] = 12
    labels[0, 0] = -1
    labels[39, 39] = 5
    result = region_map(labels)
    pixels = np.asarray(decoded(result.uri).convert("RGB"))
    assert "#" + bytes(pixels[20, 5]).hex().upper() == PALETTE[0]
    assert "#" + bytes(pixels[20, 30]).hex().upper() == PALETTE[2] == colour(12)
    assert pixels[0, 0].tolist() == [0, 0, 0]
    assert [region.label for region in result.regions] == [0, 12]  # one pixel of class 5 has no room for a number
    for region in result.regions:
        assert labels[int(region.y * 40), int(region.x * 40)] == region.label


@pytest.mark.parametrize("label", range(len(PALETTE)))
def test_numbers_can_be_read_on_every_colour(label):
    def luminance(value):
        channels = [int(value[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    on, written = luminance(colour(label)), {"#000": 0.0, "#fff": 1.0}[ink(label)]
    assert (max(on, written) + 0.05) / (min(on, written) + 0.05) >= 4.5  # WCAG 2.2, AA
