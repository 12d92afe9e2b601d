"""What a scan prints: a row for each suspect with each fingerprint, and one for each suspect."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelprint.core.identification import Comparison
from modelprint.core.records import Record
from modelprint.core.verdict import Outcome, Relation

Method = Literal["holm", "bh"]
Read = Literal["file", "weights", "scores", "labels"]


class Pair(Record):
    """One suspect with one fingerprint.

    Attributes:
        suspect: its name in this scan.
        fingerprint: its name in the registry.
        verdict: after correction; "not-comparable": the two are of different tasks.
        score: of the evidence that was read last; of schemes that differ, not comparable.
        p_value: the rank among the fingerprint's calibration models; null without one, or where the files are equal.
        p_corrected: for the number of owners (Holm), or over the screen (bh).
        access: what was read; "file": the suspect's file is the enrolled one, byte for byte. Null where nothing was.
        queries: that were asked for this pair.
        relation: the story that fits.
        message: the verdict in plain words.
    """

    suspect: str
    fingerprint: str
    verdict: Comparison
    score: float | None = None
    p_value: float | None = Field(default=None, gt=0, le=1)
    p_corrected: float | None = Field(default=None, gt=0, le=1)
    access: Read | None = None
    queries: int = Field(default=0, ge=0)
    relation: Relation | None = None
    message: str = ""


class SuspectRow(Record):
    """One suspect.

    Attributes:
        suspect: its name in this scan.
        sha256: of its file; null for an address, or a file that cannot be read.
        verdict: over all owners; null where it cannot be read.
        owner: the fingerprint that it was made from, if "derived".
        error: why it cannot be read; null where it can.
        message: the verdict in plain words; names further owners that it is like.
        seconds: that judging it took; 0 where all of it was known from before.
    """

    suspect: str
    sha256: str | None = None
    verdict: Outcome | None = None
    owner: str | None = None
    error: str | None = None
    message: str = ""
    seconds: float = Field(default=0.0, ge=0)


class Savings(Record):
    """What cheap evidence saved.

    Attributes:
        pairs: of a suspect that could be read and a fingerprint.
        by_file, by_weights: pairs that were settled by the file's hash, or by weights, so that no query was asked.
        known: pairs that were known from an earlier scan.
        queries: that were put to suspects; `saved`: further ones that the pairs would have needed, each for itself.
    """

    pairs: int = 0
    by_file: int = 0
    by_weights: int = 0
    known: int = 0
    queries: int = 0
    saved: int = 0


class Screen(Record):
    """Many suspects against many owners.

    Attributes:
        pairs: by suspect, in the order of the scan, then by fingerprint.
        method: of correction. "holm": over the owners, within each suspect. "bh": Benjamini and Hochberg over suspects.
        expected_false_positives: at most, among the suspects that were tested and are independent of all owners.
        alpha: "holm": the accepted chance of a false "derived" for each suspect. "bh": the accepted share of false
            ones among the suspects that are called derived.
        savings: what was asked, and what was not.
        notes: what should be known of the scan as a whole.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    pairs: tuple[Pair, ...]
    suspects: tuple[SuspectRow, ...]
    method: Method
    expected_false_positives: float = Field(ge=0)
    alpha: float = Field(gt=0, lt=1)
    savings: Savings = Savings()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The printed object (contract: `scan --format json`)."""
        return self.model_dump_json(by_alias=True)
