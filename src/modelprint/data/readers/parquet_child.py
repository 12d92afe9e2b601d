"""What the child does with Parquet files of numbers and texts that strangers made.

Messages: {"do": "names", "place", "name"}: the names of the columns, none where some hold other things;
{"do": "read", "place", "name"}: all columns: texts as JSON under "texts", numbers as arrays c0, c1 ..., NaN where they
are missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelprint.core.errors import first_line
from modelprint.core.sandbox.frames import Arrays
from modelprint.core.sandbox.server import Handler

MOST_CELLS = 2**27


def handler() -> Handler:
    """Answers with the columns of one file."""

    def answer(message: Mapping[str, Any], arrays: Arrays) -> tuple[Mapping[str, Any], Arrays]:
        import pyarrow as arrow
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(message["place"])
            schema = file.schema_arrow
            strange = [field.name for field in schema if not _is_plain(field.type)]
            if message["do"] == "names":
                return {"names": [] if strange else list(schema.names)}, {}
            if strange:
                return {"error": f"column {strange[0]} holds neither numbers nor texts"}, {}
            if file.metadata.num_rows * len(schema.names) > MOST_CELLS:
                return {"error": f"more than {MOST_CELLS:,} cells: split it"}, {}
            table = file.read()
        except (arrow.ArrowException, OSError, ValueError) as error:
            return ({"names": []}, {}) if message["do"] == "names" else ({"error": first_line(error)}, {})
        texts: dict[str, list[str]] = {}
        numbers: dict[str, np.ndarray] = {}
        for place, (name, column) in enumerate(zip(schema.names, table.columns, strict=True)):
            if _is_number(column.type):
                numbers[f"c{place}"] = column.cast(arrow.float64()).to_numpy().astype(np.float64)
            else:
                texts[name] = ["" if value is None else str(value) for value in column.to_pylist()]
        return {"names": list(schema.names), "texts": texts}, numbers

    return answer


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    return bool(_is_number(value) or types.is_string(value) or types.is_large_string(value) or types.is_boolean(value))
