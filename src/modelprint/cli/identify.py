"""The command `identify`: which owner, if any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.options import ApiOptions, ComputeOptions, Format, ModelFlags, PoolKinds, suspect_options
from modelprint.cli.ownership import EXIT_CODES, DryRun
from modelprint.cli.verdicts import print_cost

if TYPE_CHECKING:
    from modelprint.core.identification import Identification


def identify(
    suspect: str,
    fingerprint: Annotated[list[Path], Parameter(name="FINGERPRINT", negative="", consume_multiple=True)],
    /,
    *,
    access: Literal["labels", "scores", "weights"] | None = None,
    budget: int | None = None,
    alpha: float = 0.05,
    pool_kinds: PoolKinds = False,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
    exit_code: Annotated[bool, Parameter(negative="")] = False,
    dry_run: DryRun = False,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> int:
    """Say which of several owners' models a suspect was made from, if any.

    Parameters
    ----------
    suspect
        A model file, an http(s) address, or answers, recorded (.jsonl, .npz) or by hand (.csv).
    fingerprint
        One or more, of each owner.
    access
        The most that is used of the suspect: labels, scores or weights; what each fingerprint's scheme reads unless
        given.
    budget
        The most queries to ask for each fingerprint; 200 of an address, else all, unless given.
    alpha
        The accepted chance of accusing anybody falsely, over all owners together: p-values are corrected for their
        number (Holm), and k owners need k / alpha - 1 calibration models each.
    exit_code
        Exit with 10 when derived, 11 when inconclusive.
    """
    from modelprint.core.redaction import shown_reference
    from modelprint.ownership.identify import cost
    from modelprint.ownership.identify import identify as find

    options = suspect_options(how, api, device=compute.device)
    if dry_run:
        print_cost(cost(suspect, fingerprint, access=access, budget=budget, options=options), suspect, format_)
        return 0
    with progress() as bars, compute.computing():
        identification = find(
            suspect,
            fingerprint,
            access=access,
            alpha=alpha,
            budget=budget,
            pool_kinds=pool_kinds,
            options=options,
            notice=say,
            progress=bars,
        )
    if format_ == "json":
        out.print(identification.to_json(), markup=False)
        say(identification.message)
    else:
        _print(identification, shown_reference(suspect))
    return EXIT_CODES[identification.verdict] if exit_code else 0


def _print(identification: Identification, name: str) -> None:
    colour = {"derived": "bold red", "not-shown": "bold green", "inconclusive": "bold yellow"}[identification.verdict]
    whose = f" from {identification.owner.fingerprint}" if identification.owner is not None else ""
    out.print(f"{name}: ", end="", markup=False)
    out.print(identification.verdict + whose, style=colour, markup=False)
    out.print(identification.message, markup=False)
    table = Table(box=None)
    columns = ("fingerprint", "scheme", "read", "score", "p-value", "adjusted", "calibration", "queries", "verdict")
    for column in columns:
        table.add_column(column)
    for one in identification.candidates:
        figures = (f"{value:.4g}" if value is not None else "-" for value in (one.score, one.p_value))
        adjusted = "-" if one.adjusted_p_value is None else f"{one.adjusted_p_value:.4g}"
        levels = [each.access for each in one.evidence or () if each.score is not None]
        read = ", ".join(levels) or ("-" if one.score is None else "labels")
        counts = (str(one.calibration), str(one.queries))
        table.add_row(one.name, one.scheme, read, *figures, adjusted, *counts, one.verdict)
    print_table(table)
    for one in identification.candidates:
        if one.verdict in ("not-comparable", "inconclusive"):
            out.print(f"{one.name}: {one.message}", markup=False)
