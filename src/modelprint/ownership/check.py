"""Check evidence as a stranger does: offline, from the bundle alone, trusting nobody; stop at the first misfit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from modelprint.core.errors import IntegrityError, ModelprintError
from modelprint.core.identity import digest
from modelprint.core.verdict import BESIDE, Verdict
from modelprint.nn.options import ModelOptions
from modelprint.ownership.bundle import ANSWERS, EVIDENCE, NAMES, REPORT, VERDICT
from modelprint.ownership.fingerprint import MANIFEST, TENSORS, Fingerprint
from modelprint.ownership.negatives import Negatives
from modelprint.ownership.opening import NOTE
from modelprint.ownership.seal import COMMITMENT, check_alpha, check_committed, read_commitment, stamped
from modelprint.ownership.verification import Verification
from modelprint.ownership.verify import examine
from modelprint.schemes.base import Progress, silent
from modelprint.sealing.canonical import parse
from modelprint.sealing.container import read, unpacked
from modelprint.sealing.envelope import opened, validated
from modelprint.sealing.keys import decoded, key_id
from modelprint.sealing.statements import Commitment, Evidence, SealedCommitment, check_order, now, time_of
from modelprint.sealing.timestamp import claimed_time, verified_time
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.recorded import RecordedSuspect, Recording, parse_recording

SAME = 1e-6  # how far a score may be off, relative: other processors add in another order
_MEASURED = (
    "score",
    "threshold",
    "false_accusations",
    "details",
    *BESIDE,
)  # fractions, to the last bits


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A bundle in which everything fits.

    Attributes:
        identity: SHA-256 of the bundle.
        signer: the id of the key that signed commitment and evidence.
        key_compared: whether that key was compared with one that the judge named.
        sealed, bundled: the signer's own dates.
        stamped: when a third party says that the commitment was there; none without a time stamp.
        stamp_verified: whether that party's certificate was verified against a root that the judge named.
        replayed: what `verify` says when the recorded answers are given again.
        rejudged: the verdict by the independent models that the judge named, where he named some.
        owners_models: how many of these are the owner's calibration models, by hash.
        page: the report's HTML, as it lies in the bundle; nobody has compared it with the records.
    """

    identity: str
    signer: str
    key_compared: bool
    sealed: datetime
    bundled: datetime
    stamped: datetime | None
    stamp_verified: bool
    fingerprint: Fingerprint
    recording: Recording
    commitment: Commitment
    evidence: Evidence
    replayed: Verification
    rejudged: Verdict | None = None
    owners_models: int = 0
    page: bytes | None = None

    @property
    def verdict(self) -> Verdict:
        """Recomputed from the answers."""
        return self.replayed.verdict


