"""What an owner states: before a dispute (the commitment), and in it (the evidence)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from modelprint.core.errors import IntegrityError
from modelprint.core.records import Record
from modelprint.sealing.envelope import Envelope, Statement

CLOCKS_DIFFER = timedelta(minutes=5)
_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


class Commitment(Statement):
    """Everything that decides a fingerprint, by hash: what was fixed before the dispute.

    Attributes:
        fingerprint: its identity, which binds its manifest and, through that, its tensors.
        tensors: SHA-256 of queries, answers, state and calibration answers.
        source: SHA-256 of the source's weights.
        data, train_data: SHA-256 of the images that queries are made of, and of the source's training images.
        scheme, parameters, seed, budget: what the published algorithm makes the queries from, with source and data.
        calibration, shadows: SHA-256 of these models.
        library: versions of modelprint and torch.
        alpha: the accepted false positive rate, fixed before the dispute, too; None in commitments of earlier versions.
    """

    format: Literal["modelprint-commitment"] = "modelprint-commitment"
    schema_version: Literal[1] = 1
    fingerprint: str
    tensors: str
    source: str
    data: str
    train_data: str | None
    scheme: str
    parameters: dict[str, Any]
    seed: int
    budget: int | None
    calibration: tuple[str, ...]
    shadows: tuple[str, ...]
    library: str
    alpha: float | None = Field(default=None, gt=0, lt=1)


class SealedCommitment(Record):
    """The commitment's file: the signed envelope, and a time stamp of it (RFC 3161 answer, base64) if there is one."""

    envelope: Envelope
    timestamp: str | None

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"envelope": self.envelope.to_json(), "timestamp": self.timestamp}


class Evidence(Statement):
    """What a bundle holds, and how its suspect was asked.

    Attributes:
        parts: SHA-256 of every other part, by name.
        access, alpha, budget: as `verify` was told.
        pool_kinds: likewise; not written where it was not.
    """

    format: Literal["modelprint-evidence"] = "modelprint-evidence"
    schema_version: Literal[1] = 1
    parts: dict[str, str]
    access: Literal["labels", "scores"]
    alpha: float = Field(gt=0, lt=1)
    budget: int | None
    pool_kinds: bool = False

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        if not self.pool_kinds:
            fields.pop("pool_kinds", None)
        return fields


def now() -> datetime:
    """This machine's clock, UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def written(moment: datetime) -> str:
    """A time as statements spell it.

    >>> written(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    '2026-01-31T23:59:59Z'
    """
    return moment.astimezone(UTC).strftime(_FORMAT)


def time_of(text: str, *, who: str) -> datetime:
    """The time that a statement spells.

    Raises:
        IntegrityError: there is no such time.
    """
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise IntegrityError(f"{who} is dated {text!r}, which is no time") from error


def check_order(moments: list[tuple[str, datetime]]) -> None:
    """Nothing, if each happened no earlier than the one before, within five minutes.

    Raises:
        IntegrityError: the first one that did not.
    """
    for (one, earlier), (other, later) in pairwise(moments):
        if earlier > later + CLOCKS_DIFFER:
            raise IntegrityError(
                f"{one} is dated {written(earlier)}, after {other} ({written(later)}): a clock was wrong, or a date is "
                "false"
            )
