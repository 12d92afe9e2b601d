"""Pictures come back pixel by pixel."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from modelprint.modalities.image.picture import png_uri


def decoded(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_images_come_back_as_they_were(channels, kind):
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 5, 7), dtype=np.uint8)
    given = pixels if kind is np.uint8 else (pixels / 255).astype(np.float32)
    shown = np.asarray(decoded(png_uri(given)))
    np.testing.assert_array_equal(shown, pixels[0] if channels == 1 else pixels.transpose(1, 2, 0))


def test_large_images_shrink_and_odd_channels_are_averaged():
    image = decoded(png_uri(np.full((4, 300, 200), 0.5, dtype=np.float32)))
    assert image.size == (64, 96)
    assert image.mode == "L"
    assert set(np.unique(np.asarray(image))) == {128}
