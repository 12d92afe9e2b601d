"""Commands on fingerprints: enroll, inspect, verify, record."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from modelprint.cli.console import out, print_record, print_table, progress, say
from modelprint.cli.data_options import DataFlags
from modelprint.cli.options import (
    ApiOptions,
    ComputeOptions,
    Format,
    ModelFlags,
    PoolKinds,
    Settings,
    settings,
    suspect_options,
)
from modelprint.cli.verdicts import print_cost, print_verdict, short
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from modelprint.ownership.fingerprint import Fingerprint
    from modelprint.ownership.manifest import Manifest

DryRun = Annotated[
    bool,
    Parameter(negative="", help="Say what asking an API would take - queries, bytes, time - and ask nothing."),
]

EXIT_CODES = {"derived": 10, "inconclusive": 11, "not-shown": 0}


def enroll(
    model: str,
    data: str,
    *,
    out_: Annotated[Path, Parameter(name="--out")],
    scheme: str = "auto",
    preset: Literal["default", "paper"] = "default",
    train_data: str | None = None,
    shadow: str | None = None,
    keep_shadows: Path | None = None,
    quick: Annotated[bool, Parameter(negative="")] = False,
    negatives: str | None = None,
    recipe: str | None = None,
    recipe_set: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    init: Path | None = None,
    budget: int | None = None,
    expect: str = "",
    from_scratch: Annotated[bool, Parameter(negative="")] = False,
    accuracy: float | None = None,
    seed: int = 0,
    jobs: int = 1,
    set_: Settings = None,
    reading: DataFlags = DataFlags(),  # noqa: B008 - frozen
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Make the fingerprint of a model.

    Parameters
    ----------
    model
        The source: a model file.
    data
        Labelled images that the source was NOT trained on; queries are made from them.
    out_
        The fingerprint: a folder.
    scheme
        auto: all that a suspect shows - weights, scores, labels - each by the scheme that the means at hand allow. Or a
        registered scheme by itself, such as adv-tra or uap.
    preset
        default, or as published.
    train_data
        Images of the source's training set, for what is trained at enrollment.
    shadow
        For schemes that learn from shadow models: N to have N surrogates and N reference models trained on
        --train-data, or a folder of models made by attack and train.
    keep_shadows
        A folder for the shadow models that --shadow N trains. A judge with another processor needs them, as training
        makes others there (check --rederive --shadow FOLDER).
    quick
        The same as --shadow 2: the fewest shadow models, for a first look.
    negatives
        Independent models that calibrate the threshold: a folder, or auto:N to have N trained on --train-data, or
        auto:N+M to have M of them copied, too; with --init these are siblings of the source, and auto:N,scratch:K has
        K trained from scratch beside them. A folder may hold files of several architectures, recorded answers and,
        in its models.toml, addresses.
    recipe
        How these models are trained: sgd, adamw, or FILE.py:fit; what suits the data unless given.
    recipe_set
        Hyper-parameters of --recipe sgd or adamw, key=value (epochs, lr ...).
    init
        The public checkpoint that the source started from: trained models start from there, too, and are its siblings.
    budget
        The most queries that the fingerprint may hold.
    expect
        What suspects may do to images before they answer: flip, noise, blur, jpeg, bit-depth, resize, with commas
        between them. Queries are made to survive it.
    from_scratch
        Declare that the source was trained from no checkpoint. A verdict from weights rests on this word where there
        are too few calibration models.
    accuracy
        What the model is known to classify rightly, as a share (0.97): less on DATA means that it is asked in the wrong
        form, and is refused. Without it a poor accuracy is refused.
    jobs
        Processes that train independent and shadow models.
    set_
        Hyper-parameters of the scheme, key=value (adv-tra: trajectories, l, m, brake, match ...).
    """
    from modelprint.data.splits import load_data
    from modelprint.ownership.enroll import configured
    from modelprint.ownership.enroll import enroll as make
    from modelprint.ownership.opening import scheme_of
    from modelprint.schemes import SCHEMES
    from modelprint.zoo.reference_models.training import HowTrained

    if quick and shadow is not None:
        raise UsageError(f"--quick makes 2 + 2 shadow models, --shadow {shadow} others: give one of them")
    SCHEMES[scheme].preset(preset).with_settings(settings(set_))  # refuses what there is not, before anything is read
    seeds = load_data(reading.of(data, how.size))
    with progress() as report, compute.computing(seeds.shape) as device:
        source, seeds = how.load_source_for(model, seeds, device=device)
        fingerprint = make(
            source,
            seeds,
            scheme=configured(
                scheme, settings(set_), preset=preset, source=source, seeds=seeds, shadows="2" if quick else shadow
            ),
            negatives=negatives or (),
            train_data=None if train_data is None else reading.of(train_data, how.size),
            shadows="2" if quick else shadow,
            keep_shadows=keep_shadows,
            how=HowTrained(recipe=recipe, settings=settings(recipe_set), init=init),
            budget=budget,
            expect=expect,
            from_scratch=from_scratch,
            accuracy=accuracy,
            options=how.options(),
            seed=seed,
            jobs=jobs,
            out=out_,
            notice=say,
            progress=report,
        )
    chosen, crafting = scheme_of(fingerprint), fingerprint.manifest.report
    facts = [
        f", {quantity.printed.format(value=crafting[quantity.key])}"
        for quantity in chosen.crafting
        if quantity.printed and quantity.key in crafting
    ]
    held = f"{len(fingerprint)} queries by" if chosen.needs.asks else "the source's weights, by"
    out.print(f"{out_}: {held} {scheme}{''.join(facts)}", markup=False)
    out.print(f"{_calibration(fingerprint)} calibration models, {fingerprint.identity}", markup=False)


