"""Tables of docs/evasion.md: what each scheme finds behind each evasion, false positives, what expecting gives."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.results.records import ALL, Results, Row


def evasion_rates(name: str, access: str = "labels") -> str:
    """TPR at 1 % FPR with intervals; one line per evasion, with the accuracy that it costs."""
    return _table(name, access, _rate)


def verdicts(name: str, access: str = "labels") -> str:
    """Shares of copies and of independent models that the verdict calls derived."""
    return _table(name, access, _verdict)


def areas(name: str, access: str = "labels") -> str:
    """AUC."""
    return _table(name, access, lambda row: "" if row.auc is None else f"{row.auc:.3f}")


def expected(plain: str, expecting: str) -> str:
    """TPR at 1 % FPR of the first source's fingerprints, made without and with expectation; below, the verdicts."""
    if not all((RESULTS / f"{name}.json").is_file() for name in (plain, expecting)):
        return "Not measured yet."
    without, with_ = (find_results(str(RESULTS / f"{name}.json")) for name in (plain, expecting))
    (source,) = with_.sources
    behind = list(dict.fromkeys(row.evasion for row in with_.rows))
    lines = [["scheme", *behind], ["---"] * (len(behind) + 1)]
    for scheme in dict.fromkeys(row.scheme for row in with_.rows):
        cells = []
        for evasion in behind:
            pair = [_row(results, scheme, evasion, "labels", source) for results in (without, with_)]
            cells.append(" → ".join("-" if row is None else f"{row.tpr_at_1:.2f}" for row in pair))
        lines.append([scheme, *cells])
        judged = [_row(with_, scheme, evasion, "labels", source) for evasion in behind]
        lines.append([f"{scheme}, verdict", *("-" if row is None else _verdict(row) for row in judged)])
    whole = next(row for row in with_.rows if row.attack == ALL)
    note = f"{whole.n_derived} copies, {whole.n_independent} independent models; verdicts, expecting: TPR / FPR."
    return f"{_markdown(lines)}\n\n{note}"


def _table(name: str, access: str, cell: Callable[[Row], str]) -> str:
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        return "Not measured yet."
    results = find_results(str(path))
    schemes = list(dict.fromkeys((row.scheme, row.budget) for row in results.rows if row.access == access))
    lines = [["evasion", "points lost", *(f"{scheme}, {budget:,}" for scheme, budget in schemes)]]
    lines.append(["---"] * len(lines[0]))
    for cost in results.evasions:
        rows = [_row(results, scheme, cost.evasion, access, ALL) for scheme, _ in schemes]
        ends = f"{100 * cost.interval.low:.1f} to {100 * cost.interval.high:.1f}"
        lost = f"{100 * cost.lost:.1f} ({ends})" if cost.evasion != "none" else "0"
        lines.append([f"`{cost.evasion}`", lost, *("" if row is None else cell(row) for row in rows)])
    return _markdown(lines)


def _row(results: Results, scheme: str, evasion: str, access: str, source: str) -> Row | None:
    wanted = (scheme, evasion, access, source, ALL)
    return next(
        (row for row in results.rows if (row.scheme, row.evasion, row.access, row.source, row.attack) == wanted), None
    )


def _rate(row: Row) -> str:
    if row.tpr_at_1 is None:
        return ""
    ends = row.intervals.get("tpr_at_1")
    return f"{row.tpr_at_1:.2f}" + (f" ({ends.low:.2f}-{ends.high:.2f})" if ends is not None else "")


def _verdict(row: Row) -> str:
    if row.tpr_verdict is None or row.fpr_verdict is None:
        return ""
    return f"{row.tpr_verdict:.2f} / {row.fpr_verdict:.3f}"


def _markdown(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
