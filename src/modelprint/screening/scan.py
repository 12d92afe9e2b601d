"""Scan many suspects: each is judged by itself, in any process; what was found is kept, so that a scan resumes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

import modelprint
from modelprint.core.errors import ModelprintError, UsageError, first_line
from modelprint.core.identity import digest_json
from modelprint.ownership.ahead import Notice, unheard
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.schemes.base import Progress, silent
from modelprint.screening.correcting import Judged, corrected, least_found
from modelprint.screening.judging import Finding, Judging, judged
from modelprint.screening.records import Method, Savings, Screen
from modelprint.screening.registry import Entry, Registry
from modelprint.screening.states import State, digest_of, state_of
from modelprint.screening.targets import Target
from modelprint.stats.multiple import needed_models_of
from modelprint.suspects.open import SuspectOptions
from modelprint.zoo.executors import Executor, Processes

_SMALL = 2**20  # numbers of a source up to which its weights stay in memory


@dataclass(frozen=True, kw_only=True)
class _Task:
    """One suspect for one worker."""

    registry: Path
    entries: tuple[Entry, ...]
    target: Target
    how: Judging
    options: SuspectOptions
    settings: str


@dataclass(frozen=True, kw_only=True)
class _Result:
    """What a worker found of a suspect.

    Attributes:
        findings: by the fingerprint's SHA-256; `known`: those of them that were found before.
        state: of its files; None of an address.
    """

    findings: dict[str, Finding]
    known: frozenset[str] = frozenset()
    sha256: str | None = None
    state: State | None = None
    error: str | None = None
    seconds: float = 0.0


def scan(
    registry: Registry,
    targets: Sequence[Target],
    how: Judging = Judging(),  # noqa: B008 - frozen
    *,
    method: Method = "holm",
    options: SuspectOptions | None = None,
    executor: Executor | None = None,
    notice: Notice = unheard,
    progress: Progress = silent,
) -> Screen:
    """Every suspect beside every fingerprint of a registry.

    What is found of a file is kept in the registry as it comes: an interrupted scan goes on where it was, and files
    and fingerprints that did not change cost nothing again.

    Args:
        targets: of `targets_of`.
        method: of correction (`screening.correcting`).
        options: how suspects are opened; their model files as each target says.
        executor: where suspects are judged; in this process unless given.

    Raises:
        UsageError: an empty registry, or calibration models too few for the method.
        ModelprintError: the registry cannot be read or written.
    """
    if not 0 < how.alpha < 1:
        raise UsageError(f"alpha must lie between 0 and 1, got {how.alpha}")
    entries = registry.entries()
    if not entries:
        raise UsageError(f"{registry.folder} holds no fingerprint: `modelprint registry add` puts one in")
    fingerprints = {entry.identity: registry.load(entry) for entry in entries}
    notes = needs_of(entries, fingerprints, suspects=len(targets), alpha=how.alpha, method=method)
    for note in notes:
        notice(note)
    chosen = options or SuspectOptions()
    tasks = [_task(registry, tuple(entries), target, how, chosen) for target in targets]
    results: dict[int, _Result] = {}
    known = [index for index, target in enumerate(targets) if target.error is not None]
    results.update({index: _Result(findings={}, error=targets[index].error) for index in known})
    waiting = [index for index in range(len(targets)) if index not in results]
    progress("suspects", len(results), len(targets))

    def done(place: int, result: _Result) -> None:
        index = waiting[place]
        results[index] = result
        _keep(registry, tasks[index], result)
        progress("suspects", len(results), len(targets))

    with registry.kept_open():
        (executor or Processes()).run(judge_one, [tasks[index] for index in waiting], done)
    every = [results[index] for index in range(len(targets))]
    judgements = [_judged(target, result, entries, fingerprints) for target, result in zip(targets, every, strict=True)]
    rows = corrected(judgements, alpha=how.alpha, method=method)
    return Screen(
        pairs=rows.pairs,
        suspects=rows.suspects,
        method=method,
        expected_false_positives=round(how.alpha * rows.tested, 6),
        alpha=how.alpha,
        savings=_savings(every),
        notes=notes,
    )


def judge_one(_: None, task: _Task) -> _Result:
    """One suspect beside all fingerprints; whatever is wrong with it is its own row."""
    started = time.monotonic()
    try:
        result = _judged_one(task)
    except ModelprintError as error:
        result = _Result(findings={}, error=str(error))
    except Exception as error:  # of 500 files one may do what nobody foresaw: a row, not the end of the scan
        result = _Result(findings={}, error=f"unexpected {type(error).__name__}: {first_line(error)}")
    return replace(result, seconds=round(time.monotonic() - started, 3))


def _judged_one(task: _Task) -> _Result:
    registry = Registry(task.registry)
    prints = {entry.identity: _loaded(task.registry, entry) for entry in task.entries}
    options = replace(task.options, model=task.target.options)
    if task.target.is_address:
        findings = judged(task.target.reference, list(prints.values()), task.how, options=options)
        return _Result(findings=dict(zip(prints, findings, strict=True)))
    place = Path(task.target.reference.removeprefix("hf:"))
    state = state_of(place)
    sha256 = registry.known_digest(state.place, state.text) or digest_of(place)
    kept = registry.known_pairs(sha256, task.settings)
    known = {name: Finding.model_validate_json(kept[name]) for name in prints if name in kept}
    fresh = [one for name, one in prints.items() if name not in known]
    findings = judged(task.target.reference, fresh, task.how, options=options, sha256=sha256) if fresh else []
    if state_of(place) != state:
        raise ModelprintError(f"{place} changed while it was read: scan it again when it is written")
    every = {**known, **dict(zip([one.identity for one in fresh], findings, strict=True))}
    return _Result(findings={name: every[name] for name in prints}, known=frozenset(known), sha256=sha256, state=state)


@lru_cache(maxsize=256)
def _loaded(folder: Path, entry: Entry) -> Fingerprint:
    """A fingerprint, read once in each process; small weights are, too."""
    fingerprint = Registry(folder).load(entry)
    weights = fingerprint.weights
    return (
        fingerprint if weights is None or weights.numel > _SMALL else replace(fingerprint, weights=weights.in_memory())
    )


def _task(
    registry: Registry, entries: tuple[Entry, ...], target: Target, how: Judging, options: SuspectOptions
) -> _Task:
    return _Task(
        registry=registry.folder,
        entries=entries,
        target=target,
        how=how,
        options=options,
        settings=digest_json([modelprint.__version__, repr(how), repr(target.options), *_said(options)]),
    )


def _said(options: SuspectOptions) -> list[str]:
    """What was said of how suspects are opened, which what is known of them depends on."""
    others = ("model", "modality", "asked", "progress")  # of each target, of each fingerprint, and of no weight
    return [f"{one.name}={getattr(options, one.name)!r}" for one in fields(options) if one.name not in others]


def _keep(registry: Registry, task: _Task, result: _Result) -> None:
    if result.sha256 is None or result.state is None:
        return
    registry.keep_digest(result.state.place, result.state.text, result.sha256)
    new = {name: finding.model_dump_json() for name, finding in result.findings.items() if name not in result.known}
    if new:
        registry.keep_pairs(result.sha256, task.settings, new)


def _judged(target: Target, result: _Result, entries: Sequence[Entry], fingerprints: dict[str, Fingerprint]) -> Judged:
    return Judged(
        suspect=target.name,
        sha256=result.sha256,
        findings={
            entry.name: result.findings[entry.identity] for entry in entries if entry.identity in result.findings
        },
        sources={entry.name: fingerprints[entry.identity].manifest.source for entry in entries},
        error=result.error,
        seconds=result.seconds,
    )


def _savings(results: Sequence[_Result]) -> Savings:
    fresh = [finding for one in results for name, finding in one.findings.items() if name not in one.known]
    asked = sum(finding.queries for finding in fresh)
    return Savings(
        pairs=sum(len(one.findings) for one in results),
        by_file=sum(finding.access == "file" for finding in fresh),
        by_weights=sum(finding.access == "weights" and not finding.queries and finding.needed > 0 for finding in fresh),
        known=sum(len(one.known) for one in results),
        queries=asked,
        saved=max(0, sum(finding.needed for finding in fresh) - asked),
    )


def needs_of(
    entries: Sequence[Entry], fingerprints: dict[str, Fingerprint], *, suspects: int, alpha: float, method: Method
) -> tuple[str, ...]:
    """What many owners, or a whole screen, need of calibration models, where they have fewer.

    Raises:
        UsageError: "bh" where no number of suspects could make a best rank count.
    """
    notes: list[str] = []
    for task, same in _by_task(entries, fingerprints).items():
        need = needed_models_of(len(same), alpha)
        few = [entry.name for entry in same if len(fingerprints[entry.identity].manifest.calibration) < need]
        if few:
            names = ", ".join(few[:10]) + (" ..." if len(few) > 10 else "")
            notes.append(
                f"{len(same)} owners of one task ({task}) need {need} calibration models each at {alpha:g} (owners "
                f"/ alpha - 1); fewer have: {names}. By a rank they cannot call a suspect derived"
            )
        if method == "bh":
            most = max(len(fingerprints[entry.identity].manifest.calibration) for entry in same)
            least = least_found(len(same), suspects, most, alpha)
            if not least:
                raise UsageError(
                    f"--method bh: with {most} calibration models and {len(same)} owners of one task no p-value of "
                    f"{suspects} suspects can pass at {alpha:g}: enroll with {need} or more, or use --method "
                    "holm"
                )
            notes.append(
                f"over {suspects} suspects, {least} or more must be found at once for a best rank among {most} "
                "calibration models to count; fewer are not called derived"
            )
    return tuple(notes)


def _by_task(entries: Sequence[Entry], fingerprints: dict[str, Fingerprint]) -> dict[str, list[Entry]]:
    """The fingerprints of each kind of input and number of classes, which one suspect may fit."""
    tasks: dict[str, list[Entry]] = {}
    for entry in entries:
        spec = fingerprints[entry.identity].manifest.input
        tasks.setdefault(f"{spec.modality_name} {spec.described}, {spec.classes} classes", []).append(entry)
    return tasks
