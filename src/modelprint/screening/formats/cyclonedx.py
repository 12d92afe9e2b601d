"""A screen as a CycloneDX bill of materials (ECMA-424): one machine-learning model for each suspect.

A suspect that is derived has its owner's model among `pedigree.ancestors`, by the hash of the enrolled file. One that
is not has none, and says "unknown": that nothing was shown does not prove that nothing was used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import modelprint
from modelprint.core.errors import UsageError
from modelprint.screening.records import Pair, Screen, SuspectRow
from modelprint.screening.registry import Entry

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component

_PREFIX = "modelprint:"


def cyclonedx(screen: Screen, entries: Sequence[Entry], *, made: datetime | None = None) -> str:
    """A screen as CycloneDX JSON, of the newest version that the library writes.

    Args:
        made: when; now unless given.

    Raises:
        UsageError: the extra is missing.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.component import Component, ComponentType
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ImportError as error:
        raise UsageError("--format cyclonedx needs the extra: pip install 'modelprint[sbom]'") from error
    tool = Component(name="modelprint", version=modelprint.__version__, type=ComponentType.APPLICATION)
    bom = Bom(
        metadata=BomMetaData(
            timestamp=made or datetime.now(UTC),
            tools=ToolRepository(components=[tool]),
            properties=_properties(
                method=screen.method,
                alpha=screen.alpha,
                expected_false_positives=screen.expected_false_positives,
            ),
        )
    )
    known = {entry.name: entry for entry in entries}
    pairs = {(pair.suspect, pair.fingerprint): pair for pair in screen.pairs}
    for place, one in enumerate(screen.suspects):
        pair = pairs.get((one.suspect, one.owner or ""))
        bom.components.add(_component(place, one, pair, known.get(one.owner or "")))
    newest = max(SchemaVersion, key=lambda version: version.value)
    return make_outputter(bom, OutputFormat.JSON, newest).output_as_string(indent=2)


def _component(place: int, one: SuspectRow, pair: Pair | None, owner: Entry | None) -> Component:
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    pedigree = None
    if pair is not None and owner is not None:
        ancestor = Component(
            name=owner.name,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f"suspect-{place}-ancestor",
            publisher=owner.owner,
            properties=_properties(fingerprint=owner.identity),
        )
        pedigree = Pedigree(ancestors=[ancestor], notes=one.message)
    return Component(
        name=one.suspect,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=f"suspect-{place}",
        hashes=_hashes(one.sha256),
        pedigree=pedigree,
        properties=_properties(
            verdict=one.verdict or "error",
            ancestry="shown" if one.verdict == "derived" else "unknown",
            message=one.error or one.message,
            p_value=None if pair is None else pair.p_value,
            p_corrected=None if pair is None else pair.p_corrected,
            access=None if pair is None else pair.access,
            relation=None if pair is None else pair.relation,
        ),
    )


def _hashes(sha256: str | None) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [] if sha256 is None else [HashType(alg=HashAlgorithm.SHA_256, content=sha256.removeprefix("sha256:"))]


def _properties(**values: Any) -> Iterable[Property]:
    """Named values, those that are there."""
    from cyclonedx.model import Property

    return [Property(name=_PREFIX + name, value=f"{value}") for name, value in values.items() if value is not None]
