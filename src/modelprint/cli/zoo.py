"""Commands on populations of models: zoo build, zoo status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.table import Table

from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.options import Format
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from modelprint.zoo import Status, Step
    from modelprint.zoo.recording import Recording

zoo = App(name="zoo")
FormatOption = Annotated[Format, Parameter(name="--format")]


@zoo.command
def build(
    name: str,
    *,
    jobs: int = 1,
    folder: Path | None = None,
    only: list[str] | None = None,
    records: str | None = None,
    device: str = "cpu",
    trust_code: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make the models of a zoo that are not there yet; may be killed at any moment and started again.

    Parameters
    ----------
    name
        A TOML file (docs/bench.md), or the name of one in `research/plans`: digits (a minute), fashion, cifar10-small
        (two hours) or cifar10 (a day).
    jobs
        Processes, of one thread each.
    folder
        Where the models are kept; the zoo's own place unless given.
    only
        Parts to make: shadow, calibration, test; sources are made in any case.
    records
        The benchmark whose queries every model answers when it is made: its name, or a TOML file. Unless given, the
        plan's own, if it has one. A folder holds the records of one benchmark.
    device
        auto, cpu, cuda, cuda:N or mps; only the CPU makes the same weights everywhere.
    trust_code
        Run code that the plan names: an architecture or a recipe in a file.
    dry_run
        Make nothing: show what there is to make, and about how long that takes, by what was made so far.
    """
    from modelprint.zoo import build as make
    from modelprint.zoo import default_folder, plan_of
    from modelprint.zoo import status as read

    plan = plan_of(name)
    place = folder or default_folder(plan.name)
    if dry_run:
        _print(read(plan, folder=place))
        return 0
    with progress() as report:

        def show_step(step: Step) -> None:
            report(f"models ({step.failed} failed)", step.done, step.total)

        def recording() -> Recording | None:
            chosen = records or plan.records
            if chosen is None:
                return None
            from modelprint.bench import bench_of
            from modelprint.bench.recorder import BenchRecording

            planned = bench_of(chosen)
            if planned.plan.identity != plan.identity:
                raise UsageError(f"the benchmark {chosen} is of the zoo {planned.plan.name}, not of {plan.name}")
            return BenchRecording(
                planned=planned,
                zoo=place,
                pool=plan.pool if records is None else None,
                jobs=jobs,
                trust_code=trust_code,
                progress=report,
            )

        state = make(
            plan,
            jobs=jobs,
            folder=place,
            only=only,
            device=device,
            trust_code=trust_code,
            recording=recording(),
            progress=show_step,
        )
    _print(state)
    for failure in state.failures:
        say(f"failed: {failure}")
    return 1 if state.failures else 0


@zoo.command
def status(name: str, *, folder: Path | None = None, format_: FormatOption = "table") -> None:
    """Show how far a zoo is: models by part and kind, size, time left.

    Parameters
    ----------
    name
        A TOML file (docs/bench.md), or the name of one in `research/plans`: digits (a minute), fashion, cifar10-small
        (two hours) or cifar10 (a day).
    """
    from modelprint.zoo import status as read

    state = read(name, folder=folder)
    if format_ == "json":
        out.print(state.model_dump_json(), markup=False)
    else:
        _print(state)


def _print(state: Status) -> None:
    table = Table(title=f"zoo {state.zoo}: {state.done} of {state.total} models, {state.size / 1e6:.1f} MB")
    for column in ("part", "role", "kind", "made", "planned"):
        table.add_column(column)
    for group in state.groups:
        table.add_row(group.part, group.role, group.kind or "", str(group.done), str(group.total))
    print_table(table)
    left = "unknown before a model is made" if state.left is None else f"{state.left / 60:.0f} min on one thread"
    out.print(f"{state.folder}; took {state.seconds / 60:.1f} min on one thread; left: {left}", markup=False)
    if state.unlike:
        out.print(f"more than 3 points from the sources' accuracy: {', '.join(state.unlike)}", markup=False)
