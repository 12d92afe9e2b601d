"""The pages of the console, from templates; what they are given is escaped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import modelprint
from modelprint.console import views
from modelprint.console.console import Console, Shown
from modelprint.console.enroll_form import schemes
from modelprint.console.enrolling import EnrollJob
from modelprint.console.jobs import Job
from modelprint.console.uploads import DATA_SUFFIXES, MODEL_SUFFIXES, RECORDED_SUFFIXES
from modelprint.console.work import CheckJob, ScanJob
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.report.drawing.text import number, p_text, plain_name


class Pages:
    """What each page shows."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def home(self, error: str | None = None) -> str:
        """Fingerprints, a form for suspects, the scans."""
        console = self.console
        return self._page(
            "home.html.j2",
            error=None if error is None else plain_name(error, longest=1000),
            registry=plain_name(str(console.registry.folder)),
            fingerprints=[views.fingerprint_row(one) for one in console.fingerprints()],
            enrollments=views.enrollment_rows(console),
            scans=views.scan_rows(console),
            submission=views.submission(),
            paths=console.guard.on_loopback,
            suffixes=",".join((*MODEL_SUFFIXES, *RECORDED_SUFFIXES, ".data", ".onnx_data")),
            architectures=sorted(ARCHITECTURES),
            most=self._most(),
        )

    def login(self, error: str | None = None) -> str:
        """The form that asks for the token."""
        return self._page("login.html.j2", error=error)

    def fingerprint(self, shown: Shown) -> str:
        """What a fingerprint says of itself."""
        source = "" if shown.listed is None else shown.listed.source
        return self._page("fingerprint.html.j2", one=views.fingerprint_row(shown), source=plain_name(source))

    def enroll(self, error: str | None = None, words: Mapping[str, str] | None = None) -> str:
        """The form that makes a fingerprint.

        Args:
            words: of its fields, as they were sent last.
        """
        sent = {} if words is None else {name: plain_name(word, longest=1000) for name, word in words.items()}
        return self._page(
            "enroll.html.j2",
            error=None if error is None else plain_name(error, longest=1000),
            words=defaultdict(str, sent),
            submission=views.submission(),
            paths=self.console.guard.on_loopback,
            suffixes=",".join((*MODEL_SUFFIXES, ".data", ".onnx_data")),
            data_suffixes=",".join(DATA_SUFFIXES),
            schemes=schemes(),
            architectures=sorted(ARCHITECTURES),
            most=self._most(),
        )

    def enrollment(self, job: EnrollJob) -> str:
        """The making of a fingerprint: its progress, then where it is."""
        return self._page("enrollment.html.j2", **self._job(job))

    def scan(self, job: ScanJob) -> str:
        """A scan: its progress, then its result."""
        return self._page("scan.html.j2", **self._job(job))

    def suspect(self, job: ScanJob, place: int) -> str:
        """One suspect beside every owner."""
        return self._page("suspect.html.j2", job=views.job_row(job), one=views.scan_view(job).rows[place])

    def check(self, job: CheckJob) -> str:
        """The full check of a pair: its progress, then its verdict."""
        return self._page("check.html.j2", **self._job(job))

    def progress(self, job: Job, *, spoken: int) -> str:
        """The part of a job's page that changes.

        Args:
            spoken: the quarter that was said aloud last.
        """
        speaks = job.ended or views.job_row(job).quarter > spoken
        return self._page("progress.html.j2", speaks=views.announcement(job) if speaks else "", **self._job(job))

    def error(self, reason: str, status: int) -> str:
        """Why a request is not answered."""
        return self._page("error.html.j2", reason=plain_name(reason, longest=1000), status=status)

    def fresh(self) -> str:
        """The name of a form that has none."""
        return views.submission()

    def _job(self, job: Job) -> dict[str, Any]:
        values: dict[str, Any] = {"job": views.job_row(job), "ended": job.ended}
        values |= dict.fromkeys(("view", "check", "entry", "notices"))
        if isinstance(job, EnrollJob):
            values["notices"] = [plain_name(one, longest=1000) for one in job.notices]
            values["entry"] = None if job.entry is None else job.entry.identity.removeprefix("sha256:")
        if isinstance(job, ScanJob) and job.state == "done":
            values["view"] = views.scan_view(job)
        if isinstance(job, CheckJob):
            values["scan"] = job.scanned.id
            values["place"] = job.scanned.targets.index(job.target)
            if job.verification is not None and job.state == "done":
                verdict = job.verification.verdict
                values["check"] = {
                    "verdict": verdict.verdict,
                    "verdict_text": views.OUTCOMES[verdict.verdict],
                    "message": plain_name(verdict.message, longest=2000),
                    "score": number(verdict.score),
                    "p_value": p_text(verdict.p_value),
                    "pair": views.pair_row(job.pair, job.entry.owner),
                }
        return values

    def _most(self) -> str:
        return f"{self.console.guard.most_upload >> 20:,} MiB"

    def _page(self, name: str, **values: Any) -> str:
        guard = self.console.guard
        page: str = self._environment.get_template(name).render(
            csrf=guard.csrf, version=modelprint.__version__, guarded=guard.token is not None, **values
        )
        return page

    @cached_property
    def _environment(self) -> Environment:
        return Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
