"""The tables of a registry, and how those of earlier versions become these."""

from __future__ import annotations

import sqlite3

from modelprint.core.errors import ModelprintError

MIGRATIONS: tuple[str, ...] = (  # each takes the tables from one version to the next; none is ever changed
    """
    CREATE TABLE fingerprints (
        name TEXT PRIMARY KEY,
        identity TEXT NOT NULL UNIQUE,
        owner TEXT,
        added TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE files (
        path TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        sha256 TEXT NOT NULL
    );
    CREATE TABLE pairs (
        suspect TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        settings TEXT NOT NULL,
        found TEXT NOT NULL,
        PRIMARY KEY (suspect, fingerprint, settings)
    );
    """,
)
VERSION = len(MIGRATIONS)


def migrated(connection: sqlite3.Connection, *, who: str) -> None:
    """Bring the tables of a registry to this version, all or none.

    Raises:
        ModelprintError: they are of a newer version.
    """
    if _version(connection) == VERSION:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)  # another process may have done it meanwhile
        if version > VERSION:
            raise ModelprintError(
                f"{who} is a registry of version {version}, this modelprint knows up to {VERSION}: install a newer one"
            )
        for script in MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
