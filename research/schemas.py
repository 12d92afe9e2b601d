"""Write the JSON schemas of all records that commands print: `python -m research.schemas`.

They are made from the records themselves. A field is required unless the record may leave it out (`Record.OMITTED`).
A change that a reader of the old schema cannot read gets a new number in `VERSIONS`; the old file stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from modelprint.bench.recording.table_file import TableFile
from modelprint.cli.check_report import CheckReport
from modelprint.cli.printed import AskingCost, Inspection, RegistryListing
from modelprint.core.ancestry import ProvenanceSet
from modelprint.core.identification import Identification
from modelprint.core.records import Record
from modelprint.core.verdict import Verdict
from modelprint.ownership.planning import CalibrationPlan
from modelprint.results.claims import CheckedClaim, Claim
from modelprint.results.records import Results
from modelprint.screening.records import Screen
from modelprint.zoo.state import Status

PLACE = Path(__file__).parents[1] / "docs" / "schemas"
PRINTED: dict[str, type[Record]] = {
    "verify": Verdict,
    "identify": Identification,
    "ancestors": ProvenanceSet,
    "scan": Screen,
    "registry-list": RegistryListing,
    "check": CheckReport,
    "inspect": Inspection,
    "cost": AskingCost,
    "plan": CalibrationPlan,
    "bench-show": Results,
    "bench-answers": Results,
    "bench-record": TableFile,
    "bench-submit": Claim,
    "bench-check": CheckedClaim,
    "zoo-status": Status,
}
VERSION = 1


class _AsWritten(GenerateJsonSchema):
    """The schema of what is written: serializers only leave out the fields that their record names."""

    def ser_schema(
        self, schema: core_schema.SerSchema | core_schema.IncExSeqSerSchema | core_schema.IncExDictSerSchema
    ) -> JsonSchemaValue | None:
        return None if schema["type"] == "function-wrap" else super().ser_schema(schema)

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,
    ) -> bool:
        return True

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        record = schema["cls"]
        if issubclass(record, Record) and "required" in described:
            described["required"] = [name for name in described["required"] if name not in record.OMITTED]
        return described

    def generate(self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode=mode)}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of what a command prints."""
    described = PRINTED[name].model_json_schema(schema_generator=_AsWritten, mode="serialization")
    return {**described, "title": f"modelprint {name}, version {VERSION}"}


def written(name: str) -> str:
    """The text of a schema's file."""
    return json.dumps(schema_of(name), indent=2, ensure_ascii=False) + "\n"


def path_of(name: str) -> Path:
    """A schema's file."""
    return PLACE / f"{name}-{VERSION}.json"


if __name__ == "__main__":
    PLACE.mkdir(parents=True, exist_ok=True)
    for command in PRINTED:
        path_of(command).write_text(written(command), encoding="utf-8")
    print(f"{PLACE}: {len(PRINTED)} schemas")
