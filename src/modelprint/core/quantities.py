"""Numbers that a scheme reports, with the words that tables and reports put beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a record: of a verdict's details, or of what crafting reports.

    Attributes:
        key: its name in the record.
        title: its name in tables; {input_names} and the like stand for what inputs are called (`InputWords.fields`).
        form: "number", or "share" (0 to 1, shown in percent).
        total: the key of the number that it is a part of, shown as "3 of 4"; none if empty.
        units: what is counted: one of them, several of them.
        counts: of a share, the keys of the two numbers whose quotient it is.
        sentence: what a report says of it, with {value} in its place; nothing if empty.
        headline: its name at the head of a report; not shown there if empty.
        printed: what `enroll` prints of it, as a format of {value}; nothing if empty.
        is_score: whether it is the score itself, without what breaks ties: charts then show it as a share of its total.
    """

    key: str
    title: str
    form: Literal["number", "share"] = "number"
    total: str = ""
    units: tuple[str, str] = ("", "")
    counts: tuple[str, str] | None = None
    sentence: str = ""
    headline: str = ""
    printed: str = ""
    is_score: bool = False
