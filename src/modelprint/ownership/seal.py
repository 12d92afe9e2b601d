"""Commit, then reveal: a signed, dated statement of what a fingerprint is, made before any dispute."""

from __future__ import annotations

from pathlib import Path

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError
from modelprint.core.files import write_bytes
from modelprint.core.untrusted import read_regular
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.sealing.canonical import LARGEST_JSON, canonical, parse
from modelprint.sealing.envelope import opened, sign, validated
from modelprint.sealing.keys import decoded, encoded, public_bytes, read_private
from modelprint.sealing.statements import Commitment, SealedCommitment, now, written
from modelprint.sealing.timestamp import claimed_time, fetch

COMMITMENT = "commitment.json"


def seal(
    fingerprint: Fingerprint,
    key: Path,
    *,
    alpha: float = 0.05,
    out: Path | None = None,
    timestamp_url: str | None = None,
) -> bytes:
    """The commitment of a fingerprint, as bytes; written to `out`, too, where it is given.

    Args:
        key: the owner's private key (PEM).
        alpha: the false positive rate that later verdicts accept: chosen now, before any suspect was asked.
        timestamp_url: of an RFC 3161 server, which gets a hash and nothing else.

    Raises:
        UsageError: alpha does not lie between 0 and 1.
        ModelprintError: the key cannot be used, the server gives no stamp, or the place cannot be written.
    """
    if not 0 < alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {alpha}")
    private = read_private(key)
    statement = Commitment.model_validate(
        {"key": encoded(public_bytes(private)), "stated": written(now()), "alpha": alpha, **_facts(fingerprint)}
    )
    envelope = sign(statement, private)
    message = canonical(envelope.to_json())
    token = None if timestamp_url is None else encoded(fetch(timestamp_url, message))
    data = canonical(SealedCommitment(envelope=envelope, timestamp=token).to_json())
    if out is not None:
        write_bytes(out, data)
    return data


def read_commitment(data: bytes, *, who: str) -> tuple[Commitment, SealedCommitment]:
    """A commitment whose signature fits, and a stamp, if any, that is a stamp of it.

    Raises:
        IntegrityError: damaged, changed, or of an unknown version.
    """
    sealed: SealedCommitment = validated(SealedCommitment, parse(data, who=who), who=who)
    commitment = opened(sealed.envelope, Commitment, who=who)
    if sealed.timestamp is not None:
        claimed_time(decoded(sealed.timestamp, who=f"{who}'s time stamp"), stamped(sealed), who=f"{who}'s time stamp")
    return commitment, sealed


def stamped(sealed: SealedCommitment) -> bytes:
    """What a time stamp of a commitment is of: its signed envelope."""
    return canonical(sealed.envelope.to_json())


def check_committed(commitment: Commitment, fingerprint: Fingerprint) -> None:
    """Nothing, if this is the fingerprint that was committed.

    Raises:
        IntegrityError: the first field that differs.
    """
    for name, value in _facts(fingerprint).items():
        if getattr(commitment, name) != value:
            raise IntegrityError(
                f"the fingerprint is not the committed one: its {name} is {_short(value)}, the commitment says "
                f"{_short(getattr(commitment, name))}"
            )


def check_alpha(commitment: Commitment, alpha: float) -> None:
    """Nothing, if this false positive rate was committed, or none was (by earlier versions).

    Raises:
        IntegrityError: another one was.
    """
    if commitment.alpha is not None and commitment.alpha != alpha:
        raise IntegrityError(
            f"the verdict accepts a false positive rate of {alpha:g}, the commitment says {commitment.alpha:g}: it is "
            "chosen before a suspect is asked"
        )


def read_file(path: Path) -> bytes:
    """The bytes of a commitment's file.

    Raises:
        ModelprintError: it cannot be read.
    """
    try:
        return read_regular(path)[: LARGEST_JSON + 1]
    except OSError as error:
        raise ModelprintError(f"{path} cannot be read: {error.strerror or error}") from error


def _facts(fingerprint: Fingerprint) -> dict[str, object]:
    """The fields of a commitment that a fingerprint decides."""
    manifest = fingerprint.manifest
    return {
        "fingerprint": fingerprint.identity,
        "tensors": manifest.tensors,
        "source": manifest.source,
        "data": manifest.data,
        "train_data": manifest.train_data,
        "scheme": manifest.scheme,
        "parameters": manifest.parameters,
        "seed": manifest.seed,
        "budget": manifest.budget,
        "calibration": tuple(model.identity for model in manifest.calibration),
        "shadows": tuple(model.identity for model in manifest.shadows),
        "library": manifest.library,
    }


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else text[:100] + "..."
