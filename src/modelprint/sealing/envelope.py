"""Signed statements: a record in canonical JSON, in a DSSE envelope (github.com/secure-systems-lab/dsse, v1.0.2).

What is signed is the pre-authentication encoding of type and payload, so that no statement passes for one of another
type. The payload names the key that signed it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ConfigDict, Field, ValidationError

from modelprint.core.errors import IntegrityError
from modelprint.core.records import Record
from modelprint.sealing.canonical import canonical, parse
from modelprint.sealing.keys import check_signature, decoded, encoded, key_id, public_bytes

TYPE: Literal["application/vnd.modelprint+json"] = "application/vnd.modelprint+json"
StatementT = TypeVar("StatementT", bound="Statement")
RecordT = TypeVar("RecordT", bound=Record)


class Statement(Record):
    """What every signed statement says.

    Attributes:
        format: what it states; `schema_version`: in which form.
        key: the 32 bytes of the signer's public key, base64.
        stated: when it was signed, by the signer's own clock, UTC, "2026-01-31T23:59:59Z".
    """

    format: str
    schema_version: int
    key: str
    stated: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


class Signature(Record):
    """Who signed, and the signature, base64."""

    keyid: str
    sig: str


class Envelope(Record):
    """A DSSE envelope with one signature."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    payload: str
    payload_type: Literal["application/vnd.modelprint+json"] = Field(default=TYPE, alias="payloadType")
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1, max_length=1)]

    def to_json(self) -> dict[str, Any]:
        """As DSSE spells it."""
        return self.model_dump(mode="json", by_alias=True)


def sign(statement: Statement, private: Ed25519PrivateKey) -> Envelope:
    """The statement in a signed envelope."""
    payload = canonical(statement.model_dump(mode="json"))
    signature = Signature(keyid=key_id(public_bytes(private)), sig=encoded(private.sign(_pre_authentication(payload))))
    return Envelope(payload=encoded(payload), signatures=(signature,))


def opened(envelope: Any, kind: type[StatementT], *, who: str, version: int = 1) -> StatementT:
    """The statement in an envelope, once its signature fits.

    Args:
        envelope: parsed JSON.
        who: the part's name, for messages.
        version: of the statement that this library reads.

    Raises:
        IntegrityError: damaged, signed by another key than it names, or of a version that this library does not know.
    """
    parsed = validated(Envelope, envelope, who=who)
    payload = decoded(parsed.payload, who=f"{who}'s payload")
    value = parse(payload, who=f"{who}'s payload")
    (signature,) = parsed.signatures
    public = decoded(str(value.get("key")), who=f"{who}'s key")
    if signature.keyid != key_id(public):
        raise IntegrityError(
            f"{who} names key {key_id(public)} but is signed by {signature.keyid}: not the same signer"
        )
    check_signature(public, decoded(signature.sig, who=f"{who}'s signature"), _pre_authentication(payload), who=who)
    if value.get("schema_version") != version:
        raise IntegrityError(
            f"{who} has schema version {value.get('schema_version')!r}, this modelprint reads {version}: "
            "use the version that made it, or a later one"
        )
    return validated(kind, value, who=who)


def validated(kind: type[RecordT], value: Any, *, who: str) -> RecordT:
    """A record of that kind.

    Raises:
        IntegrityError: the value is none; the message names the first field that is wrong.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise IntegrityError(
            f"{who} does not hold what it should: {where + ': ' if where else ''}{first['msg']}"
        ) from error


def _pre_authentication(payload: bytes) -> bytes:
    """DSSE's PAE of the type and the payload."""
    return b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE.encode(), len(payload), payload)
