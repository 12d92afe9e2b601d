"""What must never change: the order of every set, so that a slice means the same images to everybody, for ever."""

from __future__ import annotations

import numpy as np
import pytest

from modelprint.core.identity import digest_arrays, digest_json
from modelprint.data.splits import fixed_order, load_data
from tests.data.test_named import has_cifar10, has_fashion

ORDERS = {
    (10, 0): "e207bf117292765e",
    (1797, 0): "b8d18f352374c3e5",
    (1797, 1): "3c6c92f75caf3d0b",
    (60000, 0): "e14f8c12eb99636c",
    (60000, 1): "0638dc8554fc480f",
    (70000, 0): "c406c5041dbbc9ed",
    (10000, 2): "b73f8176b73fa94d",
    (50000, 1): "361bcc786dace39c",
}
FASHION = pytest.mark.skipif(not has_fashion(), reason="fashion-mnist is not on this machine")
CIFAR10 = pytest.mark.skipif(not has_cifar10(), reason="no cifar10.npz under $MODELPRINT_DATA")
PARTS = [
    ("digits:train", "268928d1ec90a73f"),
    ("digits:test", "c2f5fc9135212b76"),
    ("digits:owner", "b80888bf2ff687b5"),
    ("digits:stranger", "b9166956d608b2f1"),
    ("digits:attacker", "c968aa3e669bd48d"),
    ("digits:queries", "f20ce9cde2b2956f"),
    ("digits:holdout", "fed1524eb7cc9567"),
    pytest.param("fashion-mnist:train", "674884597488a2c9", marks=FASHION),
    pytest.param("fashion-mnist:test", "257d526df54ddc01", marks=FASHION),
    pytest.param("fashion-mnist:owner", "fbecafbcc000b651", marks=FASHION),
    pytest.param("fashion-mnist:stranger", "29a8f663e58806c1", marks=FASHION),
    pytest.param("fashion-mnist:attacker", "fb4c4d2116df8bf2", marks=FASHION),
    pytest.param("fashion-mnist:queries", "8098516fe8fa676b", marks=FASHION),
    pytest.param("fashion-mnist:holdout", "d73e3f4aba7ac2cb", marks=FASHION),
    pytest.param("cifar10:train", "dafbe43aa8306d62", marks=CIFAR10),
    pytest.param("cifar10:test", "98be57069156199e", marks=CIFAR10),
    pytest.param("cifar10:owner", "1df5017fa5ba32da", marks=CIFAR10),
    pytest.param("cifar10:stranger", "cf26fff9d68ab28c", marks=CIFAR10),
    pytest.param("cifar10:attacker", "20f7721d11db5057", marks=CIFAR10),
    pytest.param("cifar10:queries", "014a0dc640dc1695", marks=CIFAR10),
    pytest.param("cifar10:holdout", "5fbcc6610ee4ec7d", marks=CIFAR10),
]


def short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:16]


@pytest.mark.parametrize(("count", "salt"), ORDERS)
def test_the_order_of_a_set_is_fixed(count, salt):
    order = fixed_order(count, salt=salt).astype(np.int64)
    assert short(digest_arrays({"order": order})) == ORDERS[count, salt]


def test_the_first_order_by_eye():
    assert fixed_order(10).tolist() == [8, 2, 0, 3, 6, 5, 1, 9, 4, 7]


@pytest.mark.parametrize(("reference", "known"), PARTS)
def test_a_part_of_a_named_set_is_these_images_and_labels(reference, known):
    assert short(load_data(reference).identity) == known


def test_hashes_of_records_and_arrays_are_fixed():
    assert digest_json({"b": [1, 0.5, None], "a": "ü"}) == (
        "sha256:5f24bbea7ca7b660a76a39274d46c91208d649e0a252f3b5f797ba55d876011a"
    )
    assert short(digest_arrays({"a": np.arange(4, dtype=np.float32)})) == "de3ff4b25c6292d1"


@pytest.mark.parametrize(
    ("part", "channel"), [("owner", 64), ("queries", 64), ("holdout", 64), ("train", 1), ("test", 1), ("train[3:9]", 1)]
)
def test_images_lie_in_memory_as_in_version_0_1_0(part: str, channel: int) -> None:
    """The strides of an axis of length 1 decide which kernel adds, and so the last bits of every score."""
    assert load_data(f"digits:{part}").stored.strides == (64, channel, 8, 1)
