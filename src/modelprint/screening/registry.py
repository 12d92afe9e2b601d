"""A registry: fingerprints of many owners in one folder, and what scans found before.

The folder holds `index.sqlite` and, for each fingerprint, a folder named after its SHA-256. A fingerprint's files are
whole before the index names them. Several processes may read and write at once; SQLite makes them wait for each other.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from modelprint.core.errors import IntegrityError, ModelprintError, UsageError, first_line
from modelprint.core.files import check_file_name
from modelprint.core.records import Record
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.screening.schema import migrated

INDEX, FINGERPRINTS = "index.sqlite", "fingerprints"
PATIENCE = 60.0  # seconds to wait for another process that writes
_LONGEST_NAME = 200
_HINTS = {
    sqlite3.SQLITE_FULL: "; free some space",
    sqlite3.SQLITE_IOERR: "; is the disk full? Free some space, or copy the registry to another disk",
    sqlite3.SQLITE_BUSY: f": another process has written for more than {PATIENCE:g} s; try again when it is done",
}


class Entry(Record):
    """A fingerprint of a registry.

    Attributes:
        name: which names it in this registry.
        identity: its SHA-256.
        owner: whose it is, where that was said.
        added: when, ISO 8601 in UTC.
    """

    name: str
    identity: str
    owner: str | None = None
    added: str


class Listed(Entry):
    """An entry, with what its fingerprint says of itself.

    Attributes:
        source: SHA-256 of the enrolled model.
        task: what models of its task take: "image 1 x 8 x 8, 10 classes".
        queries, calibration: how many there are.
    """

    scheme: str
    source: str
    task: str
    queries: int
    calibration: int


class Registry:
    """A folder of fingerprints.

    Args:
        folder: of a registry that exists.

    Raises:
        ModelprintError: it is none, or of a newer version.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        if not (self.folder / INDEX).is_file():
            raise ModelprintError(f"{self.folder} is no registry: `modelprint registry init {self.folder}` makes one")
        with self._connected() as connection:
            migrated(connection, who=str(self.folder))

    @classmethod
    def init(cls, folder: Path | str) -> Self:
        """Make an empty registry; one that is there already is left as it is.

        Raises:
            ModelprintError: the folder cannot be written, or holds something else.
        """
        place = Path(folder)
        check_file_name(place)
        if place.exists() and not place.is_dir():
            raise ModelprintError(f"{place} is a file: name a folder for the registry")
        if place.is_dir() and any(place.iterdir()) and not (place / INDEX).is_file():
            raise ModelprintError(f"{place} holds something else: name an empty folder, or a new one")
        try:
            (place / FINGERPRINTS).mkdir(parents=True, exist_ok=True)
            (place / INDEX).touch()
        except OSError as error:
            raise ModelprintError(f"cannot write {place}: {error.strerror or error}") from error
        return cls(place)

    def add(
        self,
        fingerprint: Path | str,
        *,
        name: str | None = None,
        owner: str | None = None,
        commitment: Path | None = None,
    ) -> Entry:
        """Take a fingerprint in: its files are copied.

        Args:
            name: in this registry; that of its folder unless given.
            owner: whose it is; unless given the id of the key that sealed the commitment.
            commitment: what `seal` wrote of this fingerprint.

        Raises:
            IntegrityError: the commitment is of another fingerprint, or its signature does not fit.
            ModelprintError: it is damaged or none, or its name or the fingerprint itself is there already.
        """
        place = Path(fingerprint)
        loaded = Fingerprint.load(place)
        chosen = checked_name(place.resolve().name.removesuffix(".fp") if name is None else name)
        if commitment is not None:
            signer = _signer(commitment, loaded)
            owner = owner or signer
        entry = Entry(
            name=chosen, identity=loaded.identity, owner=owner, added=datetime.now(UTC).isoformat(timespec="seconds")
        )
        target = self._place(loaded.identity)
        fresh = not target.is_dir()
        if fresh:
            loaded.save(target)
        try:
            with self._connected() as connection, connection:
                connection.execute(
                    "INSERT INTO fingerprints (name, identity, owner, added) VALUES (:name, :identity, :owner, :added)",
                    entry.model_dump(),
                )
        except ModelprintError:  # such as a full disk
            if fresh:
                shutil.rmtree(target, ignore_errors=True)
            raise
        except sqlite3.IntegrityError:
            known = next((one for one in self.entries() if one.identity == loaded.identity), None)
            if known is not None:
                raise UsageError(f"{place} is in the registry already, as {known.name}") from None
            if fresh:
                shutil.rmtree(target, ignore_errors=True)
            raise UsageError(f"the registry has a fingerprint named {chosen} already: give --name") from None
        return entry

    def remove(self, name: str) -> Entry:
        """Take a fingerprint out, with its files and what scans found by it.

        Raises:
            UsageError: there is none of that name.
        """
        entry = self.entry(name)
        with self._connected() as connection, connection:
            connection.execute("DELETE FROM fingerprints WHERE name = ?", (name,))
            connection.execute("DELETE FROM pairs WHERE fingerprint = ?", (entry.identity,))
        shutil.rmtree(self._place(entry.identity), ignore_errors=True)
        return entry

    def export(self, name: str, out: Path) -> Entry:
        """Write a fingerprint's folder elsewhere, as `enroll` wrote it.

        Raises:
            ModelprintError: there is none of that name, it is damaged, or the place cannot be written.
        """
        entry = self.entry(name)
        self.load(entry).save(out)
        return entry

    def entries(self) -> list[Entry]:
        """All fingerprints, by name."""
        with self._connected() as connection:
            rows = connection.execute("SELECT name, identity, owner, added FROM fingerprints ORDER BY name").fetchall()
        return [Entry(name=row[0], identity=row[1], owner=row[2], added=row[3]) for row in rows]

    def entry(self, name: str) -> Entry:
        """The fingerprint of that name.

        Raises:
            UsageError: there is none.
        """
        known = self.entries()
        for one in known:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in known[:10]) or "none"
        raise UsageError(f"the registry has no fingerprint {name!a}: it has {names}{' ...' if len(known) > 10 else ''}")

    def listed(self) -> list[Listed]:
        """All fingerprints, with what they say of themselves.

        Raises:
            IntegrityError: one was changed.
        """
        return [self.described(entry) for entry in self.entries()]

    def described(self, entry: Entry) -> Listed:
        """One fingerprint, with what it says of itself.

        Raises:
            IntegrityError: it was changed.
        """
        return _described(entry, self.load(entry))

    def load(self, entry: Entry) -> Fingerprint:
        """A fingerprint, checked.

        Raises:
            IntegrityError: it is missing, was changed, or is not the one that was added.
        """
        try:
            loaded = Fingerprint.load(self._place(entry.identity))
        except ModelprintError as error:
            raise IntegrityError(f"{entry.name} in {self.folder}: {error}") from error
        if loaded.identity != entry.identity:
            raise IntegrityError(f"{entry.name} in {self.folder} is another fingerprint than the one that was added")
        return loaded

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Inside, what is kept is not written into the index anew each time that somebody is done with it."""
        with self._connected() as connection:
            connection.execute("SELECT 1 FROM files").fetchone()  # SQLite opens the file when it is first read
            yield

    def known_digest(self, path: str, state: str) -> str | None:
        """The SHA-256 that a file had when it was last read, if it has not changed since (size, times, inode)."""
        with self._connected() as connection:
            row = connection.execute("SELECT sha256 FROM files WHERE path = ? AND state = ?", (path, state)).fetchone()
        return None if row is None else str(row[0])

    def keep_digest(self, path: str, state: str, sha256: str) -> None:
        """Keep the SHA-256 of a file."""
        with self._connected(durable=False) as connection, connection:
            connection.execute("REPLACE INTO files (path, state, sha256) VALUES (?, ?, ?)", (path, state, sha256))

    def known_pairs(self, suspect: str, settings: str) -> dict[str, str]:
        """What was found of a suspect before, as JSON by the fingerprint's SHA-256.

        Args:
            suspect: SHA-256 of its file.
            settings: SHA-256 of how it was judged.
        """
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT fingerprint, found FROM pairs WHERE suspect = ? AND settings = ?", (suspect, settings)
            ).fetchall()
        return {str(fingerprint): str(found) for fingerprint, found in rows}

    def keep_pairs(self, suspect: str, settings: str, findings: dict[str, str]) -> None:
        """Keep what was found of a suspect."""
        rows = [(suspect, fingerprint, settings, text) for fingerprint, text in findings.items()]
        with self._connected(durable=False) as connection, connection:
            connection.executemany(
                "REPLACE INTO pairs (suspect, fingerprint, settings, found) VALUES (?, ?, ?, ?)", rows
            )

    def _place(self, identity: str) -> Path:
        return self.folder / FINGERPRINTS / identity.removeprefix("sha256:")

    @contextmanager
    def _connected(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection of its own: nothing of SQLite crosses threads or processes.

        Args:
            durable: whether what is written outlasts a power cut at once. What scans found may be found again: it
                outlasts the end of any process, and a power cut a little later.

        Raises:
            ModelprintError: the index is damaged, cannot be written, or another process kept it too long.
        """
        try:
            connection = sqlite3.connect(self.folder / INDEX, timeout=PATIENCE)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                yield connection
            finally:
                connection.close()
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            hint = _HINTS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")
            raise ModelprintError(f"{self.folder / INDEX}: {first_line(error)}{hint}") from error


