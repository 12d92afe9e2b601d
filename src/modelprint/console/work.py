"""What the console does in the background: scans, and the full check of one pair."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar, get_args

from modelprint.console.jobs import Job
from modelprint.core.access import Access
from modelprint.core.errors import UsageError
from modelprint.core.identity import digest
from modelprint.core.redaction import is_address
from modelprint.nn.architectures import ARCHITECTURES
from modelprint.nn.options import ModelOptions
from modelprint.ownership.fingerprint import WEIGHTS, Fingerprint
from modelprint.ownership.verification import Verification
from modelprint.ownership.verify import examine
from modelprint.report import Case, render_report
from modelprint.screening.judging import Judging
from modelprint.screening.records import Method, Pair, Screen
from modelprint.screening.registry import Entry, Registry
from modelprint.screening.scan import scan
from modelprint.screening.targets import MLFLOW, Target, targets_of
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.recorded import record, recording_bytes

Word = TypeVar("Word", bound=str)
_LIBRARIES = ("timm:", "torchvision:")  # whose names are architectures, too
_READ_ME = """Evidence of one suspect beside one fingerprint, as the console of modelprint found it.

pair.json      the verdict of the scan, corrected for the number of owners
verdict.json   the verdict of this pair alone
report.html    the same to read
answers.jsonl  what the suspect answered, where it was asked (judge it: modelprint verify fingerprint answers.jsonl)
fingerprint/   the fingerprint, as `modelprint enroll` wrote it
SHA256SUMS     the hash of each file

