"""The base of every record that crosses a border: disk, process, network."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen, strict about unknown fields, never NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
