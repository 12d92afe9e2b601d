"""Tables of docs/reach.md: what contrast was to reach, line by line, and how far it got on each zoo.

Aims are those of the first page of docs/reach.md; a line is met if the measured value is, whatever its interval says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median

from benchmarks.common import RESULTS
from modelprint.bench.files import find_results
from modelprint.bench.rows import rows_of
from modelprint.results.records import ALL, Figure, Results, Row
from modelprint.results.studies import EarlyStudy
from modelprint.stats.intervals import clopper_pearson
from research.tables.field_tables import met

ZOOS = ("fashion", "cifar10-small")
SCHEME = "contrast"
POOLED = "contrast, all pools"
PLAIN = ("fine-tuning", "pruning", "quantisation", "noise", "permutation")  # copies made from the weights, not hardened
EVADED = ("jpeg", "resize", "blur", "bit-depth", "flip", "noise", "label-noise", "ensemble")
KINDS = ("SAST", "SADT", "DAST", "DADT", "SHARED")


def reached() -> str:
    """One line for each aim, one column for each zoo."""
    by_zoo = {zoo: list(_lines(zoo)) for zoo in ZOOS}
    order = max(by_zoo.values(), key=len)
    lines = [["aim", *ZOOS], ["---"] * (1 + len(ZOOS))]
    for aim, _ in order:
        lines.append([aim, *(dict(by_zoo[zoo]).get(aim, "not measured") for zoo in ZOOS)])
    return _markdown(lines)


def by_family() -> str:
    """AUC and T1%F of every family with 200 queries, against all independent models."""
    tables = {zoo: _families(_rows(zoo)) for zoo in ZOOS}
    families = sorted({family for rows in tables.values() for family in rows})
    lines = [["family", *(f"{zoo}: {what}" for zoo in ZOOS for what in ("copies", "AUC", "T1%F"))]]
    lines.append(["---"] * len(lines[0]))
    for family in families:
        cells = []
        for rows in tables.values():
            row = rows.get(family)
            if row is None:
                cells += ["-"] * 3
            else:
                cells += [str(row.n_derived), _value(row, "auc", digits=3), _value(row, "tpr_at_1")]
        lines.append([family, *cells])
    return _markdown(lines)


def _lines(zoo: str) -> Iterable[tuple[str, str]]:
    yield from _separation(zoo)
    yield from _unseen(zoo)
    yield from _evaded(zoo)
    yield from _early(zoo)


def _separation(zoo: str) -> Iterable[tuple[str, str]]:
    rows = _rows(zoo)
    if not rows:
        return
    yield "AUC 1.000, 200 queries, all independent models", _judged(_all(rows), "auc", 1.0, digits=3)
    without_copies = _all(_rows(zoo, kept=_no_copy))
    yield "- without third-party copies", _judged(without_copies, "auc", 1.0, digits=3)
    alone = _all(_rows(zoo, kept=lambda kind: _no_copy(kind) and kind != "SHARED"))
    yield "- without third-party copies and siblings", _judged(alone, "auc", 1.0, digits=3)
    if pooled := _rows(zoo, scheme=POOLED):
        yield "- queries from all four pools, all independent models", _judged(_all(pooled), "auc", 1.0, digits=3)
    worst = min(_families(rows).values(), key=lambda row: row.auc or 0.0)
    yield "AUC 1.000 in every family: the worst", f"{worst.family}, {_judged(worst, 'auc', 1.0, digits=3)}"
    for budget, aim in ((200, 1.0), (50, 0.95)):
        condition = f"T1%F {'1.00' if aim == 1 else '>= .95'}, {budget} queries"
        yield f"{condition}, all independent models", _judged(_all(_rows(zoo, budget)), "tpr_at_1", aim)
        yield (
            f"{condition}, without third-party copies",
            _judged(_all(_rows(zoo, budget, kept=_no_copy)), "tpr_at_1", aim),
        )
        if pooled := _rows(zoo, budget, scheme=POOLED):
            yield (
                f"- {budget} queries from all four pools, all independent models",
                _judged(_all(pooled), "tpr_at_1", aim),
            )
            without_copies = _all(_rows(zoo, budget, kept=_no_copy, scheme=POOLED))
            yield (
                f"- {budget} queries from all four pools, without third-party copies",
                _judged(without_copies, "tpr_at_1", aim),
            )


def _unseen(zoo: str) -> Iterable[tuple[str, str]]:
    results = _results(f"{zoo}-contrast")
    if results is None:
        return
    for variant in dict.fromkeys(row.scheme for row in results.rows):
        if not variant.endswith(" unseen"):
            continue
        rows = [row for row in results.rows if row.scheme == variant]
        yield f"T1%F 1.00, {variant}", _judged(_all(rows), "tpr_at_1", 1.0)
        family = variant.removesuffix(" unseen")
        if (row := _families(rows).get(family)) is not None:
            yield f"- {family} alone, AUC 1.000", f"{_judged(row, 'auc', 1.0)}, n = {row.n_derived}"


def _evaded(zoo: str) -> Iterable[tuple[str, str]]:
    results = _results(f"{zoo}-evasion")
    if results is None:
        return
    for evasion in EVADED:
        rows = [row for row in results.rows if row.scheme == SCHEME and row.evasion == evasion]
        if rows:
            yield f"T1%F 1.00 behind {evasion}, 200 queries", _judged(_all(rows), "tpr_at_1", 1.0)


def _early(zoo: str) -> Iterable[tuple[str, str]]:
    path = RESULTS / f"contrast_early_{zoo}.json"
    if not path.exists():
        return
    study = EarlyStudy.model_validate_json(path.read_bytes())
    largest = [max(held.at_most.items(), key=lambda item: item[1].share - item[0]) for held in study.p_values]
    alpha, share = max(largest, key=lambda item: item[1].share - item[0])
    within = all(share.low <= level for level, share in largest)
    models = study.p_values[0].models
    yield (
        "p-values of held-out models no smaller than uniform",
        f"at most {alpha}: {share.share:.3f} ({share.low:.3f}-{share.high:.3f}) of {models}, {met(within)}",
    )
    groups = [group for source in study.early for group in source.groups]
    for label, chosen in (
        ("all but third-party copies", [group for group in groups if not group.third_party and group.name in KINDS]),
        ("third-party copies", [group for group in groups if group.third_party]),
    ):
        n, derived = sum(group.models for group in chosen), sum(group.derived for group in chosen)
        if n:
            ends = clopper_pearson(derived, n)
            yield (
                f"FPR under early stopping <= .05: {label}",
                f"{derived} of {n} ({ends.low:.3f}-{ends.high:.3f}), {met(derived <= 0.05 * n)}",
            )
    changed = sum(source.verdicts_changed_by_stopping for source in study.early)
    yield (
        "no verdict changed by stopping",
        f"{changed} of {sum(group.models for group in groups)}, {met(changed == 0)}",
    )
    plain = [
        [group for group in source.groups if not group.third_party and group.name in PLAIN] for source in study.early
    ]
    asked = [
        sum(group.queries_mean * group.models for group in copies) / sum(group.models for group in copies)
        for copies in plain
    ]
    factors = [200 / queries for queries in asked]
    yield (
        "200 over the mean queries of plain copies, >= 5",
        f"{median(factors):.1f} ({min(factors):.1f}-{max(factors):.1f} over sources), {met(median(factors) >= 5)}",
    )


def _results(name: str) -> Results | None:
    path = RESULTS / f"{name}.json"
    return find_results(str(path)) if path.exists() else None


def _rows(zoo: str, budget: int = 200, kept: Callable[[str], bool] | None = None, scheme: str = SCHEME) -> list[Row]:
    """Contrast's rows, against the independent models whose kind (or "copy", of another source) is kept."""
    results = _results(zoo)
    if results is None:
        return []
    if kept is None:
        return [row for row in results.rows if (row.scheme, row.budget, row.access) == (scheme, budget, "labels")]
    known = {model.id: model for model in results.suspects}

    def stays(name: str) -> bool:
        model = known[name]
        copy = model.kind is None or model.third_party
        return model.role == "derived" or kept("copy" if copy else str(model.kind))

    runs = [
        run.model_copy(update={"scores": {name: score for name, score in run.scores.items() if stays(name)}})
        for run in results.runs
        if (run.scheme, run.budget, run.access) == (scheme, budget, "labels")
    ]
    return list(rows_of(results.suspects, runs))


def _no_copy(kind: str) -> bool:
    return kind != "copy"


def _families(rows: Iterable[Row]) -> dict[str, Row]:
    """The row of each family of copies that kept their accuracy: the mean over sources; of one source, its own."""
    whole = [row for row in rows if row.attack == row.family and row.attack not in ("transfer", ALL)]
    return {row.family: row for row in sorted(whole, key=lambda row: row.source == ALL) if row.auc is not None}


def _all(rows: Iterable[Row]) -> Row:
    """The mean over sources; of one source, its own."""
    whole = [row for row in rows if row.attack == ALL]
    return next((row for row in whole if row.source == ALL), whole[-1])


def _judged(row: Row, figure: Figure, aim: float, *, digits: int = 2) -> str:
    value = getattr(row, figure)
    return f"{_value(row, figure, digits=digits)}, {met(value >= aim - 1e-9)}"


def _value(row: Row, figure: Figure, *, digits: int = 2) -> str:
    ends = row.intervals.get(figure)
    text = f"{getattr(row, figure):.{digits}f}"
    return text if ends is None else f"{text} ({ends.low:.{digits}f}-{ends.high:.{digits}f})"


def _markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
