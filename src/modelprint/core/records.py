"""The base of every record that crosses a border: disk, process, network."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen, strict about unknown fields, never NaN; its errors do not repeat what they were given.

    `OMITTED` names the fields that are not written where they say nothing: its serializer leaves them out, and its JSON
    schema does not require them.
    """

    OMITTED: ClassVar[tuple[str, ...]] = ()

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