Nothing here is signed. `modelprint bundle`, with the owner's key and a commitment from before, makes signed evidence.
"""


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """What the form of a scan says.

    Attributes:
        access: the most that is used of a suspect.
        alpha: see `scan`.
        arch: of weights that do not say what they are; a name alone, never code.
    """

    access: Literal["labels", "scores", "weights"] = "weights"
    method: Method = "holm"
    alpha: float = 0.05
    arch: str | None = None

    @classmethod
    def parse(cls, *, access: str, method: str, alpha: str, arch: str) -> ScanSettings:
        """The settings of a form's fields.

        Raises:
            UsageError: one is none that the console takes.
        """
        try:
            rate = float(alpha)
        except ValueError:
            rate = 0.0
        if not 0 < rate < 1:
            raise UsageError(f"the error rate must lie between 0 and 1, got {alpha!a}")
        return cls(
            access=_one_of(access, ("labels", "scores", "weights"), "access"),
            method=_one_of(method, get_args(Method), "correction"),
            alpha=rate,
            arch=checked_arch(arch),
        )

    @property
    def model(self) -> ModelOptions:
        """How model files are read."""
        return ModelOptions(arch=self.arch)


def checked_arch(arch: str) -> str | None:
    """The name of an architecture; None where the field was left empty.

    Raises:
        UsageError: it would run code.
    """
    if arch and arch not in ARCHITECTURES and not arch.startswith(_LIBRARIES):
        names = ", ".join([*sorted(ARCHITECTURES), *(f"{one}NAME" for one in _LIBRARIES)])
        raise UsageError(f"{arch!a} is no architecture that the console takes: {names}; it runs nobody's code")
    return arch or None


def _one_of(word: str, known: Sequence[Word], what: str) -> Word:
    for one in known:
        if one == word:
            return one
    raise UsageError(f"{word!a} is no {what}: it is one of {', '.join(map(str, known))}")


def targets_at(path: str, settings: ScanSettings) -> list[Target]:
    """The suspects that a path on this machine names.

    Raises:
        UsageError: it is none, names no model, or is an address or a program.
    """
    if is_address(path) or path.startswith((MLFLOW, "@")):
        raise UsageError("the console takes files and folders of this machine: for others use `modelprint scan`")
    if path.lower().endswith(".py"):
        raise UsageError(f"{path} is a program: the console runs none. Export the model, for example as ONNX")
    return targets_of([path], settings.model)


class ScanJob(Job):
    """Suspects beside all fingerprints of the registry.

    Attributes:
        screen: the result; None until it is done.
        entries: the fingerprints that it was made with.
    """

    room = "scans"

    def __init__(
        self, registry: Registry, targets: Sequence[Target], settings: ScanSettings, *, hidden: str = ""
    ) -> None:
        more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
        super().__init__(f"{targets[0].name}{more}", hidden=hidden)
        self.registry, self.targets, self.settings = registry, tuple(targets), settings
        self.total = len(targets)
        self.stage = "suspects"
        self.screen: Screen | None = None
        self.entries: tuple[Entry, ...] = ()

    def _run(self) -> None:
        self.entries = tuple(self.registry.entries())
        screen = scan(
            self.registry,
            self.targets,
            Judging(access=Access.parse(self.settings.access), alpha=self.settings.alpha),
            method=self.settings.method,
            progress=self.report,
        )
        self.screen = screen.model_copy(
            update={
                "pairs": tuple(one.model_copy(update={"message": self.shown(one.message)}) for one in screen.pairs),
                "suspects": tuple(
                    one.model_copy(
                        update={
                            "message": self.shown(one.message),
                            "error": None if one.error is None else self.shown(one.error),
                        }
                    )
                    for one in screen.suspects
                ),
            }
        )

    def pairs_of(self, suspect: str) -> list[Pair]:
        """What the scan says of a suspect and each fingerprint."""
        return [] if self.screen is None else [pair for pair in self.screen.pairs if pair.suspect == suspect]


class CheckJob(Job):
    """One suspect of a scan with one fingerprint, as `verify` checks it.

    Attributes:
        page: the full report; None until it is done, or where none can be made.
        evidence: a zip; None until it is done.
        verification: with the verdict.
    """

    room = "checks"

    def __init__(self, scanned: ScanJob, target: Target, pair: Pair, entry: Entry) -> None:
        super().__init__(f"{target.name} and {entry.name}", hidden=scanned.hidden)
        self.scanned, self.target, self.pair, self.entry = scanned, target, pair, entry
        self.page: str | None = None
        self.evidence: bytes | None = None
        self.verification: Verification | None = None

    def _run(self) -> None:
        settings = self.scanned.settings
        verification = examine(
            self.scanned.registry.load(self.entry),
            self.target.reference,
            access=None if settings.access == "weights" else settings.access,
            alpha=settings.alpha,
            options=replace(SuspectOptions(), model=self.target.options),
            progress=self.report,
        )
        self.report("report", 0, 1)
        case = Case(
            name=self.target.name,
            role="suspect",
            verdict=verification.verdict,
            answers=verification.answers,
            plane_labels=verification.plane_labels,
            cap=verification.cap,
        )
        page = render_report(verification.fingerprint, [case], calibration_scores=verification.calibration_scores)
        self.evidence = zipped(self._files(verification, page))
        self.page, self.verification = page, verification
        self.report("report", 1, 1)

    def _files(self, verification: Verification, page: str) -> dict[str, bytes]:
        fingerprint = verification.fingerprint
        files = {
            "README.txt": _READ_ME.encode(),
            "pair.json": self.pair.model_dump_json().encode(),
            "verdict.json": verification.verdict.to_json().encode(),
            "report.html": page.encode(),
            **{f"fingerprint/{name}": data for name, data in files_of(fingerprint).items()},
        }
        plain = verification.plain
        answers = verification.answers if plain is None else plain.with_queries(verification.answers)
        if (answers.answered | answers.abstained).any():
            asked = record(
                fingerprint.queries,
                answers,
                suspect=verification.verdict.suspect,
                fingerprint=fingerprint.identity,
                budget=verification.budget,
                further=None if plain is None else plain.further_inputs(fingerprint),
                lacking=verification.lacking,
            )
            files["answers.jsonl"] = recording_bytes(asked)
        return files


def files_of(fingerprint: Fingerprint) -> dict[str, bytes]:
    """A fingerprint's folder, as `enroll` wrote it."""
    weights = {} if fingerprint.weights is None else {WEIGHTS: fingerprint.weights.to_bytes()}
    return {**fingerprint.to_bytes(), **weights, "SHA256": fingerprint.identity.encode()}


def packed_fingerprint(fingerprint: Fingerprint) -> bytes:
    """The zip of a fingerprint's folder, which the console takes in again."""
    return _archive({f"fingerprint/{name}": data for name, data in files_of(fingerprint).items()})


def zipped(files: dict[str, bytes]) -> bytes:
    """Files and their hashes in one zip; the same files give the same bytes."""
    sums = "".join(f"{digest(data).removeprefix('sha256:')}  {name}\n" for name, data in files.items())
    return _archive({f"evidence/{name}": data for name, data in {**files, "SHA256SUMS": sums.encode()}.items()})


def _archive(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
