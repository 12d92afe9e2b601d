"""Commands on claims: bench submit, bench check."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from modelprint.cli.console import out, progress, say
from modelprint.cli.options import Format
from modelprint.core.errors import ModelprintError
from modelprint.core.printable import printable
from modelprint.results.records import Figure, ReadAs

if TYPE_CHECKING:
    from modelprint.results.claims import Check, Claim, Measurement

FormatOption = Annotated[Format, Parameter(name="--format")]
EXIT_CODES = {"agreed": 0, "lower": 10, "cannot-be-checked": 11}


def submit(
    name: str,
    *,
    scheme: str,
    budget: int,
    out_file: Annotated[Path, Parameter(name="--out")],
    access: ReadAs = "labels",
    attack: str = "all",
    figure: Figure = "tpr_at_1",
    evasion: str = "none",
    results: Path | None = None,
    format_: FormatOption = "table",
) -> None:
    """Write one claim: a figure of a scheme, what it rests on, and how to measure it again (docs/leaderboard.md).

    Parameters
    ----------
    name
        The benchmark: a TOML file, or the name of one in `research/benches`.
    scheme
        The contender's label in the benchmark.
    budget
        The cap on queries.
    out_file
        The claim, a JSON file.
    access
        What was read of suspects: labels, scores or weights.
    attack
        all, a family of attacks, or one attack, as the rows of bench show call it.
    figure
        auc, tpr_at_1, tpr_at_10, tpr_verdict, fpr_verdict or f1.
    evasion
        What suspects answered behind.
    results
        The benchmark's results; where bench run writes them unless given.
    """
    from modelprint.bench import bench_of, find_results
    from modelprint.bench.claiming import Place, claim_of
    from modelprint.results.claims import write_claim

    place = Place(label=scheme, access=access, budget=budget, evasion=evasion, attack=attack, figure=figure)
    claim = claim_of(bench_of(name), find_results(name if results is None else str(results)), place)
    write_claim(claim, out_file)
    if format_ == "json":
        out.file.write(printable(claim.model_dump_json(by_alias=True)) + "\n")
    else:
        out.print(f"{place}: {_figure(claim.claimed)}", markup=False)
        say(f"{out_file}; check it with: modelprint bench check {out_file}")


def check(
    claim_file: Annotated[Path, Parameter(name="CLAIM")],
    /,
    *,
    again: Annotated[bool, Parameter(negative="")] = False,
    results: Path | None = None,
    bench: Path | None = None,
    jobs: int = 1,
    folder: Path | None = None,
    zoo: Path | None = None,
    trust_code: Annotated[bool, Parameter(negative="")] = False,
    write: Annotated[bool, Parameter(negative="")] = False,
    exit_code: Annotated[bool, Parameter(negative="")] = False,
    format_: FormatOption = "table",
) -> int:
    """Check a claim: compute its figure again from recorded scores, or run its benchmark again.

    Parameters
    ----------
    claim_file
        What bench submit wrote.
    again
        Make the fingerprints and ask the models again. Without it, the figure is computed from recorded scores.
    results
        The recorded scores: a file of results. Those of the claim's benchmark unless given.
    bench
        The TOML file of the claim's benchmark, where it has no committed name.
    jobs
        Processes, with --again.
    folder
        Where --again keeps fingerprints and cells, to go on after an interruption; a temporary folder unless given.
        What it holds already is not measured again.
    zoo
        The folder of the zoo's models; its own place unless given.
    trust_code
        Run code that the models' files name as their architecture.
    write
        Add the check to the claim's file.
    exit_code
        Exit with 10 where the figure is lower than claimed, 11 where it cannot be checked.
    """
    from modelprint.results.claims import CheckedClaim, read_claim, write_claim

    claim = read_claim(claim_file)
    checked = (
        _again(claim, bench=bench, jobs=jobs, folder=folder, zoo=zoo, trust_code=trust_code)
        if again
        else _from_scores(claim, results or bench)
    )
    if write:
        write_claim(claim.with_check(checked), claim_file)
    if format_ == "json":
        out.file.write(printable(CheckedClaim.of(claim, checked).model_dump_json(by_alias=True)) + "\n")
    else:
        _show(claim, checked)
    return EXIT_CODES[checked.outcome] if exit_code else 0


def _from_scores(claim: Claim, results: Path | None) -> Check:
    from modelprint.bench import find_results
    from modelprint.bench.claiming import check_scores, unchecked

    try:
        recorded = find_results(claim.population.bench if results is None else str(results))
    except ModelprintError as error:
        if results is not None:
            raise
        return unchecked("scores", str(error))
    return check_scores(claim, recorded)


def _again(
    claim: Claim, *, bench: Path | None, jobs: int, folder: Path | None, zoo: Path | None, trust_code: bool
) -> Check:
    """The check by a fresh run; what a claim says does not choose what is run, but the benchmark's own plan."""
    from modelprint.bench import bench_of, executor, run
    from modelprint.bench.claiming import check_again, differs, unchecked

    try:
        planned = bench_of(claim.population.bench if bench is None else str(bench))
    except ModelprintError as error:
        if bench is not None:
            raise
        return unchecked("again", str(error))
    reason = differs(claim, planned)
    if reason is not None:
        return unchecked("again", reason)
    with tempfile.TemporaryDirectory(prefix="modelprint-check-") as temporary, progress() as report:
        results = run(
            planned.bench,
            folder=folder or Path(temporary),
            zoo=planned.plan,
            zoo_folder=zoo,
            executor=executor("process", jobs=jobs),
            trust_code=trust_code,
            only=[claim.entry.label],
            budgets=[claim.budget],
            progress=report,
        )
    return check_again(claim, planned, results)


def _show(claim: Claim, checked: Check) -> None:
    from modelprint.bench.claiming import place_of

    out.print(f"{place_of(claim)}, on {claim.population.bench}", markup=False)
    out.print(f"claimed   {_figure(claim.claimed)}", markup=False)
    out.print(f"measured  {_figure(checked.measured)}", markup=False)
    out.print(checked.outcome.replace("-", " "), style="bold", markup=False)
    if checked.reason is not None:
        out.print(checked.reason, markup=False)


def _figure(one: Measurement | None) -> str:
    if one is None:
        return "not measured"
    interval = f" ({one.interval.low:.3f}-{one.interval.high:.3f})" if one.interval else ""
    return f"{one.value:.3f}{interval}, {one.n_derived} copies, {one.n_independent} independent models"
