"""Images of any layout become uint8 (n, c, h, w) with the pixels that they had."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.folders import read_image_folder
from modelprint.data.named import read_idx
from modelprint.data.splits import load_data
from modelprint.modalities.image.reading import to_uint8_nchw

nchw = arrays_of.arrays(
    np.uint8, st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.integers(4, 6), st.integers(4, 6))
)


@given(nchw, st.sampled_from([np.float16, np.float32, np.float64]))
def test_every_layout_gives_the_same_images(images, dtype):
    for given_images in (images, images.transpose(0, 2, 3, 1)):
        for layout in (given_images, (given_images / 255).astype(dtype)):
            found = to_uint8_nchw(layout, who="x")
            assert found.dtype == np.uint8
            assert np.array_equal(found, images)
            assert found.flags["C_CONTIGUOUS"]


@given(arrays_of.arrays(np.uint8, st.tuples(st.integers(0, 3), st.integers(2, 5), st.integers(2, 5))))
def test_grey_images_without_a_channel_axis(images):
    assert np.array_equal(to_uint8_nchw(images, who="x"), images[:, None])


@pytest.mark.parametrize(
    ("images", "what"),
    [
        (np.full((1, 4, 4), 255.0), "expected inputs in [0, 1], got min 0, max 255: divide by 255 first"),
        (np.full((1, 4, 4), -0.5), "got min -0.5"),
        (np.full((1, 4, 4), np.nan), "got min nan"),
        (np.full((1, 4, 4), np.inf), "max inf"),
        (np.zeros((1, 4, 4), np.int64), "expected uint8, or float in [0, 1], got int64"),
        (np.zeros((1, 4, 4), bool), "got bool"),
        (np.zeros((1, 4, 4), np.uint16), "got uint16: divide 16-bit levels by 65535"),
        (np.zeros((2, 5, 4, 4), np.uint8), "expected NHWC, NHW or NCHW images with 1 or 3 channels"),
        (np.zeros((4, 4), np.uint8), "got shape (4, 4)"),
    ],
)
def test_what_is_no_image_is_refused(images, what):
    with pytest.raises(DataError) as caught:
        to_uint8_nchw(images, who="shots.npz: x_train")
    assert what in str(caught.value)
    assert str(caught.value).startswith("shots.npz: x_train: ")


def idx(array: np.ndarray) -> bytes:
    """LeCun's format: two zero bytes, the type, the number of axes, their lengths, the values."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@given(array=arrays_of.arrays(np.uint8, arrays_of.array_shapes(max_dims=3, max_side=4)))
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_read_back(tmp_path_factory, suffix, array):
    path = tmp_path_factory.getbasetemp() / f"idx{suffix}"
    path.write_bytes(gzip.compress(idx(array)) if suffix else idx(array))
    assert np.array_equal(read_idx(path), array)


@given(st.data())
def test_a_truncated_idx_file_is_refused(tmp_path_factory, data):
    whole = idx(np.arange(12, dtype=np.uint8).reshape(3, 4))
    path = tmp_path_factory.getbasetemp() / "truncated-idx"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError, match=r"is truncated|is not an IDX file"):
        read_idx(path)
    packed = gzip.compress(whole)
    path = path.with_suffix(".gz")
    path.write_bytes(packed[: data.draw(st.integers(1, len(packed) - 1))])
    with pytest.raises(DataError, match=r"cannot be read .*: download it again"):
        read_idx(path)


@pytest.mark.parametrize("content", [b"<html>404</html>", b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00\x00\x00\x00"])
def test_other_files_are_no_idx_files(content, tmp_path):
    (tmp_path / "labels").write_bytes(content)
    with pytest.raises(DataError, match="is not an IDX file of bytes: it starts with"):
        read_idx(tmp_path / "labels")


def test_npz_files_hold_arrays_and_nothing_else(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, x_train=np.arange(6))
    assert read_npz_arrays(path)["x_train"].tolist() == [0, 1, 2, 3, 4, 5]
    np.savez(path, x_train=np.array([{"code": 1}], dtype=object))
    with pytest.raises(DataError, match="truncated, or holds Python objects"):
        read_npz_arrays(path)
    with pytest.raises(DataError, match="does not exist"):
        read_npz_arrays(tmp_path / "absent.npz")


@pytest.mark.parametrize("compress", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_refused(compress, tmp_path):
    path = tmp_path / "set.npz"
    compress(path, x_train=np.random.default_rng(0).integers(0, 9, 500))
    whole = path.read_bytes()
    for content in (
        b"",
        whole[:30],
        whole[: len(whole) // 2],
        whole[:-1],
        b"junk",
        whole[:100] + b"~~~~" + whole[104:],
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read as npz"):
            read_npz_arrays(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes, "b" before "c", of three images with one grey level each."""
    for number, name in enumerate(["c/2.png", "b/1.png", "b/0.png"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 5), 10 * number, np.uint8)).save(tmp_path / name)
    (tmp_path / "b" / "notes.txt").touch()
    (tmp_path / ".thumbnails").mkdir()
    return tmp_path


def test_a_folder_of_class_folders_is_read_in_the_order_of_names(photos):
    images, labels, names = read_image_folder(photos)
    assert names == ("b", "c")
    assert labels.tolist() == [0, 0, 1]
    assert images.shape == (3, 1, 4, 5)
    assert images[:, 0, 0, 0].tolist() == [20, 10, 0]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_images_have_three_channels(mode, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (5, 4), (10, 20, 30)).convert(mode).save(tmp_path / name / "0.png")
    images, _, _ = read_image_folder(tmp_path)
    assert images.shape == (2, 3, 4, 5)
    if mode != "P":  # whose palette has not every colour
        assert images[0, :, 0, 0].tolist() == [10, 20, 30]


def test_images_of_several_sizes_are_refused(photos):
    Image.new("L", (9, 9)).save(photos / "c" / "9.png")
    with pytest.raises(DataError, match=r"9\.png is \(9, 9\) but .* is \(4, 5\): bring all images to one size"):
        read_image_folder(photos)


def test_a_broken_image_is_named(photos):
    (photos / "c" / "9.png").write_bytes((photos / "c" / "2.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"9\.png cannot be read as an image"):
        read_image_folder(photos)


def test_folders_without_classes_or_images_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match="expected one folder of images per class, found 1 folders"):
        read_image_folder(tmp_path)
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="no images"):
        read_image_folder(tmp_path)


def test_images_of_no_pixels_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=np.zeros((12, 0, 0), np.uint8), y_train=np.arange(12) % 3)
    with pytest.raises(DataError, match="images of no pixels"):
        load_data(str(tmp_path / "d.npz"))
