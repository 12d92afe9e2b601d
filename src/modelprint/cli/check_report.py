"""The record that `check --format json` prints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelprint.core.records import Record
from modelprint.core.verdict import Verdict
from modelprint.ownership.challenge import Whose
from modelprint.ownership.guarantees import Open

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
WhoseAlpha = Literal["judge", "commitment", "owner"]


class JudgesImages(Record):
    """The images of a fresh challenge: how many were used, and how many left out that the owner has, too."""

    name: str
    count: int
    left_out: int
    whose: Literal["judge"] = "judge"


class CountedModels(Record):
    """How many models, and whose they are."""

    count: int
    whose: Whose


class StatedAlpha(Record):
    """An accepted false positive rate, and who set it."""

    value: float
    whose: WhoseAlpha


class FreshChallenge(Record):
    """What a fresh challenge says of the suspect.

    Attributes:
        message: the verdict in plain words.
        seed: of the fresh fingerprint.
        same_suspect: whether the suspect has the identity that the bundle names.
        contradicts: why it contradicts the bundle's verdict; null where it does not.
    """

    verdict: Verdict
    message: str
    seed: int
    images: JudgesImages
    models: CountedModels
    shadows: CountedModels
    alpha: StatedAlpha
    same_suspect: bool
    contradicts: str | None


class Remade(Record):
    """A fingerprint that came out again.

    Attributes:
        queries: how many; `differing`: those not the same bit for bit, all within the tolerance.
        scores_off: the largest difference of a score of the source.
        exact: queries, answers and state are the same bit for bit.
    """

    queries: int
    differing: int
    scores_off: float
    exact: bool


class CheckReport(Record):
    """What `check` prints: what of a bundle fits, and what was not checked.

    Attributes:
        bundle: SHA-256 of the bundle.
        fits: whether nothing contradicts it; what does not fit together at all is an error, and no report.
        checked: what was checked, in words.
        signer: the id of the key; `key_compared`: whether it was compared with one that the judge named.
        sealed, bundled: the signer's own dates.
        stamped: when a third party says that the commitment was there; `stamp_verified`: whether its certificate was
            verified.
        verdict: recomputed from the answers; `rejudged`: by the independent models that the judge named.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    bundle: str
    fits: bool
    checked: tuple[str, ...]
    not_checked: tuple[Open, ...]
    signer: str
    key_compared: bool
    sealed: Time
    stamped: Time | None
    stamp_verified: bool
    bundled: Time
    verdict: Verdict
    rejudged: Verdict | None
    rederived: Remade | None
    challenge: FreshChallenge | None
