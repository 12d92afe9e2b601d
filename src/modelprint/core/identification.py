"""Whose a suspect is: the record that `identify` prints."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from modelprint.core.records import Record
from modelprint.core.verdict import Evidence, Outcome, Relation

Comparison = Literal["derived", "not-shown", "inconclusive", "not-comparable"]


class Owner(Record):
    """The fingerprint of the model that a suspect was made from: where it lies, if on disk, and its SHA-256."""

    fingerprint: str | None
    sha256: str


class Candidate(Record):
    """One fingerprint, and how a suspect stands to it.

    Attributes:
        fingerprint: its path; null for one that was never a file.
        sha256: its identity.
        source: SHA-256 of the enrolled model; several fingerprints may be of one.
        score: higher = more likely derived; of schemes that differ, not comparable with each other. Null when nothing
            could be scored.
        p_value: rank of the score among this fingerprint's calibration models; null without any.
        adjusted_p_value: corrected for the number of fingerprints that can be compared (Holm).
        calibration: how many models the score was ranked among.
        queries: how many were asked.
        message: the verdict in plain words, with what is missing, or why the two cannot be compared.
        evidence: what each level of access says by itself, where several were read; not written otherwise.
        relation: the story that fits them; not written without evidence.
    """

    fingerprint: str | None
    sha256: str
    scheme: str
    source: str
    score: float | None = None
    p_value: float | None = Field(default=None, gt=0, le=1)
    adjusted_p_value: float | None = Field(default=None, gt=0, le=1)
    verdict: Comparison
    calibration: int = Field(default=0, ge=0)
    queries: int = Field(default=0, ge=0)
    message: str
    evidence: tuple[Evidence, ...] | None = None
    relation: Relation | None = None

    OMITTED: ClassVar[tuple[str, ...]] = ("evidence", "relation")

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None or name not in self.OMITTED}

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.fingerprint or self.sha256


class Identification(Record):
    """Which owner's model a suspect was made from, if any of them.

    Attributes:
        owner: the first candidate, if the verdict is "derived"; else null.
        verdict: "derived": some adjusted p-value is at most alpha. "not-shown": none is, and each could have been.
            "inconclusive": none is, but some candidate cannot tell, or there is none to compare with.
        alpha: the accepted chance of accusing anybody falsely, over all candidates together.
        candidates: smallest p-value first, then highest score; those that cannot be compared last.
        message: the verdict in plain words; says so if the suspect answers like the models of several owners.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    suspect: str
    owner: Owner | None
    verdict: Outcome
    alpha: float = Field(gt=0, lt=1)
    candidates: tuple[Candidate, ...]
    message: str

    def to_json(self) -> str:
        """The printed object (contract: `identify --format json`)."""
        return self.model_dump_json(by_alias=True)
