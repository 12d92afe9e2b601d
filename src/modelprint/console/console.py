"""What all pages share: the registry, the guard, the uploads, the jobs, and what is known of fingerprints."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from modelprint.console.enroll_form import FIELDS, EnrollSettings, Order, check_fields
from modelprint.console.enrolling import EnrollJob
from modelprint.console.guard import Guard, RefusedError
from modelprint.console.jobs import Job, Worker
from modelprint.console.uploads import Store, Upload
from modelprint.console.work import CheckJob, ScanJob, ScanSettings, targets_at
from modelprint.core.errors import ModelprintError, UsageError
from modelprint.screening.registry import Entry, Listed, Registry, checked_name
from modelprint.screening.targets import Target

Work = TypeVar("Work", bound=Job)
_NO_PATHS = "this console takes uploads alone: paths are for a console that listens on 127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A fingerprint in the list: what it says of itself, or why it cannot be read."""

    entry: Entry
    listed: Listed | None
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Console:
    """One registry's console, from start to end.

    Attributes:
        worker: does scans and checks.
        enroller: makes fingerprints, which takes minutes to hours; scans do not wait for it.
        jobs: processes that train the models of one fingerprint.
    """

    registry: Registry
    guard: Guard = field(default_factory=Guard)
    store: Store = field(default_factory=Store)
    worker: Worker = field(default_factory=Worker)
    enroller: Worker = field(default_factory=Worker)
    jobs: int = 1
    _known: dict[Entry, Shown] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fingerprints(self) -> list[Shown]:
        """All of the registry; each is read once."""
        entries = self.registry.entries()
        with self._lock:
            for entry in entries:
                if entry not in self._known:
                    self._known[entry] = self._shown(entry)
            return [self._known[entry] for entry in entries]

    def fingerprint(self, digest: str) -> Shown:
        """The one of that SHA-256.

        Raises:
            RefusedError: there is none.
        """
        for one in self.fingerprints():
            if one.entry.identity.removeprefix("sha256:") == digest:
                return one
        raise RefusedError(404, "the registry has no such fingerprint: it may have been removed")

    def add(self, *, path: str, upload: Upload | None, name: str, owner: str) -> Entry:
        """Put a fingerprint into the registry.

        Raises:
            UsageError: none, or two, were given, or it is none.
            ModelprintError: see `Registry.add`.
        """
        if (upload is None) == (not path):
            raise UsageError("give either the path of a fingerprint's folder or a zip of it")
        if upload is None:
            self._check_paths()
            return self.registry.add(path, name=name or None, owner=owner or None)
        folder = self.store.fingerprint(*upload)
        try:
            return self.registry.add(folder, name=name or None, owner=owner or None)
        except ModelprintError as error:
            raise type(error)(str(error).replace(f"{folder.parent}{os.sep}", "")) from error
        finally:
            self.store.remove(folder)

    def start_enrollment(
        self,
        key: str,
        *,
        words: Mapping[str, str],
        uploads: Mapping[str, Sequence[Upload]],
    ) -> Job:
        """Queue the making of a fingerprint; a form that is sent twice starts one.

        Args:
            key: of the form.
            words: of its fields; model_path, data_path, training_path and init_path name files of this machine.
            uploads: of its fields model, data, training and init.

        Raises:
            UsageError: something is missing, given twice, or none of its kind; or the name is taken.
        """
        known = self.enroller.named(key)
        if known is not None:
            return known
        settings = EnrollSettings.parse(words)
        if any(words.get(f"{field}_path") for field in FIELDS):
            self._check_paths()
        check_fields(words, uploads, settings)
        folder = self.store.fresh("enrollment-")
        try:
            order = Order.of_form(words, uploads, settings=settings, folder=folder, store=self.store, jobs=self.jobs)
            name = self._free(words.get("name") or Path(order.model).stem)
        except BaseException:
            self.store.remove(folder / "model")
            raise
        return self.enroller.once(
            key, lambda: EnrollJob(self.registry, self.store, order, name=name, owner=words.get("owner") or None)
        )

    def enrollment(self, id_: str) -> EnrollJob:
        """The making of a fingerprint of that id.

        Raises:
            RefusedError: there is none.
        """
        return _of_kind(EnrollJob, self.enroller, id_, "enrollment")

    def job(self, id_: str) -> Job:
        """Any work of that id.

        Raises:
            RefusedError: there is none.
        """
        job = self.worker.get(id_) or self.enroller.get(id_)
        if job is None:
            raise RefusedError(404, "there is no such work: it was removed")
        return job

    def start_scan(self, key: str, *, path: str, uploads: Sequence[Upload], settings: ScanSettings) -> Job:
        """Queue a scan of uploads and of what a path names; a form that is sent twice starts one.

        Args:
            key: of the form.

        Raises:
            UsageError: no suspect was given, or one is none.
        """
        known = self.worker.named(key)
        if known is not None:
            return known
        if path:
            self._check_paths()
        if not self.registry.entries():
            raise UsageError("the registry holds no fingerprint: add one first")
        targets = targets_at(path, settings) if path else []
        kept = self.store.suspects(uploads) if uploads else []
        targets += [Target(name=file.name, reference=str(file), options=settings.model) for file in kept]
        names = [target.name for target in targets]
        if not targets or len(set(names)) < len(names):
            for file in kept:
                self.store.remove(file)
            raise UsageError(
                "a path and an upload have one name: rename the upload"
                if targets
                else "no suspect was given: choose a model file, or write a path"
            )
        hidden = f"{kept[0].parent}{os.sep}" if kept else ""
        return self.worker.once(key, lambda: ScanJob(self.registry, targets, settings, hidden=hidden))

    def scan(self, id_: str) -> ScanJob:
        """The scan of that id.

        Raises:
            RefusedError: there is none.
        """
        return _of_kind(ScanJob, self.worker, id_, "scan")

    def check(self, id_: str) -> CheckJob:
        """The check of a pair of that id.

        Raises:
            RefusedError: there is none.
        """
        return _of_kind(CheckJob, self.worker, id_, "check")

    def start_check(self, scan: ScanJob, place: int, fingerprint: str) -> Job:
        """Queue the full check of a suspect with a fingerprint.

        Args:
            place: of the suspect in the scan, from 0.
            fingerprint: its name.

        Raises:
            RefusedError: the scan has no such pair.
        """
        target = suspect_of(scan, place)
        pair = next((one for one in scan.pairs_of(target.name) if one.fingerprint == fingerprint), None)
        entry = next((one for one in scan.entries if one.name == fingerprint), None)
        if pair is None or entry is None:
            raise RefusedError(404, "the scan has no such pair")
        return self.worker.once(
            f"check {scan.id} {place} {entry.identity}", lambda: CheckJob(scan, target, pair, entry)
        )

    def remove_scan(self, scan: ScanJob) -> None:
        """Forget a scan, what was checked of it, and its uploads; what the registry knows of the files stays."""
        for job in self.worker.all():
            if isinstance(job, CheckJob) and job.scanned is scan:
                self.worker.forget(job)
        self.worker.forget(scan)
        for target in scan.targets:
            self.store.remove(Path(target.reference))

    def end(self) -> None:
        """Stop all work and remove every upload."""
        self.worker.end()
        self.enroller.end()
        self.store.end()

    def _shown(self, entry: Entry) -> Shown:
        try:
            return Shown(entry=entry, listed=self.registry.described(entry), error=None)
        except ModelprintError as error:
            return Shown(entry=entry, listed=None, error=str(error))

    def _free(self, name: str) -> str:
        """A name, if no fingerprint has it and none in the making will have it.

        Raises:
            UsageError: it is taken, or is none.
        """
        queued = [job.name for job in self.enroller.all() if isinstance(job, EnrollJob) and not job.ended]
        if name in (*(entry.name for entry in self.registry.entries()), *queued):
            raise UsageError(f"a fingerprint named {name} is in the registry, or in the making: give another name")
        return checked_name(name)

    def _check_paths(self) -> None:
        if not self.guard.on_loopback:
            raise UsageError(_NO_PATHS)


def _of_kind(kind: type[Work], worker: Worker, id_: str, name: str) -> Work:
    """The job of that id, if it is of that kind.

    Raises:
        RefusedError: there is none.
    """
    job = worker.get(id_)
    if not isinstance(job, kind):
        raise RefusedError(404, f"there is no such {name}: it was removed, or is of an earlier start of the console")
    return job


def suspect_of(scan: ScanJob, place: int) -> Target:
    """A suspect of a scan, by its place from 0.

    Raises:
        RefusedError: the scan has fewer.
    """
    if not 0 <= place < len(scan.targets):
        raise RefusedError(404, "the scan has no such suspect")
    return scan.targets[place]
