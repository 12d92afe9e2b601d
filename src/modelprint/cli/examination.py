"""What `check` found, as JSON and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from modelprint.cli.challenge import ChallengeFlags, print_challenge
from modelprint.cli.challenge import report as challenge_report
from modelprint.cli.console import out, print_table
from modelprint.cli.verdicts import print_verdict

if TYPE_CHECKING:
    from modelprint.cli.check_report import CheckReport
    from modelprint.ownership.guarantees import Examination


def report(done: Examination, flags: ChallengeFlags) -> CheckReport:
    """What `check --format json` prints."""
    from modelprint.cli.check_report import CheckReport, Remade
    from modelprint.ownership.guarantees import left_open, shown

    checked, remade = done.checked, done.rederived
    return CheckReport(
        bundle=checked.identity,
        fits=done.contradiction is None,
        checked=shown(done),
        not_checked=left_open(done),
        signer=checked.signer,
        key_compared=checked.key_compared,
        sealed=checked.sealed.isoformat(),
        stamped=None if checked.stamped is None else checked.stamped.isoformat(),
        stamp_verified=checked.stamp_verified,
        bundled=checked.bundled.isoformat(),
        verdict=checked.verdict,
        rejudged=checked.rejudged,
        rederived=None
        if remade is None
        else Remade(
            queries=remade.queries, differing=remade.differing, scores_off=remade.scores_off, exact=remade.exact
        ),
        challenge=None if done.fresh is None else challenge_report(done.fresh, checked, flags),
    )


def print_examination(done: Examination, flags: ChallengeFlags, name: str) -> None:
    """What `check` prints: the dates, the verdicts, what was checked, and what was not."""
    from modelprint.ownership.guarantees import FRESH, left_open, shown

    checked, remade = done.checked, done.rederived
    if done.contradiction is None:
        out.print(f"{name}: everything that was checked fits", style="bold green", markup=False)
    else:
        out.print(f"{name}: the fresh challenge contradicts it", style="bold red", markup=False)
    stamp = "none: the date is the signer's word"
    if checked.stamped is not None:
        who = "verified" if checked.stamp_verified else "server NOT verified: name its root with --tsa-root"
        stamp = f"{checked.stamped.isoformat()} ({who})"
    rows = {
        "bundle": checked.identity,
        "signed by": checked.signer + (" (the key you named)" if checked.key_compared else " (NOT compared: --key)"),
        "committed": checked.sealed.isoformat(),
        "time stamp": stamp,
        "bundled": checked.bundled.isoformat(),
        "fingerprint": checked.fingerprint.identity,
        "re-derived": "not checked: --rederive --source MODEL"
        if remade is None
        else f"all {remade.queries} queries, "
        + ("bit for bit" if remade.exact else f"{remade.differing} within tolerance"),
        "own negatives": "none: --negatives FOLDER" if checked.rejudged is None else "below, second verdict",
        "fresh challenge": f"not done: {FRESH}" if done.fresh is None else "below, last verdict",
    }
    table = Table(show_header=False, box=None)
    for label, value in rows.items():
        table.add_row(label, value)
    print_table(table)
    print_verdict(checked.verdict, checked.verdict.suspect)
    if checked.rejudged is not None:
        owners = f" ({checked.owners_models} of them the owner's)" if checked.owners_models else ""
        out.print(f"calibrated on the models that you named{owners}:", markup=False)
        print_verdict(checked.rejudged, checked.rejudged.suspect)
    if done.fresh is not None:
        print_challenge(done.fresh, checked, flags)
    out.print("checked:", style="bold green", markup=False)
    for text in shown(done):
        out.print(f"- {text}", markup=False)
    out.print("NOT checked:", style="bold yellow", markup=False)
    for one in left_open(done):
        out.print(f"- {one.what}: {one.why}. {one.option}", markup=False)
