"""Records as rows of a page; every value as text that can do no more than be read."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from modelprint.console.console import Console, Shown
from modelprint.console.enrolling import EnrollJob
from modelprint.console.jobs import Job, JobState
from modelprint.console.work import CheckJob, ScanJob
from modelprint.core.durations import duration
from modelprint.report.drawing.text import NONE, counted, number, p_text, plain_name
from modelprint.screening.formats.table import summary
from modelprint.screening.records import Pair, SuspectRow

OUTCOMES = {
    "derived": "Derived",
    "not-shown": "Not shown",
    "inconclusive": "Inconclusive",
    "not-comparable": "Not comparable",
    "unreadable": "Cannot be read",
}
RELATIONS = {
    "from-weights": "made from the weights",
    "extracted": "trained on the answers",
    "homologous": "both come from a third model",
    "none": "none was shown",
    "unknown": "not known",
}
STATES: dict[JobState, str] = {
    "waiting": "Waiting for earlier work",
    "running": "Running",
    "done": "Done",
    "failed": "Failed",
    "stopped": "Stopped",
}
_WIDEST = 12  # owners up to which one table has a column for each


@dataclass(frozen=True, kw_only=True)
class FingerprintRow:
    """A fingerprint in the list."""

    digest: str
    name: str
    owner: str
    scheme: str
    task: str
    queries: str
    calibration: str
    added: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A scan in the list, and the head of each job's page.

    Attributes:
        quarter: how many quarters of it are done, which are said aloud.
    """

    id: str
    title: str
    state: JobState
    state_text: str
    stage: str
    done: int
    total: int
    time: str
    quarter: int
    error: str | None
    stopping: bool


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """A suspect with a fingerprint."""

    fingerprint: str
    owner: str
    verdict: str
    verdict_text: str
    score: str
    p_value: str
    p_corrected: str
    read: str
    queries: str
    relation: str
    message: str
    name: str  # of the fingerprint as the registry has it


@dataclass(frozen=True, kw_only=True)
class ScannedRow:
    """A suspect of a scan, with the pair that decides."""

    place: int
    name: str
    verdict: str
    verdict_text: str
    owner: str
    nearest: PairRow | None
    message: str
    pairs: Sequence[PairRow]


@dataclass(frozen=True, kw_only=True)
class ScanView:
    """The result of a scan."""

    rows: Sequence[ScannedRow]
    tallies: Sequence[tuple[str, str, int]]
    owners: Sequence[str]
    notes: Sequence[str]
    announcement: str


def fingerprint_row(shown: Shown) -> FingerprintRow:
    """A fingerprint of the registry."""
    entry, listed = shown.entry, shown.listed
    return FingerprintRow(
        digest=entry.identity.removeprefix("sha256:"),
        name=plain_name(entry.name),
        owner=plain_name(entry.owner) if entry.owner else NONE,
        scheme=NONE if listed is None else plain_name(listed.scheme),
        task=NONE if listed is None else plain_name(listed.task),
        queries=NONE if listed is None else number(listed.queries),
        calibration=NONE if listed is None else number(listed.calibration),
        added=entry.added.replace("T", " ").removesuffix("+00:00"),
        error=None if shown.error is None else plain_name(shown.error, longest=400),
    )


def job_row(job: Job) -> JobRow:
    """How far a job is."""
    return JobRow(
        id=job.id,
        title=plain_name(job.title),
        state=job.state,
        state_text=STATES[job.state],
        stage=plain_name(job.stage) if job.stage else "",
        done=job.done,
        total=job.total,
        time=duration(job.seconds),
        quarter=4 * job.done // job.total if job.total else 0,
        error=None if job.error is None else plain_name(job.error, longest=600),
        stopping=job.stopping,
    )


def scan_rows(console: Console) -> list[JobRow]:
    """The scans since the console started, the newest first."""
    return [job_row(job) for job in console.worker.all() if isinstance(job, ScanJob)]


