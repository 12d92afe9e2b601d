"""Sets larger than memory are mapped from disk, and are the same sets."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelprint.core.errors import DataError
from modelprint.data import folders, on_disk
from modelprint.data.labelled import LabelledSet
from modelprint.data.on_disk import OnDisk, joined_rows, kept, mapped, rows, spilled
from modelprint.data.splits import SPLITS, load_data, load_raw
from modelprint.training.loop import TrainRecipe
from modelprint.training.own_recipe import TrainingData
from modelprint.training.train import spec_for, train_model

COUNT, SIDE = 400, 24
WHOLE = COUNT * 3 * SIDE * SIDE  # bytes of all images


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes: brighter above, brighter below."""
    root = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for number in range(COUNT):
        image = draw.integers(0, 200, (SIDE, SIDE, 3))
        image[: SIDE // 2] += 55 * (number % 2)
        folder = root / ("above" if number % 2 else "below")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{number:03}.png")
    return root


@pytest.fixture
def little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Memory for a twentieth of the images; the folder where the rest is kept."""
    monkeypatch.setattr(on_disk, "LARGEST_IN_MEMORY", WHOLE // 20)
    monkeypatch.setattr(on_disk, "BLOCK", WHOLE // 40)
    monkeypatch.setattr(on_disk, "cache_folder", lambda: tmp_path / "arrays")
    load_raw.cache_clear()
    yield tmp_path / "arrays"
    load_raw.cache_clear()


@pytest.fixture(scope="module")
def loaded(photos: Path) -> dict[str, LabelledSet]:
    """Every split in memory, as it always was."""
    return {split: load_data(f"{photos}:{split}") for split in ("train", "test", *SPLITS)}


@pytest.mark.parametrize("split", ["train", "test", *SPLITS])
def test_every_split_is_the_same_set(split, photos, loaded, little_memory):
    found = load_data(f"{photos}:{split}")
    assert isinstance(found.stored, OnDisk)
    assert found.identity == loaded[split].identity
    assert np.array_equal(found.labels, loaded[split].labels)
    part = load_data(f"{photos}:{split}[3:17]")
    assert part.identity == loaded[split].take(slice(3, 17)).identity


def test_only_the_images_of_the_part_are_read_and_only_once(photos, little_memory, monkeypatch):
    read: list[Path] = []
    decode = folders.PictureReader.read
    monkeypatch.setattr(
        folders.PictureReader, "read", lambda reader, files, like: (read.extend(files), decode(reader, files, like))[1]
    )
    load_data(f"{photos}:train[0:40]")
    assert len(set(read)) == 40
    again = len(read)
    load_data(f"{photos}:train[0:40]")
    assert len(read) == again


def test_an_image_that_changed_is_read_again(tmp_path, little_memory):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(60):
            Image.new("RGB", (SIDE, SIDE), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    before = load_data(f"{tmp_path}:train").identity
    path = tmp_path / "b" / "5.png"
    Image.new("RGB", (SIDE, SIDE), (255, 255, 255)).save(path)
    os.utime(path, ns=(1, 1))
    changed = {load_data(f"{tmp_path}:{part}").identity for part in ("train", "test")}
    assert before not in changed or load_data(f"{tmp_path}:train").identity == before
    assert 255 in np.concatenate([load_data(f"{tmp_path}:{part}").stored[:, 1] for part in ("train", "test")])


def test_reading_hashing_and_splitting_hold_a_block_at_a_time(photos, little_memory):
    load_data(f"{photos}:owner[0:40]")  # imports, and the list of files
    tracemalloc.start()
    try:
        data = load_data(f"{photos}:train")
        data.identity  # noqa: B018 - computed here
        again = data.take(np.arange(len(data))[::-1])
        batches = TrainingData(stored=again.stored, labels=again.labels, classes=2, device=torch.device("cpu"))
        assert sum(len(targets) for _, targets in batches.batches(16, 0)) == len(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(again.stored, OnDisk)
    assert peak < WHOLE // 3 < data.stored.nbytes


def test_training_on_it_gives_the_same_weights(photos, loaded, little_memory):
    mapped_set, small = load_data(f"{photos}:train"), loaded["train"]
    spec = spec_for(small, "mlp", {"width": 8})
    near = spec_for(mapped_set, "mlp", {"width": 8})
    assert near.mean == pytest.approx(spec.mean, abs=2e-4)
    assert near.std == pytest.approx(spec.std, abs=2e-4)
    recipe = TrainRecipe(epochs=4, lr=0.05, batch_size=32)
    one, other = (train_model(data, spec, recipe, seed=0, holdout=loaded["test"]) for data in (small, mapped_set))
    assert one.card.accuracy == other.card.accuracy > 0.9
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])


def test_a_broken_image_is_named_and_nothing_half_read_is_kept(photos, little_memory, tmp_path):
    root = tmp_path / "broken"
    for name in ("above", "below"):
        (root / name).mkdir(parents=True)
        for path in (photos / name).iterdir():
            (root / name / path.name).symlink_to(path)
    bad = root / "below" / "zz.png"
    bad.write_bytes((photos / "below" / "000.png").read_bytes()[:90])
    found = folders.list_image_folder(root)
    with pytest.raises(DataError, match=r"zz\.png cannot be read as an image"):
        found.read(np.arange(len(found)))
    assert not list(little_memory.glob(".*"))
    bad.unlink()
    Image.new("RGB", (9, 9)).save(bad)
    with pytest.raises(DataError, match=r"zz\.png is \(9, 9, 3\) but .*001\.png is \(24, 24, 3\)"):
        found.read(np.arange(len(found)))


@pytest.mark.parametrize("layout", ["nchw", "nhwc", "nhwc-float", "grey"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_are_mapped(layout, save, tmp_path, little_memory):
    draw = np.random.default_rng(1).integers(0, 256, (90, 3, SIDE, SIDE), dtype=np.uint8)
    images = {"nchw": draw, "nhwc": draw.transpose(0, 2, 3, 1), "grey": draw[:, 0]}.get(layout)
    if images is None:
        images = (draw.transpose(0, 2, 3, 1) / 255).astype(np.float32)
    expected = draw[:, :1] if layout == "grey" else draw
    labels = np.arange(90) % 3
    save(tmp_path / "x.npz", x_train=images, y_train=labels, x_test=images[:30], y_test=labels[:30])
    raw = load_raw(str(tmp_path / "x.npz"))
    assert isinstance(raw.train_images, OnDisk)
    assert np.array_equal(raw.train_images, expected)
    assert np.array_equal(raw.test_images, expected[:30])
    whole = [load_data(f"{tmp_path / 'x.npz'}:{split}") for split in SPLITS]
    seen = sorted(image.tobytes() for part in whole for image in part.stored)
    assert seen == sorted(image.tobytes() for image in [*expected, *expected[:30]])


def test_a_large_archive_out_of_range_is_refused(tmp_path, little_memory):
    images = np.full((90, SIDE, SIDE, 3), 2.0, np.float32)
    np.savez(tmp_path / "x.npz", x_train=images, y_train=np.zeros(90, int))
    with pytest.raises(DataError, match=r"x_train: expected inputs in \[0, 1\], got min 0, max 2"):
        load_data(str(tmp_path / "x.npz"))
    assert not list(little_memory.glob("*.bin"))


def test_a_full_disk_is_said_before_anything_is_read(photos, little_memory, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(on_disk.shutil, "disk_usage", lambda place: usage)
    with pytest.raises(
        DataError, match=r"GB of inputs are mapped from .*arrays, where 0\.0 GB are free.*XDG_CACHE_HOME"
    ):
        load_data(f"{photos}:train")


NUMBERS = np.arange(24, dtype=np.int32).reshape(6, 4)


def fill(target: np.ndarray) -> None:
    target[:] = NUMBERS


def test_pickles_name_the_file(little_memory):
    array = kept("numbers", NUMBERS.shape, NUMBERS.dtype, fill)
    for view in (array, array[2:5], array[2]):
        data = pickle.dumps(view)
        assert len(data) < 300
        again = pickle.loads(data)
        assert isinstance(again, OnDisk)
        assert np.array_equal(again, view)
    for copied in (array[:, 1:3], array + 1, array[np.array([4, 1])]):
        assert np.array_equal(pickle.loads(pickle.dumps(copied)), np.asarray(copied))


def test_what_is_kept_is_filled_once_and_stays_as_it_is(little_memory):
    kept("numbers", NUMBERS.shape, NUMBERS.dtype, fill)[:] = 0  # of this process alone

    def never(target: np.ndarray) -> None:
        raise AssertionError("filled twice")

    assert np.array_equal(kept("numbers", NUMBERS.shape, NUMBERS.dtype, never), NUMBERS)


def test_a_file_of_another_size_is_written_again(little_memory):
    little_memory.mkdir()
    (little_memory / "numbers.bin").write_bytes(b"half")
    assert np.array_equal(kept("numbers", NUMBERS.shape, NUMBERS.dtype, fill), NUMBERS)


def test_an_interrupted_fill_leaves_nothing(little_memory):
    def stopped(target: np.ndarray) -> None:
        target[0] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spilled(NUMBERS.shape, NUMBERS.dtype, stopped)
    assert not [path for path in little_memory.iterdir() if path.stat().st_size]


@pytest.mark.parametrize("index", [np.array([5, 0, 5]), np.array([], dtype=int), np.arange(6) % 2 == 0, slice(1, 4)])
def test_rows_are_numpys_rows(index, little_memory, monkeypatch):
    expected = NUMBERS[index]
    assert np.array_equal(rows(NUMBERS, index), expected)
    monkeypatch.setattr(on_disk, "LARGEST_IN_MEMORY", 8)
    monkeypatch.setattr(on_disk, "BLOCK", 20)
    assert np.array_equal(rows(NUMBERS, index), expected)
    whole = np.flatnonzero(index) if isinstance(index, np.ndarray) and index.dtype == bool else index
    if isinstance(whole, np.ndarray):
        assert np.array_equal(joined_rows(NUMBERS[:2], NUMBERS[2:], whole), expected)


def test_a_mapped_array_is_a_writable_numpy_array_for_torch(little_memory):
    array = kept("numbers", NUMBERS.shape, NUMBERS.dtype, fill)
    tensor = torch.from_numpy(array)  # would warn of arrays that cannot be written
    assert tensor.sum() == NUMBERS.sum()
    assert isinstance(mapped(little_memory / "numbers.bin", (4,), "<i4", 16), OnDisk)
