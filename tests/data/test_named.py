"""Named sets are found where they are said to be, and are what was published."""

from __future__ import annotations

import gzip
import os
import struct
import tarfile
from pathlib import Path

import numpy as np
import pooch
import pytest

from modelprint.core.errors import DataError
from modelprint.data import named
from modelprint.data.named import DATA_VARIABLE, FASHION_FILES, load_cifar10, load_fashion, search_folders
from modelprint.data.splits import SPLITS, load_data


def gzipped_idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no sets and no network; its data folder."""

    def offline(url: str, **arguments: object) -> None:
        raise OSError(f"no route to {url.split('/')[2]}")

    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")
    monkeypatch.setattr(pooch, "retrieve", offline)
    monkeypatch.setattr(named, "DEBIAN_DATASETS", tmp_path / "debian")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_fashion(folder: Path, *, level: int) -> None:
    folder.mkdir(parents=True)
    arrays = [np.full((6, 4, 4), level), np.arange(6), np.full((2, 4, 4), level), np.arange(2)]
    for name, array in zip(FASHION_FILES, arrays, strict=True):
        (folder / name).write_bytes(gzipped_idx(array))


def test_the_search_goes_from_the_variable_to_the_cache_to_debian(empty_machine):
    root = empty_machine.parent
    for level, place in enumerate(["debian", "cache", "data"], start=1):
        write_fashion(root / place / "fashion-mnist", level=level)
        raw = load_fashion()
        assert (raw.train_images.shape, raw.test_images.shape) == ((6, 1, 4, 4), (2, 1, 4, 4))
        assert raw.train_images[0, 0, 0, 0] == level
        assert raw.test_labels.tolist() == [0, 1]


def test_without_the_variable_only_the_cache_is_searched(empty_machine, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE)
    assert search_folders() == [empty_machine.parent / "cache"]


@pytest.mark.parametrize(("load", "host"), [(load_fashion, "fashion-mnist.s3"), (load_cifar10, "www.cs.toronto.edu")])
def test_what_cannot_be_had_says_where_to_put_it(load, host, empty_machine):
    with pytest.raises(DataError, match=rf"could not download .*{host}.*: put the files under \$MODELPRINT_DATA"):
        load()


def test_a_download_is_checked_against_its_published_hash(empty_machine, monkeypatch):
    asked = {}

    def retrieve(url: str, known_hash: str, fname: str, path: Path) -> str:
        asked[fname] = known_hash
        folder = Path(path) / "made"
        if not folder.exists():
            write_fashion(folder, level=7)
        return str(folder / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert load_fashion().train_images[0, 0, 0, 0] == 7
    assert asked == FASHION_FILES


def test_cifar10_from_keras_layout(empty_machine):
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(5)[:, None]
    np.savez(empty_machine / "cifar10.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    raw = load_cifar10()
    assert np.array_equal(raw.train_images, images.transpose(0, 3, 1, 2))
    assert raw.test_labels.tolist() == [0, 1]
    assert raw.class_names[3] == "cat"


def test_cifar10_from_the_published_binary_archive(empty_machine, monkeypatch):
    draw = np.random.default_rng(0)
    records = draw.integers(0, 256, (6, 2, 3073), dtype=np.uint8)
    records[:, :, 0] = np.arange(12).reshape(6, 2) % 10
    archive = empty_machine / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for batch, name in zip(records, [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"], strict=True):
            (empty_machine / name).write_bytes(batch.tobytes())
            tar.add(empty_machine / name, f"cifar-10-batches-bin/{name}")
    monkeypatch.setattr(pooch, "retrieve", lambda *_, **__: str(archive))
    raw = load_cifar10()
    assert np.array_equal(raw.train_images.reshape(10, -1), records[:5, :, 1:].reshape(10, -1))
    assert raw.train_labels.tolist() == list(range(10))
    assert raw.test_labels.tolist() == [0, 1]


def has_cifar10() -> bool:
    return DATA_VARIABLE in os.environ and (Path(os.environ[DATA_VARIABLE]) / "cifar10.npz").exists()


def has_fashion() -> bool:
    folders = [*search_folders(), named.DEBIAN_DATASETS]
    return any((folder / "fashion-mnist" / next(iter(FASHION_FILES))).exists() for folder in folders)


@pytest.mark.skipif(not has_fashion(), reason="fashion-mnist is not on this machine")
def test_fashion_mnist_is_the_published_one():
    train, test = load_data("fashion-mnist:train"), load_data("fashion-mnist:test")
    assert (len(train), len(test), train.shape) == (60_000, 10_000, (1, 28, 28))
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert train.stored.mean() / 255 == pytest.approx(0.2860, abs=1e-4)  # as published with the set
    assert [len(load_data(f"fashion-mnist:{split}")) for split in SPLITS] == [25_000, 25_000, 10_000, 5_000, 5_000]


@pytest.mark.skipif(not has_cifar10(), reason="no cifar10.npz under $MODELPRINT_DATA")
def test_cifar10_is_the_published_one():
    train, test = load_data("cifar10:train"), load_data("cifar10:test")
    assert (len(train), len(test), train.shape) == (50_000, 10_000, (3, 32, 32))
    assert np.bincount(train.labels).tolist() == [5000] * 10
    means = [train.stored[:, channel].mean() / 255 for channel in range(3)]
    assert means == pytest.approx([0.4914, 0.4822, 0.4465], abs=1e-4)  # as widely used
    assert [len(load_data(f"cifar10:{split}")) for split in SPLITS] == [20_000, 20_000, 10_000, 5_000, 5_000]


def test_digits_are_scikit_learns_with_or_without_its_loader(monkeypatch):
    from sklearn.datasets import load_digits as bundled

    from modelprint.data import named

    raw = bundled()
    read = named.load_digits()
    assert np.array_equal(read.train_images[:, 0], np.rint(raw.images * (255 / 16)))
    assert np.array_equal(read.train_labels, raw.target)
    assert read.class_names == tuple(str(name) for name in raw.target_names)
    monkeypatch.setattr(named.importlib.util, "find_spec", lambda name: None)
    loaded = named.load_digits()
    assert np.array_equal(loaded.train_images, read.train_images)
    assert np.array_equal(loaded.train_labels, read.train_labels)
