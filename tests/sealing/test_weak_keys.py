"""Keys that accept signatures which nobody made are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modelprint.core.errors import IntegrityError, UsageError
from modelprint.sealing.keys import check_signature, is_weak, read_public

PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME
Point = tuple[int, int]


def root(square: int) -> int | None:
    value = pow(square, (PRIME + 3) // 8, PRIME)
    if (value * value - square) % PRIME:
        value = value * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return None if (value * value - square) % PRIME else value


def point(y: int) -> Point | None:
    x = root((y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME)
    return None if x is None else (x, y)


def doubled(one: Point) -> Point:
    x, y = one
    share = D * x * x * y * y % PRIME
    return (
        2 * x * y * pow(1 + share, -1, PRIME) % PRIME,
        (y * y + x * x) * pow(1 - share, -1, PRIME) % PRIME,
    )


def of_small_order(y: int) -> bool:
    place = point(y)
    for _ in range(3):
        assert place is not None
        place = doubled(place)
    return place == (0, 1)


WEAK = (0, 1, PRIME - 1, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826)


@pytest.mark.parametrize("y", [*WEAK, PRIME - WEAK[-1]])
@pytest.mark.parametrize("sign", [0, 1])
def test_every_point_of_small_order_is_weak(y: int, sign: int) -> None:
    assert of_small_order(y)
    assert is_weak((y | sign << 255).to_bytes(32, "little"))


@pytest.mark.parametrize("y", [PRIME, PRIME + 1, 2**255 - 1])
def test_other_spellings_of_a_number_are_weak(y: int) -> None:
    assert is_weak(y.to_bytes(32, "little"))


def test_keys_that_people_make_are_not() -> None:
    assert not any(is_weak(Ed25519PrivateKey.generate().public_key().public_bytes_raw()) for _ in range(50))


def test_a_forged_signature_of_the_identity_key_is_refused() -> None:
    public = (1).to_bytes(32, "little")
    forged = public + bytes(32)  # R = identity, S = 0: S B = R + h A for every message
    with pytest.raises(IntegrityError, match="weak"):
        check_signature(public, forged, b"anything", who="the bundle")


def test_a_weak_key_s_file_is_refused(tmp_path: Path) -> None:
    key = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    path = tmp_path / "weak.pub"
    path.write_bytes(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UsageError, match="weak key"):
        read_public(path)
