"""The numbers that a scheme reports of a model or of its crafting, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelprint.core.quantities import Quantity
from modelprint.report.drawing.text import NONE, counted, number, percent, value_text


def quantity_text(quantity: Quantity, values: Mapping[str, Any], *, units: bool = False) -> str:
    """The number as a reader sees it; a dash where there is none.

    Args:
        values: the record that holds it.
        units: whether what is counted is named.

    >>> quantity_text(Quantity(key="hits", title="hits", total="shots"), {"hits": 3, "shots": 4})
    '3 of 4'
    """
    value = values.get(quantity.key)
    if value is None:
        return NONE
    if quantity.form == "share" and isinstance(value, int | float):
        parts = [values.get(key) for key in quantity.counts or ()]
        known = [part for part in parts if isinstance(part, int)]
        return percent(value) + (f" ({known[0]:,} of {known[1]:,})" if len(known) == 2 else "")
    if quantity.total and isinstance(value, int) and isinstance(total := values.get(quantity.total), int):
        return f"{number(value)} of {counted(total, *quantity.units) if units else number(total)}"
    return value_text(value)