def inspect(
    fingerprint: Path,
    *,
    export_queries: Path | None = None,
    access: Literal["labels"] | None = None,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
) -> None:
    """Show what a fingerprint holds.

    Parameters
    ----------
    export_queries
        A folder that gets one PNG per query, index.csv, and answers.csv to fill in: to query anything by hand.
    access
        labels: only the queries that are asked where no scores will be written down.
    """
    from modelprint.core.access import Access
    from modelprint.ownership.export import export_queries as export
    from modelprint.ownership.fingerprint import Fingerprint

    loaded = Fingerprint.load(fingerprint)
    manifest = loaded.manifest
    if format_ == "json":
        from modelprint.cli.printed import Inspection

        print_record(Inspection.of(loaded))
    else:
        table = Table(show_header=False, box=None)
        rows: dict[str, object] = {
            "identity": loaded.identity,
            "scheme": manifest.scheme,
            "parameters": ", ".join(f"{key}={value}" for key, value in manifest.parameters.items()),
            "queries": f"{len(loaded)} ({manifest.codec})",
            "input": " x ".join(map(str, manifest.input.shape)) + f", {manifest.input.classes} classes",
            "source": f"{manifest.source}, accuracy {manifest.source_accuracy:.4f}{_interval(manifest)}",
            "made from": f"{manifest.data_name} ({manifest.data}), seed {manifest.seed}",
            "crafting": ", ".join(f"{key} {short(value)}" for key, value in manifest.report.items()),
            "calibration": f"{_calibration(loaded)} independent models",
            "made by": manifest.library,
        }
        for key, value in rows.items():
            table.add_row(key, str(value))
        print_table(table)
    if export_queries is not None:
        if access is None:
            _say_label_queries(loaded)
        count = export(loaded, export_queries, access=None if access is None else Access.LABELS)
        kind = loaded.modality.wire.suffix.upper()
        plain = 0 if loaded.plain is None else len(loaded.plain.labels)
        further = f", {plain} unperturbed ones in plain/" if plain else ""
        say(f"{count} {kind}s{further}, index.csv and answers.csv in {export_queries}")
        answers = export_queries / "answers.csv"
        say(f"ask each, write its answer into the column label of answers.csv, then: verify {fingerprint} {answers}")


def _say_label_queries(fingerprint: Fingerprint) -> None:
    """That labels need fewer queries, where they do."""
    from modelprint.core.access import Access
    from modelprint.ownership.export import queries_read
    from modelprint.ownership.opening import scheme_of

    if scheme_of(fingerprint).needs.suspect is not Access.LABELS:
        return
    few = len(queries_read(fingerprint, Access.LABELS))
    if few < len(fingerprint):
        say(
            f"{len(fingerprint) - few} of {len(fingerprint)} queries are read for their scores alone: where you will "
            f"write labels, --access labels exports the other {few}"
        )


