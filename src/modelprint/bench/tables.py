"""Results as tables of text: a leaderboard, families of attacks, and ADV-TRA's Tables 1 to 4 with ours beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from modelprint.bench.evasion_tables import evasion_tables
from modelprint.bench.kind_tables import by_kind, stories
from modelprint.bench.published import DATA_SETS, EXTRACTION, SUSPECTS, published_schemes
from modelprint.bench.text_table import TextTable, with_interval
from modelprint.results.records import Figure, JudgedModel, Results, Run
from modelprint.results.view import ENOUGH_INDEPENDENTS, NOT_MEASURED, View, rate
from modelprint.schemes.published import DataSet

_LEADING: tuple[Figure, ...] = ("auc", "tpr_at_1", "tpr_at_10", "tpr_verdict", "fpr_verdict")


def tables_of(results: Results) -> list[TextTable]:
    """All tables of a benchmark, in the order in which they are read; published ones where ours is beside them."""
    plain = View(results=results.plain)
    published = (detection, overall, extraction, times)
    compared = any(plain.largest(scheme) is not None for scheme in published_schemes())
    tables = [
        leaderboard(plain),
        families(plain),
        by_kind(plain),
        *([stories(plain)] if any(run.relations for run in plain.results.runs) else []),
        *(table(plain) for table in published if compared),
    ]
    return [*tables, *evasion_tables(results)] if results.evasions else tables


def leaderboard(view: View) -> TextTable:
    """Every scheme, access level and budget: the mean over sources and seeds, against all copies worth having."""
    lines: list[tuple[str, ...]] = []
    for setting in view.settings_by_auc:
        rows = view.rows(setting)
        lines.append(
            (
                setting.scheme,
                setting.access,
                str(setting.budget),
                f"{fmean(row.queries for row in rows):.0f}",
                *(with_interval(view.measured(setting, figure)) for figure in _LEADING),
                f"{rows[0].n_derived} / {rows[0].n_independent}",
            )
        )
    fewest = min((row.n_independent for row in view.results.rows), default=0)
    few = fewest < ENOUGH_INDEPENDENTS
    ties = f"; independent models are few ({fewest}): T1%F is the share found at no false positive" if few else ""
    return TextTable(
        title=f"{view.results.name}: every copy that keeps its worth, against all independent models",
        columns=("scheme", "access", "budget", "queries", "AUC", "T1%F", "T10%F", "TPR verdict", "FPR verdict", "n"),
        rows=tuple(lines),
        note=f"means over sources and seeds, 95 % intervals by bootstrap over sources and models; n derived / "
        f"independent; verdict at alpha = {view.results.alpha:g}{ties}",
    )


def families(view: View) -> TextTable:
    """TPR at 1 % FPR of each scheme, family by family, at the largest budget."""
    settings = [one for one in view.settings_by_auc if one.budget == view.largest_budget[one.scheme]]
    rows = view.results.rows
    names = dict.fromkeys(row.attack for row in rows if row.attack in (row.family, "worthless"))
    lines = []
    for name in names:
        cells = [with_interval(view.measured(setting, "tpr_at_1", name)) for setting in settings]
        lines.append((name, str(max(row.n_derived for row in rows if row.attack == name)), *cells))
    return TextTable(
        title="TPR at 1 % FPR, by family of attacks",
        columns=("family", "n", *(f"{one.scheme}, {one.access}" for one in settings)),
        rows=tuple(lines),
        note="at the largest budget; `all` leaves out worthless copies and those with other classes",
    )


def detection(view: View) -> TextTable:
    """Table 1: detection rates on CIFAR-10 as published, and ours on this benchmark's data."""
    methods = {scheme: figures for scheme, figures in published_schemes().items() if figures.detection}
    moving = [scheme for scheme, figures in methods.items() if figures.mutation]
    measured = {scheme: view.largest_runs(scheme) for scheme in methods}
    swept = {scheme: view.largest_runs(scheme, swept=True) for scheme in methods}
    rows = []
    for line in SUSPECTS:
        for ours in line.ours:
            models = [model for model in view.results.suspects if _is(model, ours)]
            runs = measured
            if not models:
                models, runs = [model for model in view.results.swept if _is(model, ours)], swept
            if not models and ours != line.ours[0]:
                continue
            accuracy = f"{fmean(model.accuracy for model in models):.3f}" if models else NOT_MEASURED
            rows.append(
                (
                    line.name if ours == line.ours[0] else ours,
                    f"{line.accuracy:.3f}",
                    *(f"{methods[scheme].mutation[line.name]:.3f}" for scheme in moving),
                    *(f"{figures.detection[line.name]:.3f}" for figures in methods.values()),
                    accuracy,
                    *(_mean(_detail(runs[scheme], models, "mean_mutation_rate")) for scheme in moving),
                    *(_mean(_scores(runs[scheme], models)) for scheme in methods),
                    str(len(models)),
                )
            )
    names = [figures.name for figures in methods.values()]
    r = ["r"] * len(moving)
    return TextTable(
        title=f"Table 1: detection rate; published (CIFAR-10) | ours ({view.results.data})",
        columns=(
            "suspect",
            "Acc",
            *r,
            *names,
            "our Acc",
            *(f"our {one}" for one in r),
            *(f"our {name}" for name in names),
            "n",
        ),
        rows=tuple(rows),
        note="ours: the mean score over sources, seeds and n models at the largest budget, labels only (ADV-TRA: the "
        "detection rate; IPGuard and CAE: the matching rate; UAP: the similarity)",
    )