def checked_name(name: str) -> str:
    """A name of a fingerprint in a registry.

    Raises:
        UsageError: it is empty, too long, or more than one line of text.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"{name[:_LONGEST_NAME]!a} is no name of a fingerprint: give --name, one line of text")
    return name


def _signer(commitment: Path, fingerprint: Fingerprint) -> str:
    """The id of the key that committed to a fingerprint.

    Raises:
        UsageError: the extra is missing.
        IntegrityError: the commitment is of another one, or its signature does not fit.
    """
    try:
        from modelprint.ownership.seal import check_committed, read_commitment, read_file
        from modelprint.sealing.keys import decoded, key_id
    except ImportError as error:
        raise UsageError("--commitment needs the extra: pip install 'modelprint[evidence]'") from error
    stated, _ = read_commitment(read_file(commitment), who=str(commitment))
    check_committed(stated, fingerprint)
    return key_id(decoded(stated.key, who="the key"))


def _described(entry: Entry, fingerprint: Fingerprint) -> Listed:
    manifest = fingerprint.manifest
    spec = manifest.input
    return Listed(
        **entry.model_dump(),
        scheme=manifest.scheme,
        source=manifest.source,
        task=f"{spec.modality_name} {spec.described}, {spec.classes} classes",
        queries=len(fingerprint),
        calibration=len(manifest.calibration),
    )