def check(
    bundle: Path | bytes,
    *,
    key: bytes | None = None,
    stamp_root: Path | None = None,
    negatives: Negatives = (),
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    progress: Progress = silent,
) -> Checked:
    """What a bundle shows, if everything in it fits.

    Args:
        key: the 32 bytes of the public key that should have signed.
        stamp_root: PEM certificates that vouch for the time-stamping server.
        negatives: the judge's own independent models, for a verdict by these.
        options: how the files of a folder of these are read, where they do not say it themselves.

    Raises:
        IntegrityError: the first thing that does not fit.
        ModelprintError: a file cannot be read, or a model cannot be asked.
    """
    data = read(bundle) if isinstance(bundle, Path) else bundle
    parts = unpacked(data, NAMES, who="the bundle")
    evidence = _evidence(parts)
    commitment, sealed = read_commitment(parts[COMMITMENT], who=COMMITMENT)
    if commitment.key != evidence.key:
        raise IntegrityError(f"{COMMITMENT} and {EVIDENCE} are signed by different keys: not one owner's statements")
    public = decoded(commitment.key, who=f"{COMMITMENT}'s key")
    if key is not None and public != key:
        raise IntegrityError(f"the bundle is signed by key {key_id(public)}, not by the one you named, {key_id(key)}")
    stamp = _stamp(sealed, stamp_root)
    dates = _dates(commitment, evidence, stamp)
    fingerprint = _fingerprint(parts)
    check_committed(commitment, fingerprint)
    recording = _recording(parts[ANSWERS], fingerprint, evidence)
    stated: Verdict = validated(Verdict, parse(parts[VERDICT], who=VERDICT), who=VERDICT)
    check_alpha(commitment, evidence.alpha)
    # before kinds were listed in verdicts, those of too few models were ranked with the most frequent one
    pool_kinds = evidence.pool_kinds or stated.kinds is None
    accuracy = None if stated.form is None else stated.form.expected
    replayed = _replayed(fingerprint, recording, evidence, pool_kinds=pool_kinds, accuracy=accuracy)
    _compare(stated, replayed.verdict)
    rejudged: Verification | None = None
    if negatives:
        rejudged = _replayed(
            fingerprint,
            recording,
            evidence,
            pool_kinds=evidence.pool_kinds,
            accuracy=accuracy,
            negatives=negatives,
            options=options,
            progress=progress,
        )
    known = {model.identity for model in fingerprint.manifest.calibration}
    named = () if rejudged is None else rejudged.fingerprint.manifest.calibration
    return Checked(
        identity=digest(data),
        signer=key_id(public),
        key_compared=key is not None,
        sealed=dates[0],
        bundled=dates[1],
        stamped=stamp,
        stamp_verified=stamp is not None and stamp_root is not None,
        fingerprint=fingerprint,
        recording=recording,
        commitment=commitment,
        replayed=replayed,
        rejudged=None if rejudged is None else rejudged.verdict,
        owners_models=sum(model.identity in known for model in named),
        evidence=evidence,
        page=parts.get(REPORT),
    )


def _evidence(parts: Mapping[str, bytes]) -> Evidence:
    """The signed list of parts, each of which has the hash that it states."""
    missing = [name for name in NAMES if name not in parts and name != REPORT]
    if missing:
        raise IntegrityError(f"the bundle lacks {missing[0]}")
    evidence = opened(parse(parts[EVIDENCE], who=EVIDENCE), Evidence, who=EVIDENCE)
    for name in NAMES[1:]:
        if (name in parts) != (name in evidence.parts):
            raise IntegrityError(f"{name} is {'not signed for' if name in parts else 'signed for, but missing'}")
        if name in parts and digest(parts[name]) != evidence.parts[name]:
            raise IntegrityError(f"{name} was changed after it was signed: its SHA-256 is not the stated one")
    return evidence


def _stamp(sealed: SealedCommitment, root: Path | None) -> datetime | None:
    if sealed.timestamp is None:
        if root is not None:
            raise IntegrityError(f"{COMMITMENT} has no time stamp, so that {root} can vouch for nothing")
        return None
    token, who = decoded(sealed.timestamp, who="the time stamp"), f"{COMMITMENT}'s time stamp"
    if root is None:
        return claimed_time(token, stamped(sealed), who=who)
    return verified_time(token, stamped(sealed), root, who=who)


def _dates(commitment: Commitment, evidence: Evidence, stamp: datetime | None) -> tuple[datetime, datetime]:
    sealed = time_of(commitment.stated, who=COMMITMENT)
    bundled = time_of(evidence.stated, who=EVIDENCE)
    middle = [] if stamp is None else [("the time stamp", stamp)]
    check_order([(COMMITMENT, sealed), *middle, (EVIDENCE, bundled), ("this machine's clock", now())])
    return sealed, bundled


def _fingerprint(parts: Mapping[str, bytes]) -> Fingerprint:
    try:
        fingerprint = Fingerprint.from_bytes(parts[MANIFEST], parts[TENSORS], who=Path("bundle"))
    except ModelprintError as error:
        raise IntegrityError(f"the fingerprint does not fit together: {error}") from error
    if fingerprint.to_bytes() != {MANIFEST: parts[MANIFEST], TENSORS: parts[TENSORS]}:
        raise IntegrityError("the fingerprint is not in canonical form: written again, it has other bytes")
    return fingerprint


