"""What must never change of images: the same draws give the same mixes, and transforms do the same to them.

Hashes are of version 0.1.0. Filters are compared once rounded to 8 bits, so that the last bit of another processor is
no change; JPEG is that of the tested Pillow (constraints.txt).
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from modelprint.modalities.base import Labelled
from modelprint.modalities.image import IMAGE
from modelprint.modalities.image.storage import to_bytes
from modelprint.modalities.wire import TensorForm
from modelprint.ownership.plane import grid
from modelprint.perturb.topping import topped_up

IMAGES = np.random.RandomState(0).randint(0, 256, (40, 3, 12, 10)).astype(np.uint8)
DATA = Labelled(stored=IMAGES, labels=np.arange(40, dtype=np.int64) % 5)
TRANSFORMED = {
    "flip": "09b06ee52482fdd4",
    "noise": "ce5f5a1c3d70a3f5",
    "blur": "a589f148ae8246b6",
    "jpeg": "0ec30e907943923a",
    "bit-depth": "90a305c34021dc2c",
    "resize": "8cc5e0910599f325",
}


def short(array: np.ndarray) -> str:
    kept = np.ascontiguousarray(array)
    return hashlib.sha256(str((kept.dtype.str, kept.shape)).encode() + kept.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("block", [2**22, 999])
def test_mixed_images_are_these(block, monkeypatch):
    monkeypatch.setattr("modelprint.modalities.image.mixing.BLOCK", block)
    mixed = IMAGE.mix(DATA, 100, generator=torch.Generator().manual_seed(7))
    assert (short(mixed.stored), short(mixed.labels)) == ("adcb3264b0628f16", "5f3ae8facd600689")


def test_images_topped_up_are_these():
    full = topped_up(
        DATA.take(np.arange(10)),
        60,
        DATA,
        modality=IMAGE,
        accepts=lambda some: some.labels != 2,
        generator=torch.Generator().manual_seed(8),
    )
    assert (short(full.stored), short(full.labels)) == ("b41d8340b9318498", "1ba3ac2107b4de21")


def test_no_transform_lacks_its_hash():
    assert list(IMAGE.transforms) == list(TRANSFORMED)


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed_images_are_these(name):
    seen = IMAGE.transforms[name]()(IMAGE.as_points(IMAGES), seed=3)
    assert seen.dtype == np.float32
    assert short(to_bytes(seen)) == TRANSFORMED[name]


def test_tensors_files_and_slices_are_these():
    wire = IMAGE.wire
    normalised = wire.encoder(TensorForm(layout="nhwc", mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))).encode(IMAGES)
    assert short(normalised) == "2406d24495c8d106"
    assert hashlib.sha256(wire.file(IMAGES[0])).hexdigest()[:16] == "ce78df0ee612bd84"
    assert short(to_bytes(grid(IMAGES[:3], side=5))) == "2acce56560431d10"
