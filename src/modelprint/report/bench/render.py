"""A benchmark's results as one HTML page: leaderboard, figures, every suspect, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelprint.core.files import write_text
from modelprint.report.bench.boxes import box_figures
from modelprint.report.bench.evasion import evasion_map
from modelprint.report.bench.families import family_table
from modelprint.report.bench.knobs import knob_figures
from modelprint.report.bench.leaderboard import COLUMNS, leaderboard
from modelprint.report.bench.queries import query_figures
from modelprint.report.bench.regions import region_maps
from modelprint.report.bench.roc import roc_figure
from modelprint.report.bench.studies import study_sections
from modelprint.report.bench.suspects import suspect_section
from modelprint.report.bench.swept import swept_sections
from modelprint.report.drawing.figure import Fact
from modelprint.report.drawing.pages import template
from modelprint.report.drawing.text import counted, percent, plain_name, value_text
from modelprint.results.records import Results
from modelprint.results.studies import Studies
from modelprint.results.view import View

_NAMES = {
    "date": "Date",
    "command": "Command",
    "revision": "Revision of the code",
    "modified": "With changes not committed",
    "python": "Python",
    "platform": "Platform",
    "cpu": "Processor",
    "cores": "Cores",
    "bench": "Plan of the benchmark",
    "zoo": "Plan of the zoo",
    "zoo_models": "Models in the zoo",
    "zoo_planned": "Models planned",
    "zoo_hours": "Processor hours to build the zoo",
    "source_seconds": "Seconds to train the first source",
    "cells_planned": "Cells planned",
    "cells_finished": "Cells finished",
    "cells_failed": "Cells failed",
    "fingerprints_broken": "Fingerprints that could not be made",
    "craft_hours": "Processor hours to make fingerprints",
    "ask_hours": "Processor hours to ask and score",
    "forward_hours": "Of these, in the suspects' forward passes",
    "kept": "Kept from earlier runs",
}


def render_bench(results: Results, studies: Studies | None = None) -> str:
    """The report as one HTML page that loads nothing: the same results give the same page.

    What was not measured is left out, or said to be missing; of studies, those that there are are drawn.
    """
    view = View(results=results.plain)
    page: str = template("bench.html.j2").render(
        title=f"Benchmark {plain_name(results.name, longest=60)}",
        heading=_heading(results),
        columns=[titles for _, *titles in COLUMNS],
        board=leaderboard(view),
        families=family_table(view),
        roc=roc_figure(view),
        evasion=evasion_map(View(results=results)),
        boxes=box_figures(view),
        swept=swept_sections(view),
        knobs=knob_figures(results),
        regions=region_maps(view),
        queries=query_figures(view),
        studies=study_sections(studies or Studies()),
        suspects=suspect_section(view),
        facts=provenance_facts({**results.provenance, **({"kept": "; ".join(results.kept)} if results.kept else {})}),
        command=_command(results),
    )
    return page


def write_bench_report(results: Results, path: Path | str, studies: Studies | None = None) -> None:
    """Write the report, whole or not at all.

    Raises:
        ModelprintError: the place cannot be written.
    """
    write_text(Path(path), render_bench(results, studies))


def provenance_facts(provenance: dict[str, Any]) -> Sequence[Fact]:
    """Where the numbers come from, in words; keys that have none stand under their own name.

    >>> [(fact.name, fact.value) for fact in provenance_facts({"cores": 2, "versions": {"torch": "2.13"}})]
    [('Version of torch', '2.13'), ('Cores', '2')]
    """
    versions = provenance.get("versions")
    parts = versions if isinstance(versions, dict) else {}
    facts = [Fact(name=f"Version of {plain_name(name)}", value=value_text(value)) for name, value in parts.items()]
    for key in dict.fromkeys((*(name for name in _NAMES if name in provenance), *provenance)):
        value = provenance[key]
        if key == "versions" and parts:
            continue
        code = key in ("bench", "zoo", "command", "revision")
        text = "none" if value in ([], "", None) else value_text(value)
        facts.append(Fact(name=_NAMES.get(key, plain_name(key)).replace("'", "\u2019"), value=text, code=code))
    return facts


def _heading(results: Results) -> list[str]:
    copies = sum(model.role == "derived" for model in results.suspects)
    independents = sum(model.role == "independent" and not model.third_party for model in results.suspects)
    sources = ", ".join(percent(accuracy) for accuracy in results.sources.values())
    return [
        plain_name(results.data),
        f"{counted(len(results.sources), 'source')} (accuracy {sources})" if sources else "no source",
        counted(copies, "copy", "copies"),
        counted(independents, "independent model"),
        plain_name(str(results.provenance.get("date", "no date"))),
    ]


def _command(results: Results) -> str:
    command = results.provenance.get("command")
    again = plain_name(str(command)) if command else f"modelprint bench run {plain_name(results.name)}"
    return f"{again}\nmodelprint report {plain_name(results.name)} --out report.html"