def _recording(data: bytes, fingerprint: Fingerprint, evidence: Evidence) -> Recording:
    try:
        recording = parse_recording(data, Path(ANSWERS))
    except ModelprintError as error:
        raise IntegrityError(f"the answers cannot be read: {error}") from error
    header = recording.header
    if header.fingerprint != fingerprint.identity or header.queries not in (len(fingerprint), len(fingerprint.hashes)):
        raise IntegrityError(
            f"the answers are to {header.queries} queries of {header.fingerprint}, the fingerprint is "
            f"{fingerprint.identity} with {len(fingerprint)}"
        )
    if header.access != evidence.access:
        raise IntegrityError(f"the answers are {header.access}, {EVIDENCE} says {evidence.access}")
    asked = [fingerprint.hashes[place] for place in recording.index]
    wrong = next((n for n, (one, other) in enumerate(zip(asked, recording.queries, strict=True)) if one != other), None)
    if wrong is not None:
        raise IntegrityError(f"answer {wrong} is not to query {recording.index[wrong]}, which it names")
    return recording


def _replayed(
    fingerprint: Fingerprint,
    recording: Recording,
    evidence: Evidence,
    *,
    pool_kinds: bool,
    accuracy: float | None = None,
    negatives: Negatives = (),
    options: ModelOptions = ModelOptions(),  # noqa: B008 - frozen
    progress: Progress = silent,
) -> Verification:
    """What `verify` says when the recorded answers are given again."""
    try:
        return examine(
            fingerprint,
            RecordedSuspect(recording, who=ANSWERS, fingerprint=fingerprint.identity),
            access=evidence.access,
            alpha=evidence.alpha,
            budget=evidence.budget,
            negatives=negatives,
            pool_kinds=pool_kinds,
            accuracy=accuracy,
            options=SuspectOptions(model=options),
            progress=progress,
            slice_plane=False,
        )
    except ModelprintError as error:
        if negatives:
            raise
        raise IntegrityError(f"no verdict follows from the answers: {error}") from error


def _compare(stated: Verdict, rejudged: Verdict) -> None:
    """Nothing, if the stated verdict follows from the answers.

    An older one does not list kinds, what was answered, or the evidence where there is one level of it. Details
    that this version adds are not in verdicts of before, and are not looked for.

    Raises:
        IntegrityError: the first field that does not.
    """
    if stated.kinds is None:
        rejudged = rejudged.model_copy(update={"kinds": None, "pooled": False})
    if stated.remarks is None and stated.asked is None:
        rejudged = rejudged.model_copy(update={"remarks": None})
    if stated.asked is None and stated.answered is None:
        rejudged = rejudged.model_copy(update={"asked": None, "answered": None})
    if stated.evidence is None and stated.relation is None and len(rejudged.evidence or ()) == 1:
        rejudged = rejudged.model_copy(update={"evidence": None, "relation": None})
    one, other = (verdict.model_dump(mode="json", by_alias=True) for verdict in (stated, rejudged))
    other["details"] = {name: value for name, value in other["details"].items() if name in one["details"]}
    for name in [*other, *(name for name in one if name not in other)]:
        claimed, computed = one.get(name), other.get(name)
        if name == "message" and isinstance(claimed, str):
            claimed = claimed.partition(NOTE)[0]  # what was seen of the suspect itself stands in no answers
        if claimed != computed and not (name in _MEASURED and _close(claimed, computed)):
            raise IntegrityError(
                f"the verdict does not follow from the answers: {name} is {computed}, {VERDICT} says {claimed}"
            )


def _close(claimed: object, computed: object) -> bool:
    """Whether two JSON values are the same, but for fractions that are a little off."""
    if isinstance(claimed, Mapping) and isinstance(computed, Mapping):
        return claimed.keys() == computed.keys() and all(_close(claimed[name], computed[name]) for name in claimed)
    if isinstance(claimed, list) and isinstance(computed, list):
        return len(claimed) == len(computed) and all(map(_close, claimed, computed))
    if (
        isinstance(claimed, float | int)
        and isinstance(computed, float | int)
        and float in (type(claimed), type(computed))
    ):
        return bool(np.isclose(claimed, computed, rtol=SAME, atol=1e-9))
    return claimed == computed
