"""Results as tables of text: a leaderboard, families of attacks, and ADV-TRA's Tables 1 to 4 with ours beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from modelprint.bench.evasion_tables import evasion_tables
from modelprint.bench.published import DATA_SETS, DETECTION, EXTRACTION, METHODS, OURS, OVERALL, SECONDS
from modelprint.bench.text_table import NOT_MEASURED, TextTable, with_interval
from modelprint.results.records import ALL, Figure, JudgedModel, Results, Row, Run

LEAST_INDEPENDENT = 100


def tables_of(results: Results) -> list[TextTable]:
    """All tables of a benchmark, in the order in which they are read."""
    plain = results.plain
    found = [
        leaderboard(plain),
        families(plain),
        detection(plain),
        overall(plain),
        extraction(plain),
        times(plain),
    ]
    return [*found, *evasion_tables(results)] if results.evasions else found


def leaderboard(results: Results) -> TextTable:
    """Every scheme, access level and budget: the mean over sources and seeds, against all copies worth having."""
    rows: list[tuple[str, ...]] = []
    for key, access in _merged(results, _settings(results), attack=ALL):
        found = _summary_rows(results, key, attack=ALL)
        rows.append(
            (
                key[0],
                access,
                str(key[2]),
                f"{fmean(row.queries for row in found):.0f}",
                *(with_interval(found, figure) for figure in _LEADING),
                f"{found[0].n_derived} / {found[0].n_independent}",
            )
        )
    fewest = min((row.n_independent for row in results.rows), default=0)
    few = f"; with {fewest} independents, T1%F is the share found at no false positive" if fewest < 100 else ""
    return TextTable(
        title=f"{results.name}: every copy that keeps its worth, against all independent models",
        columns=("scheme", "access", "budget", "queries", "AUC", "T1%F", "T10%F", "TPR verdict", "FPR verdict", "n"),
        rows=tuple(rows),
        note=f"means over sources and seeds, 95 % intervals by bootstrap over sources and models; n derived / "
        f"independent; verdict at alpha = {results.alpha:g}{few}",
    )


def families(results: Results) -> TextTable:
    """TPR at 1 % FPR of each scheme, family by family, at the largest budget."""
    largest = [key for key in _settings(results) if key[2] == _largest(results, key[0])]
    settings = _merged(results, largest, attack=ALL)
    names = _unique(row.attack for row in results.rows if row.attack in (row.family, "worthless"))
    rows = []
    for name in names:
        cells = []
        for key, _ in settings:
            found = _summary_rows(results, key, attack=name)
            cells.append(with_interval(found, "tpr_at_1") if found else NOT_MEASURED)
        some = [row for row in results.rows if row.attack == name]
        rows.append((name, str(max(row.n_derived for row in some)), *cells))
    return TextTable(
        title="TPR at 1 % FPR, by family of attacks",
        columns=("family", "n", *(f"{key[0]}, {access}" for key, access in settings)),
        rows=tuple(rows),
        note="at the largest budget; `all` leaves out worthless copies and those with other classes",
    )


def detection(results: Results) -> TextTable:
    """Table 1: detection rates on CIFAR-10 as published, and ours on this benchmark's data."""
    measured = {method: _largest_runs(results, OURS[method]) for method in METHODS}
    swept = {method: _largest_runs(results, OURS[method], swept=True) for method in METHODS}
    rows = []
    for line in DETECTION:
        for ours in line.ours:
            models = [model for model in results.suspects if _is(model, ours)]
            runs = measured
            if not models:
                models, runs = [model for model in results.swept if _is(model, ours)], swept
            if not models and ours != line.ours[0]:
                continue
            accuracy = f"{fmean(model.accuracy for model in models):.3f}" if models else NOT_MEASURED
            rows.append(
                (
                    line.suspect if ours == line.ours[0] else ours,
                    f"{line.accuracy:.3f}",
                    f"{line.mutation:.3f}",
                    *(f"{rate:.3f}" for rate in line.rates),
                    accuracy,
                    _mean(_detail(runs["ADV-TRA"], models, "mean_mutation_rate")),
                    *(_mean(_scores(runs[method], models)) for method in METHODS),
                    str(len(models)),
                )
            )
    return TextTable(
        title=f"Table 1: detection rate; published (CIFAR-10) | ours ({results.data})",
        columns=("suspect", "Acc", "r", *METHODS, "our Acc", "our r", *(f"our {method}" for method in METHODS), "n"),
        rows=tuple(rows),
        note="ours: the mean score over sources, seeds and n models at the largest budget, labels only (ADV-TRA: the "
        "detection rate; IPGuard and CAE: the matching rate; UAP: the similarity)",
    )


