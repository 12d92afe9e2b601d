"""Records that only `--format json` needs; `docs/schemas` describes all that are printed."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field

from modelprint.core.records import Record
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.ownership.manifest import Manifest
from modelprint.screening.registry import Listed


class Inspection(Manifest):
    """What `inspect` prints: the manifest of a fingerprint.

    Attributes:
        identity: SHA-256 of the fingerprint.
        queries: how many it holds.
    """

    identity: str
    queries: int = Field(ge=0)

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> Self:
        """A fingerprint's."""
        manifest = fingerprint.manifest
        fields = {name: getattr(manifest, name) for name in Manifest.model_fields}
        return cls(identity=fingerprint.identity, queries=len(fingerprint), **fields)


class RegistryListing(Record):
    """What `registry list` prints: the fingerprints, by name."""

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    fingerprints: tuple[Listed, ...]


class AskingCost(Record):
    """What `--dry-run` prints: what asking a suspect would take.

    Attributes:
        suspect: as it was named, without what is secret of an address.
        queries: to be answered; `answered`: of these, known from an earlier run that is resumed, or from a recording.
        requests: to be sent, if none fails; 0 where asking stays on this machine.
        bytes: of their bodies, about.
        seconds: it takes at least, or about so many where it stays on this machine; null where that is not known.
    """

    suspect: str
    queries: int = Field(ge=0)
    answered: int = Field(ge=0)
    requests: int = Field(ge=0)
    bytes: int = Field(ge=0)
    seconds: float | None = Field(ge=0)
