"""The evidence of one verdict in one file: commitment, fingerprint, every answer, verdict, report."""

from __future__ import annotations

from pathlib import Path

from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.core.files import write_bytes
from modelprint.core.identity import digest
from modelprint.ownership.fingerprint import MANIFEST, TENSORS, Fingerprint
from modelprint.ownership.seal import COMMITMENT, check_alpha, check_committed, read_commitment
from modelprint.ownership.verification import Verification
from modelprint.sealing.canonical import canonical
from modelprint.sealing.container import packed
from modelprint.sealing.envelope import sign
from modelprint.sealing.keys import encoded, public_bytes, read_private
from modelprint.sealing.statements import Evidence, now, written
from modelprint.suspects.recorded import record, recording_bytes

EVIDENCE = "evidence.json"
VERDICT = "verdict.json"
ANSWERS = "answers.jsonl"
REPORT = "report.html"
NAMES = (EVIDENCE, COMMITMENT, MANIFEST, TENSORS, ANSWERS, VERDICT, REPORT)


def bundle(
    fingerprint: Fingerprint,
    verification: Verification,
    *,
    commitment: bytes,
    key: Path,
    budget: int | None = None,
    pool_kinds: bool = False,
    report: str | None = None,
    out: Path | None = None,
) -> bytes:
    """The evidence of a verdict, as bytes; written to `out`, too, where it is given.

    Args:
        fingerprint: the committed one, whose own calibration models gave the verdict.
        verification: what `examine` found with it.
        key: the private key that sealed the commitment.
        budget, pool_kinds: that `examine` was given.
        report: HTML.

    Raises:
        IntegrityError: the commitment is damaged, or of another fingerprint.
        UsageError: another key than the commitment's, or a verdict by other calibration models.
        ModelprintError: too large, or the place cannot be written.
    """
    if Access.parse(verification.verdict.access) >= Access.WEIGHTS:
        raise UsageError(
            f"this verdict of scheme {fingerprint.manifest.scheme} compares model files, which a bundle does not hold: "
            "give a judge the fingerprint and both files, for `verify`, or bundle what scores and labels show "
            "(--access scores, with a scheme that asks queries)"
        )
    stated, _ = read_commitment(commitment, who="the commitment")
    check_committed(stated, fingerprint)
    check_alpha(stated, verification.verdict.alpha)
    if verification.fingerprint.identity != fingerprint.identity:
        raise UsageError(
            "this verdict was calibrated on other models than the committed ones: a judge brings his own to "
            "`check --negatives`"
        )
    form = verification.verdict.form
    if form is not None and form.proposal is not None:
        raise UsageError(f"the suspect was asked in the wrong form, and nothing follows from that: say {form.proposal}")
    if verification.unsteady:
        raise UsageError("the suspect gives two answers to one query: whoever asks it again sees another verdict")
    private = read_private(key)
    if encoded(public_bytes(private)) != stated.key:
        raise UsageError(f"{key} is not the key that sealed this commitment: a bundle is signed by the same one")
    plain = verification.plain
    answers = record(
        fingerprint.queries,
        verification.answers if plain is None else plain.with_queries(verification.answers),
        suspect=verification.verdict.suspect,
        fingerprint=fingerprint.identity,
        further=None if plain is None else plain.further_inputs(fingerprint),
        lacking=verification.lacking,
    )
    parts = {
        COMMITMENT: commitment,
        **fingerprint.to_bytes(),
        ANSWERS: recording_bytes(answers),
        VERDICT: canonical(verification.verdict.model_dump(mode="json", by_alias=True)),
    }
    if report is not None:
        parts[REPORT] = report.encode()
    statement = Evidence(
        key=stated.key,
        stated=written(now()),
        parts={name: digest(data) for name, data in parts.items()},
        access="scores" if Access.parse(verification.verdict.access) >= Access.SCORES else "labels",
        alpha=verification.verdict.alpha,
        budget=budget,
        pool_kinds=pool_kinds,
    )
    data = packed({EVIDENCE: canonical(sign(statement, private).to_json()), **parts})
    if out is not None:
        write_bytes(out, data)
    return data
