"""The named sets: digits, fashion-mnist and cifar10, found on disk or downloaded with a checksum."""

from __future__ import annotations

import gzip
import importlib.util
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelprint.core.errors import DataError
from modelprint.core.redaction import hidden
from modelprint.data.arrays import read_own_npz
from modelprint.data.labelled import Numbering
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.image.reading import to_uint8_nchw
from modelprint.modalities.image.storage import LEVELS, STORED

DEBIAN_DATASETS = Path("/usr/share/datasets")
DATA_VARIABLE = "MODELPRINT_DATA"

# Facts about the published files. Fashion-MNIST: Xiao, Rasul, Vollgraf, 2017 (MIT licence), md5 from its README;
# CIFAR-10: Krizhevsky, 2009, md5 from its page.
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FASHION_FILES = {
    "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_MD5 = "md5:c32a1d4ab5d03f1284b67883e8d87530"

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True, kw_only=True)
class RawSet:
    """A whole set in its published order.

    Attributes:
        train_images: uint8 (n, c, h, w); likewise the test part. A set without published parts has an empty test part.
        numbering: what the class numbers rest on: a list ("list"), the order of names in the data ("names"), or
            numbers alone ("numbers"), so that there may be more classes than the largest label says.
        validated: how many of the test part's images, its first, are published as a validation part.
        modality: of the inputs.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]
    validated: int = 0
    numbering: Numbering = "list"
    modality: Modality = IMAGE


def search_folders() -> list[Path]:
    """Where named sets are looked for, in order: $MODELPRINT_DATA, the user cache."""
    import pooch

    places = [Path(os.environ[DATA_VARIABLE])] if os.environ.get(DATA_VARIABLE) else []
    return [*places, Path(pooch.os_cache("modelprint"))]


def load_digits() -> RawSet:
    """scikit-learn's bundled digits: 1,797 grey images of 8 x 8 (0-16 stretched to 0-255)."""
    table = _digits_table()
    images = np.rint(table[:, :-1].reshape(-1, 8, 8) * (LEVELS / 16)).astype(STORED)[:, None]
    labels = table[:, -1].astype(np.int64)
    names = tuple(str(number) for number in range(10))
    return RawSet(
        train_images=images,
        train_labels=labels,
        test_images=images[:0],
        test_labels=labels[:0],
        class_names=names,
    )


def _digits_table() -> np.ndarray:
    """64 grey values and the label of each digit, read without loading scikit-learn, where its file is found."""
    spec = importlib.util.find_spec("sklearn")
    if spec is not None and spec.origin is not None:
        file = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if file.is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits as bundled

    raw = bundled()
    return np.column_stack([raw.data, raw.target])


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes (gzip or plain), in LeCun's format.

    Raises:
        DataError: truncated, or not an IDX file.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}): download it again") from error
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of bytes: it starts with {data[:4].hex()}")
    dimensions = data[3]
    if len(data) < 4 + 4 * dimensions:
        raise DataError(f"{path} is truncated: it ends after {len(data)} bytes, within its header: download it again")
    shape = np.frombuffer(data, ">u4", dimensions, offset=4).astype(int)
    body = np.frombuffer(data, STORED, offset=4 + 4 * dimensions)
    if body.size != shape.prod():
        raise DataError(f"{path} is truncated: {body.size} bytes where {shape.tolist()} needs {shape.prod()}")
    return body.reshape(shape)


def load_fashion() -> RawSet:
    """Fashion-MNIST: 60,000 + 10,000 grey images of 28 x 28."""
    folders = [place / "fashion-mnist" for place in search_folders()] + [DEBIAN_DATASETS / "fashion-mnist"]
    for folder in folders:
        if all((folder / name).exists() for name in FASHION_FILES):
            paths = [folder / name for name in FASHION_FILES]
            break
    else:
        paths = [_download(FASHION_URL + name, known, folders[-2]) for name, known in FASHION_FILES.items()]
    train_images, train_labels, test_images, test_labels = (read_idx(path) for path in paths)
    return RawSet(
        train_images=train_images[:, None],
        train_labels=train_labels.astype(np.int64),
        test_images=test_images[:, None],
        test_labels=test_labels.astype(np.int64),
        class_names=FASHION_CLASSES,
    )


def load_cifar10() -> RawSet:
    """CIFAR-10: 50,000 + 10,000 colour images of 32 x 32, from `cifar10.npz` (Keras layout) or the original archive."""
    for place in search_folders():
        path = place / "cifar10.npz"
        if path.exists():
            arrays = read_own_npz(path)
            return RawSet(
                train_images=to_uint8_nchw(arrays["x_train"], who=str(path)),
                train_labels=arrays["y_train"].reshape(-1).astype(np.int64),
                test_images=to_uint8_nchw(arrays["x_test"], who=str(path)),
                test_labels=arrays["y_test"].reshape(-1).astype(np.int64),
                class_names=CIFAR10_CLASSES,
            )
    archive = _download(CIFAR10_URL, CIFAR10_MD5, search_folders()[-1])
    return _cifar10_from_archive(archive)


def _cifar10_from_archive(archive: Path) -> RawSet:
    """Read the published binary archive: records of one label byte and 3,072 pixel bytes, channels first."""
    import tarfile

    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with tarfile.open(archive) as tar:
        for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
            stream = tar.extractfile(f"cifar-10-batches-bin/{name}.bin")
            assert stream is not None
            records = np.frombuffer(stream.read(), STORED).reshape(-1, 3073)
            images.append(records[:, 1:].reshape(-1, 3, 32, 32))
            labels.append(records[:, 0].astype(np.int64))
    return RawSet(
        train_images=np.concatenate(images[:5]),
        train_labels=np.concatenate(labels[:5]),
        test_images=images[5],
        test_labels=labels[5],
        class_names=CIFAR10_CLASSES,
    )


def _download(url: str, known_hash: str, folder: Path) -> Path:
    import pooch

    try:
        return Path(pooch.retrieve(url, known_hash=known_hash, fname=url.rsplit("/", 1)[-1], path=folder))
    except Exception as error:
        raise DataError(
            f"could not download {url} ({hidden(str(error))}): put the files under ${DATA_VARIABLE}, "
            "or install the Debian package dataset-fashion-mnist for fashion-mnist"
        ) from error