def overall(view: View) -> TextTable:
    """Table 2: T1%F / T10%F / AUC."""
    own = view.results.data.partition(":")[0]
    extra = () if own in DATA_SETS.values() else (f"{own}, ours",)
    columns = [text for name in DATA_SETS for text in (name, f"{name}, ours")]
    rows = []
    for scheme, figures in published_schemes().items():
        ours = _three(view, scheme)
        cells: list[str] = [figures.name]
        for name, key in DATA_SETS.items():
            three = figures.overall[name]
            cells.append(f"{three.tpr_at_1:.2f} / {three.tpr_at_10:.2f} / {three.auc:.2f}")
            cells.append(ours if key == own else NOT_MEASURED)
        rows.append((*cells, *([ours] if extra else [])))
    return TextTable(
        title="Table 2: T1%F / T10%F / AUC",
        columns=("method", *columns, *extra),
        rows=tuple(rows),
        note="ours: labels only, largest budget, means over sources and seeds",
    )


def extraction(view: View) -> TextTable:
    """Table 3: F1 on extracted copies; ours with as many independent models as copies, as in the paper."""
    own = view.results.data.partition(":")[0]
    data_sets: tuple[DataSet, ...] = ("CIFAR-100", "ImageNet")
    rows = []
    for attack, ours in EXTRACTION.items():
        for scheme, figures in published_schemes().items():
            if attack not in figures.f1:
                continue
            cells = [attack, figures.name]
            for name in data_sets:
                cells += [f"{figures.f1[attack][name]:.2f}", NOT_MEASURED]
            rows.append((*cells, _balanced_f1(view, scheme, ours)))
    return TextTable(
        title="Table 3: F1 on extracted copies",
        columns=("attack", "method", "CIFAR-100", "ours", "ImageNet", "ours", f"{own}, ours"),
        rows=tuple(rows),
        note="ours: of the verdict, F1 = 2 TPR / (1 + TPR + FPR), as if innocents were as many as copies; PRADA's "
        "attack is JBDA, HL is the data-free one with hard labels and a small budget",
    )


def times(view: View) -> TextTable:
    """Table 4: time."""
    timed = {scheme: figures.seconds for scheme, figures in published_schemes().items() if figures.seconds}
    runs = [run for scheme in timed for run in view.largest_runs(scheme)]
    craft = [run.craft_seconds * 400 / run.queries for run in runs if run.queries]
    asked = [run.ask_seconds / len(run.scores) for run in runs if run.scores]
    source = view.results.provenance.get("source_seconds")
    ours = {
        "training the source": f"{source:.1f} s" if isinstance(source, int | float) else NOT_MEASURED,
        "400 adversarial points (PGD)": NOT_MEASURED,
        "10 trajectories of 40 points": f"{fmean(craft):.2f} s" if craft else NOT_MEASURED,
    }
    rows = [(what, f"{seconds:.0f} s", ours[what]) for by_what in timed.values() for what, seconds in by_what.items()]
    rows.append(("asking and scoring one suspect", "not published", f"{fmean(asked):.2f} s" if asked else NOT_MEASURED))
    return TextTable(
        title=f"Table 4: time; published (CIFAR-10, two RTX 4090) | ours ({view.results.data}, one CPU thread)",
        columns=("what", "published", "ours"),
        rows=tuple(rows),
        note="ours: processor seconds, crafting scaled to 400 points; other models and data than the paper's, so the "
        "ratio says little: docs/results.md times both codes on one machine",
    )


def _is(model: JudgedModel, name: str) -> bool:
    return model.attack == name if model.role == "derived" else model.kind == name and not model.third_party


def _scores(runs: Iterable[Run], models: Sequence[JudgedModel]) -> list[float]:
    return _gathered(runs, models, rate)


def _detail(runs: Iterable[Run], models: Sequence[JudgedModel], what: str) -> list[float]:
    return _gathered(runs, models, lambda run, name: run.details.get(name, {}).get(what))


def _gathered(
    runs: Iterable[Run], models: Sequence[JudgedModel], value: Callable[[Run, str], float | None]
) -> list[float]:
    return [figure for run in runs for model in models if (figure := value(run, model.id)) is not None]


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" if values else NOT_MEASURED


def _three(view: View, scheme: str) -> str:
    setting = view.largest(scheme)
    if setting is None:
        return NOT_MEASURED
    three: tuple[Figure, ...] = ("tpr_at_1", "tpr_at_10", "auc")
    figures = [measured.mean for figure in three if (measured := view.measured(setting, figure)) is not None]
    return " / ".join(f"{figure:.2f}" for figure in figures) if figures else NOT_MEASURED


def _balanced_f1(view: View, scheme: str, attack: str) -> str:
    setting = view.largest(scheme)
    if setting is None:
        return NOT_MEASURED
    rows = view.rows(setting, attack)
    scored = [row for row in rows if row.tpr_verdict is not None and row.fpr_verdict is not None]
    if not scored:
        return NOT_MEASURED
    values = [
        2 * row.tpr_verdict / (1 + row.tpr_verdict + row.fpr_verdict)
        for row in scored
        if row.tpr_verdict is not None and row.fpr_verdict is not None
    ]
    return f"{fmean(values):.2f} (n = {scored[0].n_derived})"
