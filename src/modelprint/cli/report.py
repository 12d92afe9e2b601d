"""`modelprint report`: the HTML page of a benchmark's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelprint.cli.console import out


def report(
    results: str,
    *,
    out_file: Annotated[Path, Parameter(name="--out")] = Path("report.html"),
) -> None:
    """Make one HTML page of a benchmark's results: leaderboard, figures, every suspect; nothing is computed again.

    Parameters
    ----------
    results
        A file of results, as `bench run` writes it, or a benchmark's name.
    out_file
        Where the page is written.
    """
    from modelprint.bench import find_results
    from modelprint.report.bench_render import write_bench_report

    write_bench_report(find_results(results), out_file)
    out.print(str(out_file), markup=False)