def overall(results: Results) -> TextTable:
    """Table 2: T1%F / T10%F / AUC."""
    own = results.data.partition(":")[0]
    extra = () if own in DATA_SETS.values() else (f"{own}, ours",)
    columns = [text for name in DATA_SETS for text in (name, f"{name}, ours")]
    rows = []
    for method, published in OVERALL.items():
        ours = _three(results, OURS[method])
        cells: list[str] = [method]
        for name, key in DATA_SETS.items():
            cells += [" / ".join(f"{figure:.2f}" for figure in published[name]), ours if key == own else NOT_MEASURED]
        rows.append((*cells, *([ours] if extra else [])))
    return TextTable(
        title="Table 2: T1%F / T10%F / AUC",
        columns=("method", *columns, *extra),
        rows=tuple(rows),
        note="ours: labels only, largest budget, means over sources and seeds",
    )


def extraction(results: Results) -> TextTable:
    """Table 3: F1 on extracted copies; ours with as many innocents as copies, as in the paper."""
    own = results.data.partition(":")[0]
    rows = []
    for attack, (ours, published) in EXTRACTION.items():
        for place, method in enumerate(METHODS):
            cells = [attack, method]
            for name in ("CIFAR-100", "ImageNet"):
                cells += [f"{published[name][place]:.2f}", NOT_MEASURED]
            rows.append((*cells, _balanced_f1(results, OURS[method], ours)))
    return TextTable(
        title="Table 3: F1 on extracted copies",
        columns=("attack", "method", "CIFAR-100", "ours", "ImageNet", "ours", f"{own}, ours"),
        rows=tuple(rows),
        note="ours: of the verdict, F1 = 2 TPR / (1 + TPR + FPR), as if innocents were as many as copies; PRADA's "
        "attack is JBDA, HL is the data-free one with hard labels and a small budget",
    )


def times(results: Results) -> TextTable:
    """Table 4: time."""
    runs = _largest_runs(results, "adv-tra")
    craft = [run.craft_seconds * 400 / run.queries for run in runs if run.queries]
    asked = [run.ask_seconds / len(run.scores) for run in runs if run.scores]
    source = results.provenance.get("source_seconds")
    ours = {
        "training the source": f"{source:.1f} s" if isinstance(source, int | float) else NOT_MEASURED,
        "400 adversarial points (PGD)": NOT_MEASURED,
        "10 trajectories of 40 points": f"{fmean(craft):.2f} s" if craft else NOT_MEASURED,
    }
    rows = [(what, f"{seconds:.0f} s", ours[what]) for what, seconds in SECONDS.items()]
    rows.append(("asking and scoring one suspect", "not published", f"{fmean(asked):.2f} s" if asked else NOT_MEASURED))
    return TextTable(
        title=f"Table 4: time; published (CIFAR-10, two RTX 4090) | ours ({results.data}, one CPU thread)",
        columns=("what", "published", "ours"),
        rows=tuple(rows),
        note="ours: processor seconds, crafting scaled to 400 points; other models and data than the paper's, so the "
        "ratio says little: docs/results.md times both codes on one machine",
    )


Setting = tuple[str, str, int]
_LEADING: tuple[Figure, ...] = ("auc", "tpr_at_1", "tpr_at_10", "tpr_verdict", "fpr_verdict")


def _settings(results: Results) -> list[Setting]:
    """(scheme, access, budget), best AUC at the largest budget first."""
    keys = _unique((row.scheme, row.access, row.budget) for row in results.rows)
    return sorted(keys, key=lambda key: (-_auc(results, key), key[0], key[1], -key[2]))


