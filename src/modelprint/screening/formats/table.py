"""A screen as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from modelprint.core.printable import printable
from modelprint.screening.records import Pair, Screen

_HEAD = ("suspect", "verdict", "owner", "p", "corrected", "read", "queries", "relation")


def rows(screen: Screen) -> Iterator[tuple[str, ...]]:
    """A row for each suspect, by the pair that decides it: its owner's, else the one with the smallest p-value."""
    pairs: dict[str, list[Pair]] = {}
    for pair in screen.pairs:
        pairs.setdefault(pair.suspect, []).append(pair)
    for one in screen.suspects:
        if one.error is not None:
            yield (one.suspect, "error", "-", "-", "-", "-", "-", "-")
            continue
        compared = [pair for pair in pairs.get(one.suspect, []) if pair.verdict != "not-comparable"]
        queries = sum(pair.queries for pair in pairs.get(one.suspect, []))
        named = next((pair for pair in compared if pair.fingerprint == one.owner), None)
        nearest = named or min(compared, key=lambda pair: pair.p_corrected or 1.0, default=None)
        if nearest is None:
            yield (one.suspect, str(one.verdict), "-", "-", "-", "-", str(queries), "-")
            continue
        figures = ("-" if value is None else f"{value:.4g}" for value in (nearest.p_value, nearest.p_corrected))
        yield (
            one.suspect,
            str(one.verdict),
            one.owner or "-",
            *figures,
            nearest.access or "-",
            str(queries),
            nearest.relation or "-",
        )


def summary(screen: Screen) -> Iterator[str]:
    """What could not be read, and what is to be known of the screen as a whole."""
    for one in screen.suspects:
        if one.error is not None:
            yield f"{one.suspect}: {one.error}"
    counts = {name: sum(one.verdict == name for one in screen.suspects) for name in ("derived", "inconclusive")}
    failed = sum(one.error is not None for one in screen.suspects)
    yield (
        f"{len(screen.suspects)} suspects: {counts['derived']} derived, {counts['inconclusive']} inconclusive, "
        f"{failed} cannot be read"
    )
    if screen.method == "holm":
        yield (
            f"corrected over the owners of each suspect (Holm); of the independent suspects among these, at most "
            f"{screen.expected_false_positives:g} are expected to be called derived (alpha {screen.alpha:g} each)"
        )
    else:
        yield (
            f"corrected over the screen (Benjamini and Hochberg): of the suspects that are called derived, a share of "
            f"{screen.alpha:g} is accepted to be independent; a proof that it is no more is known for one owner and "
            "for suspects that were made apart"
        )
    saved = screen.savings
    yield (
        f"{saved.pairs} pairs: {saved.known} known from before, {saved.by_file} settled by the file's hash, "
        f"{saved.by_weights} by weights; {saved.queries} queries asked, {saved.saved} saved"
    )


def table_text(screen: Screen) -> str:
    """The same in one text, for a file; nothing in a suspect's name breaks a line."""
    table = [_HEAD, *rows(screen)]
    shown = [[printable(cell).replace("\n", " ") for cell in row] for row in table]
    widths = [max(len(row[column]) for row in shown) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    return "\n".join([*lines, "", *summary(screen)])
