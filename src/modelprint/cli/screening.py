"""Commands on many suspects and many owners: registry, scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.table import Table

from modelprint.cli.console import out, print_record, print_table, progress, say
from modelprint.cli.options import ApiOptions, ComputeOptions, Format, ModelFlags, suspect_options

if TYPE_CHECKING:
    from modelprint.screening.records import Screen

registry = App(name="registry")
FormatOption = Annotated[Format, Parameter(name="--format")]
ScreenFormat = Literal["table", "json", "sarif", "cyclonedx"]


@registry.command
def init(path: Path) -> None:
    """Make an empty registry of fingerprints.

    Parameters
    ----------
    path
        A folder that is empty, or not there yet.
    """
    from modelprint.screening.registry import Registry

    empty = Registry.init(path)
    out.print(f"{empty.folder}: a registry of {len(empty.entries())} fingerprints", markup=False)


@registry.command
def add(
    path: Path,
    fingerprint: Path,
    *,
    name: str | None = None,
    owner: str | None = None,
    commitment: Path | None = None,
) -> None:
    """Put a fingerprint into a registry; its files are copied.

    Parameters
    ----------
    name
        Of the fingerprint in the registry; its folder's unless given.
    owner
        Whose it is; the id of the key that sealed it, with --commitment.
    commitment
        What `modelprint seal` wrote: it must be of this fingerprint.
    """
    from modelprint.screening.registry import Registry

    entry = Registry(path).add(fingerprint, name=name, owner=owner, commitment=commitment)
    whose = f", of {entry.owner}" if entry.owner else ""
    out.print(f"{entry.name}: {entry.identity}{whose}", markup=False)


@registry.command(name="list")
def list_(path: Path, *, format_: FormatOption = "table") -> None:
    """Show the fingerprints of a registry."""
    from modelprint.screening.registry import Registry

    listed = Registry(path).listed()
    if format_ == "json":
        from modelprint.cli.printed import RegistryListing

        print_record(RegistryListing(fingerprints=tuple(listed)))
        return
    table = Table(box=None)
    for column in ("name", "owner", "scheme", "task", "queries", "calibration", "added", "sha256"):
        table.add_column(column)
    for one in listed:
        table.add_row(
            one.name,
            one.owner or "-",
            one.scheme,
            one.task,
            str(one.queries),
            str(one.calibration),
            one.added,
            one.identity.removeprefix("sha256:")[:16],
        )
    print_table(table)


@registry.command
def remove(path: Path, name: str) -> None:
    """Take a fingerprint out of a registry, with what scans found by it."""
    from modelprint.screening.registry import Registry

    entry = Registry(path).remove(name)
    out.print(f"{entry.name}: removed ({entry.identity})", markup=False)


@registry.command
def export(path: Path, name: str, *, out_: Annotated[Path, Parameter(name="--out")]) -> None:
    """Write a fingerprint of a registry to a folder, as `enroll` made it."""
    from modelprint.screening.registry import Registry

    entry = Registry(path).export(name, out_)
    out.print(f"{out_}: {entry.identity}", markup=False)


def scan(
    registry: Path,
    target: Annotated[list[str], Parameter(name="TARGET", negative="", consume_multiple=True)],
    /,
    *,
    access: Literal["labels", "scores", "weights"] = "weights",
    queries: bool = True,
    budget: int | None = None,
    alpha: float = 0.05,
    method: Literal["holm", "bh"] = "holm",
    jobs: int = 1,
    executor: Literal["process", "ray"] = "process",
    shard: str | None = None,
    format_: Annotated[ScreenFormat, Parameter(name="--format")] = "table",
    out_: Annotated[Path | None, Parameter(name="--out")] = None,
    exit_code: Annotated[bool, Parameter(negative="")] = False,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> int:
    """Check many suspects against every fingerprint of a registry; may be stopped at any moment and started again.

    Parameters
    ----------
    target
        Files, folders, patterns ('models/**/*.onnx'), models of an MLflow registry (models:/NAME/VERSION), folders of
        a Hugging Face cache, addresses, or @FILE with one of these a line.
    access
        The most that is used of a suspect, the cheapest first: its file's hash, its weights, its scores, its labels.
    queries
        Whether suspects are asked at all; --no-queries compares files and weights alone.
    budget
        The most queries for each fingerprint; 200 of an address, else all, unless given.
    alpha
        holm: the accepted chance of a false "derived" for each suspect, over all owners. bh: the accepted share of
        false ones among the suspects that are called derived.
    method
        holm corrects over the owners within each suspect; bh over the screen (Benjamini and Hochberg).
    jobs
        Processes, of one thread each.
    executor
        Processes of this machine, or a Ray cluster (RAY_ADDRESS, else a local one).
    shard
        3/16: of the suspects only the third of sixteen parts, each for a machine of its own; not with bh.
    format_
        table, json, sarif (2.1.0, for code scanning) or cyclonedx (a bill of materials with the ancestors of models;
        needs the extra `sbom`).
    out_
        A file for the result, in place of stdout.
    exit_code
        Exit with 10 when a suspect is derived, 11 when one is inconclusive or cannot be read.
    """
    from modelprint.core.access import Access
    from modelprint.core.errors import UsageError
    from modelprint.core.files import write_text
    from modelprint.screening.formats import written
    from modelprint.screening.judging import Judging
    from modelprint.screening.registry import Registry
    from modelprint.screening.scan import scan as make
    from modelprint.screening.shards import Shard
    from modelprint.screening.targets import targets_of
    from modelprint.zoo.executors import executor as executor_named

    part = None if shard is None else Shard.parse(shard)
    if part is not None and method == "bh":
        raise UsageError("--method bh corrects over all suspects together: scan without --shard, or use --method holm")
    options = suspect_options(how, api, device=compute.device)
    opened = Registry(registry)
    with progress() as bars, compute.computing():
        targets = targets_of(target, options.model)
        screen = make(
            opened,
            targets if part is None else part.of(targets),
            Judging(access=Access.parse(access), asks=queries, alpha=alpha, budget=budget),
            method=method,
            options=options,
            executor=executor_named(executor, jobs=jobs),
            notice=say,
            progress=bars,
        )
    if format_ == "table" and out_ is None:
        _print(screen)
    else:
        text = written(screen, format_, entries=opened.entries())
        if out_ is None:
            out.print(text, markup=False)
        else:
            write_text(out_, text + "\n")
            say(f"{out_}: {len(screen.suspects)} suspects")
    return _exit_code(screen) if exit_code else 0


def _exit_code(screen: Screen) -> int:
    verdicts = [one.verdict for one in screen.suspects]
    if "derived" in verdicts:
        return 10
    return 11 if "inconclusive" in verdicts or None in verdicts else 0


def _print(screen: Screen) -> None:
    from modelprint.screening.formats.table import rows, summary

    table = Table(box=None)
    for column in ("suspect", "verdict", "owner", "p", "corrected", "read", "queries", "relation"):
        table.add_column(column)
    for row in rows(screen):
        table.add_row(*row)
    print_table(table)
    for line in summary(screen):
        out.print(line, markup=False)
