"""A recorded population, as text."""

from __future__ import annotations

from collections.abc import Iterator

from modelprint.bench.recording.table_file import TableFile
from modelprint.bench.text_table import TextTable

UNKNOWN = "unknown"


def population(table: TableFile) -> Iterator[TextTable]:
    """The models whose answers are kept; those that are another one; those that could not be recorded."""
    families = len({model.family for model in table.models})
    yield TextTable(
        title=f"{table.data}: {len(table.models)} models, {table.inputs} inputs, {families} families",
        columns=("model", "format", "answers", "accuracy", "family", "by", "licence", "origin"),
        rows=tuple(
            (
                model.id,
                model.format,
                model.access,
                f"{model.accuracy:.3f}",
                "" if model.family == model.id else model.family,
                f"made from {model.made_from}" if model.made_from else model.joined_by or "",
                model.licence or UNKNOWN,
                model.origin or UNKNOWN,
            )
            for model in table.models
        ),
        note="family: the first model of a family, where that is another one; models of a family are never split "
        "between the parts of a benchmark",
    )
    if table.duplicates:
        yield TextTable(
            title=f"{len(table.duplicates)} are one of these, saved again, and are not counted",
            columns=("model", "format", "the same as", "by", "distance", "licence", "origin"),
            rows=tuple(
                (
                    one.id,
                    one.format,
                    one.of,
                    one.by,
                    "" if one.distance is None else f"{one.distance:.2g}",
                    one.licence or UNKNOWN,
                    one.origin or UNKNOWN,
                )
                for one in table.duplicates
            ),
            note="distance of weights or scores, relative to their size",
        )
    if table.unread:
        yield TextTable(
            title=f"{len(table.unread)} could not be recorded",
            columns=("model", "why"),
            rows=tuple((one.id, one.error) for one in table.unread),
            note="they take no part",
        )
