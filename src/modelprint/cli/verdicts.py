"""How a verdict, and what asking would take, are printed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from modelprint.cli.console import out, print_record, print_table
from modelprint.cli.options import Format

if TYPE_CHECKING:
    from modelprint.core.suspect import Cost
    from modelprint.core.verdict import Verdict

RELATIONS = {
    "from-weights": "from-weights: fine-tuned, pruned or otherwise made from the source's weights",
    "extracted": "extracted: trained on the source's answers, with weights of its own",
    "homologous": "homologous: both come from a third model",
    "none": "none was shown",
    "unknown": "unknown: what was read does not tell how",
}


def print_cost(cost: Cost, suspect: str, format_: Format) -> None:
    """What asking would take, before anything is asked."""
    from modelprint.core.redaction import shown_reference

    if format_ == "json":
        from modelprint.cli.printed import AskingCost

        print_record(AskingCost(suspect=shown_reference(suspect), **asdict(cost)))
        return
    out.print(f"{shown_reference(suspect)}: {cost.queries} queries, {cost.answered} answered already", markup=False)
    if not cost.requests:
        here = "" if not cost.seconds else f"; about {cost.seconds:.1f} s on this machine"
        out.print(f"nothing would be sent{here}")
        return
    time = "time not known" if cost.seconds is None else f"{cost.seconds:.1f} s or more"
    sent = f"{cost.bytes:,} bytes" if cost.bytes < 10**6 else f"{cost.bytes / 10**6:.1f} MB"
    out.print(f"{cost.requests} requests, about {sent}, {time}; nothing was sent", markup=False)


def print_verdict(verdict: Verdict, name: str) -> None:
    """The verdict as a table and a sentence."""
    from modelprint.schemes import SCHEMES

    colour = {"derived": "bold red", "not-shown": "bold green", "inconclusive": "bold yellow"}[verdict.verdict]
    out.print(f"{name}: ", end="", markup=False)
    out.print(verdict.verdict, style=colour, markup=False)
    out.print(verdict.message, markup=False)
    table = Table(show_header=False, box=None)
    errors = verdict.false_accusations
    rows = {
        "score": short(verdict.score),
        "threshold": short(verdict.threshold),
        "p-value": short(verdict.p_value),
        "false accusations": "not calibrated"
        if errors is None
        else f"{errors.count} of {errors.n} calibration models, rate at most {errors.upper_95:.3f} (95 %)",
        "queries": f"{verdict.queries} ({verdict.access}){_unanswered(verdict)}",
    }
    if verdict.form is not None:
        beside = f", {verdict.form.beside} of them beside the queries" if verdict.form.beside else ""
        rows["unperturbed"] = f"{verdict.form.right} of {verdict.form.answered} classified rightly{beside}"
    for quantity in SCHEMES[verdict.scheme].quantities:
        if verdict.details.get(quantity.key) is not None:
            total = verdict.details.get(quantity.total)
            part = "" if total is None else f" of {short(total)} {quantity.units[1]}".rstrip()
            rows[quantity.title] = short(verdict.details[quantity.key]) + part
    if verdict.relation is not None:
        rows["relation"] = RELATIONS[verdict.relation]
    for key, value in rows.items():
        table.add_row(key, value)
    print_table(table)
    if verdict.evidence:
        print_evidence(verdict)


def print_evidence(verdict: Verdict) -> None:
    """What each level of access says by itself."""
    table = Table(box=None)
    for column in ("evidence", "says", "score", "threshold", "p", "queries", "by"):
        table.add_column(column)
    for one in verdict.evidence or ():
        table.add_row(
            one.access,
            one.says,
            short(one.score),
            short(one.threshold),
            short(one.p_value),
            str(one.queries),
            one.scheme,
        )
    print_table(table)
    for one in verdict.evidence or ():
        if one.score is None:
            out.print(f"{one.access}: {one.details.get('why', 'nothing was compared')}", markup=False)


def _unanswered(verdict: Verdict) -> str:
    if verdict.answered is None or verdict.answered == verdict.asked:
        return ""
    abstained = verdict.details.get("abstained")
    silent = "" if abstained is None else f", {abstained} abstained"
    return f", {verdict.answered} answered{silent}: the others count against derivation"


def short(value: object) -> str:
    """A figure in four digits; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
