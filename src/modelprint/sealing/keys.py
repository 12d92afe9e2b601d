"""Ed25519 key pairs: who sealed something. A private key is a PEM file that only its owner can read."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.files import write_bytes
from modelprint.core.identity import digest
from modelprint.core.untrusted import read_regular

LARGEST_KEY = 16384  # bytes of a PEM file
_PRIME = 2**255 - 19
# y of the points whose order divides 8 (Bernstein et al., "High-speed high-security signatures", 2012: the torsion of
# Curve25519's twisted Edwards form). Any message has a signature that such a "key" accepts.
_ORDER_8_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({0, 1, _PRIME - 1, _ORDER_8_Y, _PRIME - _ORDER_8_Y})


def make_key(path: Path) -> str:
    """Write a new private key to `path` and its public key to `path`.pub; the key's id.

    Raises:
        UsageError: a file of that name is there; a key is never overwritten.
        ModelprintError: the place cannot be written.
    """
    public_path = path.with_name(path.name + ".pub")
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(pem)
    except FileExistsError as error:
        raise UsageError(f"{path} exists: a key is never overwritten, choose another name") from error
    except OSError as error:
        raise ModelprintError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
    write_bytes(
        public_path,
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )
    return key_id(public_bytes(private))


def read_private(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file.

    Raises:
        UsageError: missing, protected by a password, or of another kind.
    """
    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} is no Ed25519 private key without a password: `modelprint key --out KEY`") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is a key of another kind, Ed25519 is needed: `modelprint key --out KEY`")
    return key


def read_public(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file.

    Raises:
        UsageError: missing, or no Ed25519 public key.
    """
    try:
        key = serialization.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} is no public key: name the .pub file that `modelprint key` wrote") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} is a key of another kind, Ed25519 is needed")
    if is_weak(key.public_bytes_raw()):
        raise UsageError(f"{path} is a weak key, which accepts signatures that nobody made: ask for another")
    return key.public_bytes_raw()


def public_bytes(private: Ed25519PrivateKey) -> bytes:
    """The 32 bytes of its public key."""
    return private.public_key().public_bytes_raw()


def key_id(public: bytes) -> str:
    """SHA-256 of the 32 bytes of a public key, by which people compare keys."""
    return digest(public)


def is_weak(public: bytes) -> bool:
    """Whether 32 bytes are no public key that anybody can own alone: of small order, or not in their one spelling.

    >>> is_weak(bytes([1]) + bytes(31)), is_weak(bytes(31))
    (True, True)
    """
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return len(public) != 32 or y >= _PRIME or y in _SMALL_ORDER_Y


def check_signature(public: bytes, signature: bytes, message: bytes, *, who: str) -> None:
    """Nothing, if the key signed the message.

    Raises:
        IntegrityError: it did not.
    """
    if is_weak(public):
        raise IntegrityError(f"{who}: key {key_id(public)} is weak: it accepts signatures that nobody made")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise IntegrityError(f"{who}: the signature is not that of key {key_id(public)} over this content") from error


def encoded(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode("ascii")


def decoded(text: str, *, who: str) -> bytes:
    """The bytes of a base64 text in its one spelling.

    Raises:
        IntegrityError: it is none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise IntegrityError(f"{who} is damaged: it is not base64 ({error})") from error
    if encoded(data) != text:
        raise IntegrityError(f"{who} is damaged: its base64 has another spelling")
    return data


def _read(path: Path) -> bytes:
    try:
        return read_regular(path)[:LARGEST_KEY]
    except OSError as error:
        raise UsageError(f"the key {path} cannot be read: {error.strerror or error}") from error
