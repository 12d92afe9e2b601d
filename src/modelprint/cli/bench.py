"""Commands on benchmarks: bench plan, run, show, answers, record; submit and check stand in `claims`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.box import SIMPLE_HEAD
from rich.table import Table

from modelprint.cli.claims import check, submit
from modelprint.cli.console import out, print_table, progress, say
from modelprint.cli.data_options import DataFlags
from modelprint.cli.options import ComputeOptions, Format, ModelFlags
from modelprint.core.errors import UsageError
from modelprint.core.printable import printable

if TYPE_CHECKING:
    from modelprint.bench.text_table import TextTable
    from modelprint.results.records import Results

bench = App(name="bench")
bench.command(submit)
bench.command(check)
FormatOption = Annotated[Format, Parameter(name="--format")]


@bench.command
def plan(name: str, *, folder: Path | None = None, zoo: Path | None = None) -> None:
    """Show what a benchmark will do: fingerprints and cells, planned and finished.

    Parameters
    ----------
    name
        A TOML file (docs/bench.md), or the name of one in `research/benches`: digits, fashion, cifar10-small ...
    folder
        Where fingerprints and cells are kept; the user's cache unless given.
    zoo
        The folder of the zoo's models; its own place unless given.
    """
    from modelprint.bench import bench_of, default_folder, state

    planned = bench_of(name)
    place = folder or default_folder(planned.bench.name)
    done = state(planned.bench, folder=place, zoo=planned.plan, zoo_folder=zoo)
    out.print(
        f"{planned.bench.name}: {done.fingerprints} fingerprints, {done.crafted} made; {done.cells} cells, "
        f"{done.finished} finished, {done.failed} failed; {done.models} of {done.models_planned} models of the zoo "
        "are built",
        markup=False,
    )


@bench.command
def run(
    name: str,
    *,
    jobs: int = 1,
    executor: Literal["process", "ray"] = "process",
    device: str = "cpu",
    gpus_per_task: float | None = None,
    scheme: list[str] | None = None,
    budget: list[int] | None = None,
    folder: Path | None = None,
    zoo: Path | None = None,
    trust_code: Annotated[bool, Parameter(negative="")] = False,
    out_file: Annotated[Path | None, Parameter(name="--out")] = None,
) -> int:
    """Run a benchmark; may be killed at any moment and started again.

    Parameters
    ----------
    name
        A TOML file (docs/bench.md), or the name of one in `research/benches`: digits, fashion, cifar10-small ...
    jobs
        Processes, of one thread each; the results do not depend on it.
    executor
        Processes of this machine, or a Ray cluster (RAY_ADDRESS, else a local one).
    device
        Where models are asked and fingerprints made: auto, cpu, cuda, cuda:N or mps; only the CPU gives the same
        numbers everywhere. With Ray, of the machine that a task runs on.
    gpus_per_task
        GPUs that a task of --executor ray reserves, or the share of one: 0.25 has four tasks share a GPU.
    scheme
        Contenders to run, by label; all unless given. What is known of the others stays in the results, which then say
        what was kept, and from which revision.
    budget
        Caps on the queries to run; all unless given. What is known at the others stays, too.
    folder
        Where fingerprints and cells are kept; the user's cache unless given.
    zoo
        The folder of the zoo's models; its own place unless given.
    trust_code
        Run code that the models' files name as their architecture, to make fingerprints of them.
    out_file
        Where the results are written; benchmarks/results in a checkout unless given.
    """
    from modelprint.bench import bench_of, default_folder, default_results, find_results, write_results
    from modelprint.bench import executor as executor_named
    from modelprint.bench import run as run_bench
    from modelprint.core.devices import resolve_device

    if executor == "ray" and device.startswith("cuda") and gpus_per_task is None:
        raise UsageError(
            f"--device {device}: Ray hides GPUs from tasks that reserve none: say how many with --gpus-per-task"
        )
    planned = bench_of(name)
    place = out_file or default_results(planned.bench.name)
    partly = scheme is not None or budget is not None
    with progress() as report:
        results = run_bench(
            planned.bench,
            folder=folder or default_folder(planned.bench.name),
            zoo=planned.plan,
            zoo_folder=zoo,
            executor=executor_named(executor, jobs=jobs, gpus_per_task=gpus_per_task),
            device=device if executor == "ray" else str(resolve_device(device)),
            trust_code=trust_code,
            only=scheme,
            budgets=budget,
            before=find_results(str(place)) if partly and place.is_file() else None,
            progress=report,
        )
    write_results(results, place)
    _print(results)
    counts = results.provenance
    say(f"{place}; {counts['cells_finished']} of {counts['cells_planned']} cells, {counts['cells_failed']} failed")
    for line in counts["fingerprints_broken"]:
        say(f"no fingerprint: {line}")
    return 1 if counts["cells_failed"] else 0


@bench.command
def show(name: str, *, format_: FormatOption = "table") -> None:
    """Print the results of a benchmark beside the published figures; nothing is computed again.

    Parameters
    ----------
    name
        A benchmark, by name or TOML file, or a file of results.
    """
    from modelprint.bench import find_results

    results = find_results(name)
    if format_ == "json":
        out.file.write(printable(results.model_dump_json(by_alias=True)) + "\n")
    else:
        _print(results)


@bench.command
def answers(
    table: Annotated[list[Path], Parameter(name="TABLE", negative="", consume_multiple=True)],
    /,
    *,
    families: Path | None = None,
    scheme: str = "akh,fbi,contrast",
    budget: int = 100,
    seed: int = 0,
    alpha: float = 0.05,
    format_: FormatOption = "table",
) -> None:
    """Judge schemes that need no gradients on recorded answers, without models or images.

    Parameters
    ----------
    table
        TABLE.npz: one integer array (n images,) for each model, under its id, and ground_truth. Or folders that bench
        record wrote, several of them where they are of the same inputs.
    families
        Of a TABLE.npz, JSON: each model's id, and the id of the model that it came from (its own, if from none).
    scheme
        One or more of akh, fbi, sac, contrast and, where a table has scores, residual and auto, with commas between
        them.
    budget
        How many images are asked.
    seed
        Draws families and queries.
    alpha
        The accepted rate of false accusations.
    """
    from modelprint.bench.answers import judge, leaderboard, read_tables

    schemes = list(dict.fromkeys(name.strip() for name in scheme.split(",") if name.strip()))
    with progress() as report:
        results = judge(
            read_tables(table, families),
            schemes,
            budget=budget,
            seed=seed,
            alpha=alpha,
            name=" + ".join(path.name for path in table),
            progress=report,
        )
    if format_ == "json":
        out.file.write(printable(results.model_dump_json(by_alias=True)) + "\n")
    else:
        _print_table(leaderboard(results))


@bench.command
def record(
    models: Path,
    *,
    data: str,
    out_: Annotated[Path, Parameter(name="--out")],
    access: Literal["labels", "scores"] = "scores",
    format_: FormatOption = "table",
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Record what models that others trained answer, for bench answers; may be killed and started again.

    Models of any format that verify reads. One that is another one saved again is named and counts once; one that
    cannot be read stands in the table with the reason. Weights and inputs are not stored.

    Parameters
    ----------
    models
        A folder of models, or a text file (.txt) that names one a line. models.toml says what files do not say
        themselves, licence and origin too.
    data
        Labelled inputs of the task, which no model should have been trained on; all are asked.
    out_
        The table, a folder. What it holds already is not asked again.
    access
        labels: scores are not kept.
    """
    from modelprint.bench.recording import record_population
    from modelprint.core.access import Access
    from modelprint.data.splits import load_data

    known = load_data(reading.of(data, how.size))
    with progress() as report, compute.computing():
        recorded = record_population(
            models,
            known,
            out_,
            options=how.options(),
            access=Access.LABELS if access == "labels" else Access.SCORES,
            device=compute.device,
            notice=say,
            progress=report,
        )
    if format_ == "json":
        out.file.write(printable(recorded.model_dump_json()) + "\n")
        return
    from modelprint.bench.recording.showing import population

    for text in population(recorded):
        _print_table(text)
    say(f"{out_} holds the answers of {len(recorded.models)} models to {recorded.inputs} {known.modality.plural}")


def _print(results: Results) -> None:
    from modelprint.bench.tables import tables_of

    for text in tables_of(results):
        _print_table(text)
    for line in results.kept:
        out.print(f"kept from {line}", markup=False)


def _print_table(text: TextTable) -> None:
    out.print(text.title, style="bold", markup=False)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in text.columns:
        table.add_column(column, no_wrap=True)
    for row in text.rows:
        table.add_row(*row)
    print_table(table)
    out.print(f"{text.note}\n", markup=False)