def verify(
    fingerprint: Path,
    suspect: str,
    *,
    negatives: str | None = None,
    access: Literal["labels", "scores", "weights"] | None = None,
    budget: int | None = None,
    alpha: float = 0.05,
    pool_kinds: PoolKinds = False,
    accuracy: float | None = None,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
    report: Path | None = None,
    dry_run: DryRun = False,
    exit_code: Annotated[bool, Parameter(negative="")] = False,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> int:
    """Check a suspect: derived, not shown, or inconclusive.

    Parameters
    ----------
    suspect
        A model file, an http(s) address, or answers, recorded (.jsonl, .npz) or by hand (.csv).
    negatives
        A folder of independent models to calibrate on, in place of those of the fingerprint.
    access
        The most that is used of the suspect. labels: only top-1; weights: its file. What the scheme needs unless given.
    budget
        The most queries to ask; 200 of an address, whose owner may charge for each, else all, unless given.
    alpha
        The accepted rate of false accusations.
    accuracy
        The suspect's, as a share (0.6), where it is known to be much less accurate than the source. Without it a
        suspect that classifies few unperturbed images rightly counts as asked in the wrong form: inconclusive.
    report
        An HTML file to write.
    exit_code
        Exit with 10 when derived, 11 when inconclusive.
    """
    from modelprint.core.redaction import shown_reference
    from modelprint.ownership.ask import cost
    from modelprint.ownership.fingerprint import Fingerprint
    from modelprint.ownership.verify import examine

    loaded = Fingerprint.load(fingerprint)
    options = suspect_options(how, api, device=compute.device)
    if dry_run:
        print_cost(cost(loaded, suspect, access=access or "labels", budget=budget, options=options), suspect, format_)
        return 0
    with progress() as bars, compute.computing():
        verification = examine(
            loaded,
            suspect,
            access=access,
            alpha=alpha,
            budget=budget,
            negatives=negatives or (),
            pool_kinds=pool_kinds,
            accuracy=accuracy,
            options=options,
            notice=say,
            progress=bars,
            slice_plane=report is not None,
        )
    if format_ == "json":
        out.print(verification.verdict.to_json(), markup=False)
        say(verification.verdict.message)
    else:
        print_verdict(verification.verdict, shown_reference(suspect))
    if report is not None:
        from modelprint.report import Case, write_report

        case = Case(
            name=shown_reference(suspect),
            role="suspect",
            verdict=verification.verdict,
            answers=verification.answers,
            plane_labels=verification.plane_labels,
            cap=verification.cap,
        )
        write_report(
            report,
            verification.fingerprint,
            [case],
            calibration_scores=verification.calibration_scores,
            negatives=negatives,
        )
        say(f"report: {report}")
    return EXIT_CODES[verification.verdict.verdict] if exit_code else 0


def record(
    fingerprint: Path,
    suspect: str,
    *,
    out_: Annotated[Path, Parameter(name="--out")],
    access: Literal["labels", "scores"] = "labels",
    budget: int | None = None,
    dry_run: DryRun = False,
    how: ModelFlags = ModelFlags(),  # noqa: B008 - frozen
    api: ApiOptions = ApiOptions(),  # noqa: B008 - frozen
    compute: ComputeOptions = ComputeOptions(),  # noqa: B008 - frozen
) -> None:
    """Ask a suspect every query now, and keep its answers to judge later.

    Parameters
    ----------
    out_
        answers.jsonl or answers.npz.
    budget
        The most queries to ask; 200 of an address, else all, unless given. `verify` judges by as many.
    """
    from modelprint.ownership.ask import cost, record_answers
    from modelprint.ownership.fingerprint import Fingerprint

    loaded = Fingerprint.load(fingerprint)
    options = suspect_options(how, api, device=compute.device)
    if dry_run:
        print_cost(cost(loaded, suspect, access=access, budget=budget, options=options), suspect, "table")
        return
    with progress() as bars, compute.computing():
        count = record_answers(
            loaded,
            suspect,
            out=out_,
            access=access,
            budget=budget,
            options=options,
            notice=say,
            progress=bars,
        )
    out.print(f"{out_}: {count} answers ({access})", markup=False)


def _interval(manifest: Manifest) -> str:
    """The 95 % interval of the source's accuracy, where it is known of how many inputs."""
    from modelprint.stats.intervals import clopper_pearson

    if manifest.seeds is None:
        return ""
    interval = clopper_pearson(round(manifest.source_accuracy * manifest.seeds), manifest.seeds)
    return f" (95 % interval {interval.low:.4f} to {interval.high:.4f}, n = {manifest.seeds})"


def _calibration(fingerprint: Fingerprint) -> str:
    """How many calibration models there are; where near-equal ones were joined, in how many families."""
    models = fingerprint.manifest.calibration
    if all(model.joined is None for model in models):
        return f"{len(models)}"
    families = len(set(fingerprint.families))
    return f"{families} {'family' if families == 1 else 'families'} of {len(models)}"
