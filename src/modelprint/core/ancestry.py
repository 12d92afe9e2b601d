"""Which of several models a suspect may have been made from: the record that `ancestors` prints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelprint.core.records import Record
from modelprint.core.verdict import Outcome


class Ancestor(Record):
    """One enrolled model, and whether the suspect may have been made from it.

    Attributes:
        fingerprint: its path; null for one that was never a file.
        sha256: its identity.
        copies: how many models that are known to be made from it were asked the same.
        score: of the suspect; null where it could not be scored.
        p_value: rank of its score among those of the copies, from below: small where it is less like the source than
            copies are. Null where it has no score, or left a query unanswered.
        adjusted_p_value: corrected for the number of fingerprints (Holm).
        included: whether it stands in the set.
        verdict: what verifying says: whether it is more like the source than independent models are.
        message: why it is in the set or not, in plain words.
    """

    fingerprint: str | None
    sha256: str
    scheme: str
    copies: int = Field(ge=0)
    score: float | None
    p_value: float | None = Field(gt=0, le=1)
    adjusted_p_value: float | None = Field(gt=0, le=1)
    included: bool
    verdict: Outcome
    message: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.fingerprint or self.sha256


class ProvenanceSet(Record):
    """A set of enrolled models that contains every one that the suspect was made from, but for a stated chance.

    Attributes:
        coverage: the least chance that no ancestor is left out.
        access: what was read of all models.
        models: in the order in which they were named.
        message: the set in plain words.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    suspect: str
    coverage: float = Field(gt=0, lt=1)
    access: str
    models: tuple[Ancestor, ...]
    message: str

    @property
    def included(self) -> tuple[Ancestor, ...]:
        """The set."""
        return tuple(one for one in self.models if one.included)

    def to_json(self) -> str:
        """The printed object (`ancestors --format json`)."""
        return self.model_dump_json(by_alias=True)
