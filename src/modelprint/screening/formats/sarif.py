"""A screen for code scanning: Static Analysis Results Interchange Format 2.1.0 (OASIS, 2020).

One result for each suspect that is derived, inconclusive, or cannot be read; independent ones give none. Its
`partialFingerprints` do not depend on where the suspect lies, so that a moved file is the same finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import modelprint
from modelprint.core.identity import digest_json
from modelprint.core.redaction import is_address
from modelprint.screening.records import Pair, Screen, SuspectRow
from modelprint.screening.registry import Entry

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES: dict[str, dict[str, Any]] = {
    "derived": {
        "id": "modelprint/derived",
        "name": "DerivedModel",
        "shortDescription": {"text": "A model was made from an enrolled one."},
        "fullDescription": {
            "text": "It ranks above independent models, at the accepted error rate, corrected for the number of owners."
        },
        "defaultConfiguration": {"level": "error"},
    },
    "inconclusive": {
        "id": "modelprint/inconclusive",
        "name": "InconclusiveModel",
        "shortDescription": {"text": "Whether a model was made from an enrolled one cannot be told."},
        "fullDescription": {"text": "The message says what is missing."},
        "defaultConfiguration": {"level": "warning"},
    },
    "error": {
        "id": "modelprint/unreadable",
        "name": "UnreadableModel",
        "shortDescription": {"text": "A model could not be read or asked."},
        "fullDescription": {"text": "The message says why, and what to do."},
        "defaultConfiguration": {"level": "warning"},
    },
}


def sarif(screen: Screen, entries: Sequence[Entry]) -> dict[str, Any]:
    """A screen as a SARIF log of one run."""
    pairs = {(pair.suspect, pair.fingerprint): pair for pair in screen.pairs}
    identities = {entry.name: entry.identity for entry in entries}
    results = [
        _result(one, pairs.get((one.suspect, one.owner or "")), identities)
        for one in screen.suspects
        if one.verdict != "not-shown"
    ]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "modelprint",
                        "semanticVersion": modelprint.__version__,
                        "rules": list(_RULES.values()),
                    }
                },
                "results": results,
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": note}} for note in screen.notes
                        ],
                    }
                ],
                "properties": {
                    "suspects": len(screen.suspects),
                    "alpha": screen.alpha,
                    "method": screen.method,
                    "expectedFalsePositives": screen.expected_false_positives,
                },
            }
        ],
    }


def _result(one: SuspectRow, pair: Pair | None, identities: dict[str, str]) -> dict[str, Any]:
    kind = "error" if one.error is not None else str(one.verdict)
    rule = _RULES[kind]
    owner = None if one.owner is None else identities.get(one.owner)
    properties: dict[str, Any] = one.model_dump(include={"verdict", "sha256", "owner"}) | {"fingerprint": owner}
    if pair is not None:
        properties |= pair.model_dump(include={"p_value", "p_corrected", "access", "queries", "relation"})
    return {
        "ruleId": rule["id"],
        "ruleIndex": list(_RULES).index(kind),
        "level": rule["defaultConfiguration"]["level"],
        "message": {"text": f"{one.suspect}: {one.message or one.error or one.verdict}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(one.suspect)}}}],
        "partialFingerprints": {"modelprint/v1": digest_json([kind, one.sha256 or one.suspect, owner])},
        "properties": properties,
    }


def _uri(name: str) -> str:
    """A suspect's name as a URI reference: of a path, relative ones stay relative."""
    if is_address(name) or name.startswith("models:/"):
        return quote(name, safe=":/?=&%.")
    path = PurePosixPath(name.replace("\\", "/"))
    return ("file://" if path.is_absolute() else "") + quote(str(path))
