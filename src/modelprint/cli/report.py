"""`modelprint report`: the HTML page of a benchmark's results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelprint.cli.console import out
from modelprint.core.errors import UsageError


def report(
    results: str,
    *,
    out_file: Annotated[Path, Parameter(name="--out")] = Path("report.html"),
    studies: Path | None = None,
) -> None:
    """Make one HTML page of a benchmark's results: leaderboard, figures, every suspect; nothing is computed again.

    Parameters
    ----------
    results
        A file of results, as `bench run` writes it, or a benchmark's name.
    out_file
        Where the page is written.
    studies
        A folder of studies of the same benchmark (uap_claim_NAME.json, uap_subspace_NAME.json), which are drawn as far
        as they are there. By default the folder of the results.
    """
    from modelprint.bench import default_results, find_results
    from modelprint.report.bench.render import write_bench_report
    from modelprint.results.study_files import find_studies

    if studies is not None and not studies.is_dir():
        raise UsageError(f"--studies {studies} is no folder: name the one where uap_claim_NAME.json lies")
    bench_results = find_results(results)
    place = Path(results) if Path(results).is_file() else default_results(results)
    write_bench_report(bench_results, out_file, find_studies(studies or place.parent, bench_results.name))
    out.print(str(out_file), markup=False)