def enrollment_rows(console: Console) -> list[JobRow]:
    """The fingerprints in the making, and those made since the console started, the newest first."""
    return [job_row(job) for job in console.enroller.all()]


def scan_view(job: ScanJob) -> ScanView:
    """The result of a scan that is done."""
    screen = job.screen
    assert screen is not None
    owners = {entry.name: entry.owner for entry in job.entries}
    pairs: dict[str, list[Pair]] = {}
    for pair in screen.pairs:
        pairs.setdefault(pair.suspect, []).append(pair)
    rows = [_scanned(place, one, pairs.get(one.suspect, []), owners) for place, one in enumerate(screen.suspects)]
    tallies = [(key, text, sum(row.verdict == key for row in rows)) for key, text in OUTCOMES.items()]
    counts = [(key, text, count) for key, text, count in tallies if key != "not-comparable"]
    spoken = ", ".join(f"{count} {text.lower()}" for _, text, count in counts if count)
    errors = sum(one.error is not None for one in screen.suspects)
    return ScanView(
        rows=rows,
        tallies=counts,
        owners=[plain_name(name, longest=30) for name in owners] if 1 < len(owners) <= _WIDEST else [],
        notes=[plain_name(line, longest=1000) for line in (*list(summary(screen))[errors:], *screen.notes)],
        announcement=f"The scan is done: {counted(len(rows), 'suspect')}, {spoken}.",
    )


def pair_row(pair: Pair, owner: str | None) -> PairRow:
    """A suspect with a fingerprint."""
    return PairRow(
        fingerprint=plain_name(pair.fingerprint),
        owner=plain_name(owner) if owner else NONE,
        verdict=pair.verdict,
        verdict_text=OUTCOMES[pair.verdict],
        score=number(pair.score),
        p_value=p_text(pair.p_value),
        p_corrected=p_text(pair.p_corrected),
        read=pair.access or NONE,
        queries=number(pair.queries),
        relation=NONE if pair.relation is None else RELATIONS[pair.relation],
        message=plain_name(pair.message, longest=600) if pair.message else "",
        name=pair.fingerprint,
    )


def announcement(job: Job) -> str:
    """What is said aloud of a job."""
    if isinstance(job, ScanJob) and job.screen is not None and job.state == "done":
        return scan_view(job).announcement
    if isinstance(job, CheckJob) and job.verification is not None and job.state == "done":
        return f"The check is done: {OUTCOMES[job.verification.verdict.verdict]}."
    if isinstance(job, EnrollJob) and job.state == "done":
        return "The fingerprint is made."
    if job.ended:
        return f"{STATES[job.state]}."
    row = job_row(job)
    return f"{row.done} of {row.total} {row.stage}" if row.total else row.state_text


def submission() -> str:
    """The name of a form as it is shown once: sent twice, it starts one job."""
    return secrets.token_urlsafe(12)


def _scanned(place: int, one: SuspectRow, pairs: Sequence[Pair], owners: dict[str, str | None]) -> ScannedRow:
    verdict = one.verdict or "unreadable"
    rows = [pair_row(pair, owners.get(pair.fingerprint)) for pair in sorted(pairs, key=_strength)]
    named = next((row for row in rows if row.name == one.owner), None)
    compared = [row for row in rows if row.verdict != "not-comparable"]
    return ScannedRow(
        place=place,
        name=plain_name(one.suspect),
        verdict=verdict,
        verdict_text=OUTCOMES[verdict],
        owner=plain_name(one.owner) if one.owner else NONE,
        nearest=named or (compared[0] if compared else None),
        message=plain_name(one.message, longest=600) if one.message else "",
        pairs=rows,
    )


def _strength(pair: Pair) -> tuple[int, float, str]:
    """Derived ones first, then by the corrected p-value."""
    order = ("derived", "inconclusive", "not-shown", "not-comparable")
    p_value = 0.0 if pair.access == "file" else pair.p_corrected
    return order.index(pair.verdict), 1.0 if p_value is None else p_value, pair.fingerprint