def _merged(results: Results, settings: Sequence[Setting], *, attack: str) -> list[tuple[Setting, str]]:
    """Settings with the access as text; a scheme whose scores add nothing to labels stands once, as "either"."""
    told: list[tuple[Setting, str]] = []
    for key in settings:
        other = (key[0], "scores" if key[1] == "labels" else "labels", key[2])
        figures, others = (
            [row.model_dump(exclude={"access"}) for row in _summary_rows(results, each, attack=attack)]
            for each in (key, other)
        )
        if figures != others:
            told.append((key, key[1]))
        elif key[1] == "labels":
            told.append((key, "either"))
    return told


def _auc(results: Results, key: Setting) -> float:
    found = [row.auc for row in _summary_rows(results, key, attack=ALL) if row.auc is not None]
    return fmean(found) if found else -1.0


def _summary_rows(results: Results, key: Setting, *, attack: str) -> list[Row]:
    """One row per seed: the mean over sources, or the only source."""
    found = [row for row in results.rows if (row.scheme, row.access, row.budget) == key and row.attack == attack]
    means = [row for row in found if row.source == ALL]
    return means or found


def _largest(results: Results, scheme: str) -> int:
    return max(row.budget for row in results.rows if row.scheme == scheme)


def _largest_runs(results: Results, scheme: str, *, swept: bool = False) -> list[Run]:
    runs = [run for run in (results.swept_runs if swept else results.runs) if run.scheme == scheme]
    most = max((run.budget for run in runs), default=0)
    return [run for run in runs if run.budget == most and run.access == "labels"]


def _is(model: JudgedModel, name: str) -> bool:
    return model.attack == name if model.role == "derived" else model.kind == name and ":" not in model.id


def _scores(runs: Iterable[Run], models: Sequence[JudgedModel]) -> list[float]:
    return _gathered(runs, models, _rate)


def _rate(run: Run, name: str) -> float | None:
    """A suspect's score; for adv-tra the share of trajectories that match, without what breaks ties."""
    told = run.details.get(name, {})
    return told["matched"] / told["trajectories"] if "matched" in told else run.scores.get(name)


def _detail(runs: Iterable[Run], models: Sequence[JudgedModel], what: str) -> list[float]:
    return _gathered(runs, models, lambda run, name: run.details.get(name, {}).get(what))


def _gathered(
    runs: Iterable[Run], models: Sequence[JudgedModel], value: Callable[[Run, str], float | None]
) -> list[float]:
    return [found for run in runs for model in models if (found := value(run, model.id)) is not None]


def _mean(values: Sequence[float]) -> str:
    return f"{fmean(values):.3f}" if values else NOT_MEASURED


def _three(results: Results, scheme: str) -> str:
    if not any(row.scheme == scheme for row in results.rows):
        return NOT_MEASURED
    found = _summary_rows(results, (scheme, "labels", _largest(results, scheme)), attack=ALL)
    figures = [
        fmean(value for row in found if (value := getattr(row, figure)) is not None)
        for figure in ("tpr_at_1", "tpr_at_10", "auc")
        if any(getattr(row, figure) is not None for row in found)
    ]
    return " / ".join(f"{figure:.2f}" for figure in figures) if figures else NOT_MEASURED


def _balanced_f1(results: Results, scheme: str, attack: str) -> str:
    if not any(row.scheme == scheme for row in results.rows):
        return NOT_MEASURED
    found = _summary_rows(results, (scheme, "labels", _largest(results, scheme)), attack=attack)
    scored = [row for row in found if row.tpr_verdict is not None and row.fpr_verdict is not None]
    if not scored:
        return NOT_MEASURED
    values = [
        2 * row.tpr_verdict / (1 + row.tpr_verdict + row.fpr_verdict)
        for row in scored
        if row.tpr_verdict is not None and row.fpr_verdict is not None
    ]
    return f"{fmean(values):.2f} (n = {scored[0].n_derived})"


def _unique(values: Iterable) -> list:  # type: ignore[type-arg]
    return list(dict.fromkeys(values))
