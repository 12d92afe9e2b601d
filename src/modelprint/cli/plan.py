"""The command that says how many calibration models and queries are needed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from rich.table import Table

from modelprint.cli.console import out, print_record, print_table
from modelprint.cli.options import Format
from modelprint.core.errors import UsageError

if TYPE_CHECKING:
    from modelprint.ownership.planning import CalibrationPlan
    from modelprint.stats.planning import Effect

_EFFECT = Parameter(group=Group("Effect", help="How far copies lie above independent models: one of these three."))


def plan(
    *verdicts: Annotated[Path, _EFFECT],
    alpha: float = 0.05,
    power: float = 0.9,
    kinds: int = 1,
    owners: int = 1,
    separation: Annotated[float | None, _EFFECT] = None,
    auc: Annotated[float | None, _EFFECT] = None,
    spread: Annotated[float, _EFFECT] = 1.0,
    copies_agree: Annotated[float | None, _EFFECT] = None,
    independent_agree: Annotated[float | None, _EFFECT] = None,
    correlation: Annotated[float, _EFFECT] = 0.0,
    queries: int | None = None,
    suspects: int = 1,
    price: float | None = None,
    format_: Annotated[Format, Parameter(name="--format")] = "table",
) -> None:
    """Say how many calibration models, and queries, an error rate and a power need; nothing is asked or trained.

    Parameters
    ----------
    verdicts
        What verify --format json printed of copies that you made: their ranks are the effect.
    alpha
        The accepted rate of false accusations.
    power
        The share of copies that are to be called derived.
    kinds
        Kinds of calibration model that the verdict rests on: from scratch, siblings, copies of other models.
    owners
        Owners who are compared with one suspect; alpha is shared among them.
    separation
        The distance of copies from independent models, in standard deviations of these.
    auc
        The same, as an AUC: 0.99.
    spread
        The standard deviation of copies, in those of independent models; with --separation or --auc.
    copies_agree
        How often a copy answers as the source does (0.8), with --independent-agree. Without --queries the plan
        says how many are needed.
    independent_agree
        How often an independent model does.
    correlation
        How much the answers of one model go together, 0 to 1: 0 where all models of a kind agree equally often.
    queries
        To each suspect.
    suspects
        That are to be asked.
    price
        Of one query.
    """
    from modelprint.ownership.planning import plan as make

    effect, asked = _effect(
        verdicts,
        alpha=alpha,
        power=power,
        kinds=kinds,
        owners=owners,
        separation=separation,
        auc=auc,
        spread=spread,
        copies_agree=copies_agree,
        independent_agree=independent_agree,
        correlation=correlation,
        queries=queries,
    )
    planned = make(
        effect,
        alpha=alpha,
        power=power,
        kinds=kinds,
        owners=owners,
        queries=asked,
        suspects=suspects,
        price=price,
    )
    if format_ == "json":
        print_record(planned)
    else:
        _print(planned)


def _effect(
    verdicts: tuple[Path, ...],
    *,
    alpha: float,
    power: float,
    kinds: int,
    owners: int,
    separation: float | None,
    auc: float | None,
    spread: float,
    copies_agree: float | None,
    independent_agree: float | None,
    correlation: float,
    queries: int | None,
) -> tuple[Effect | None, int | None]:
    """What was stated, and how many queries."""
    from modelprint.ownership.planning import fewest_queries, measured_by
    from modelprint.stats.planning import Agreement, Separation

    rates = copies_agree is not None or independent_agree is not None
    stated = [bool(verdicts), separation is not None, auc is not None, rates]
    if sum(stated) > 1:
        raise UsageError("name one effect: verdicts, --separation, --auc, or --copies-agree with --independent-agree")
    if verdicts:
        measured, asked = measured_by(verdicts)
        return measured, queries or asked or None
    try:
        if separation is not None:
            return Separation(distance=separation, spread=spread), queries
        if auc is not None:
            return Separation.of_auc(auc, spread=spread), queries
        if not rates:
            return None, queries
        if copies_agree is None or independent_agree is None:
            raise UsageError("--copies-agree and --independent-agree go together: give both")
        if queries is not None:
            one = Agreement(
                derived=copies_agree, independent=independent_agree, queries=queries, correlation=correlation
            )
            return one, queries
    except ValueError as error:
        raise UsageError(str(error)) from error
    one = fewest_queries(
        copies_agree,
        independent_agree,
        correlation=correlation,
        alpha=alpha,
        power=power,
        kinds=kinds,
        owners=owners,
    )
    return one, one.queries


def _print(planned: CalibrationPlan) -> None:
    out.print(planned.message, markup=False)
    table = Table(box=None)
    for title in ("models of each kind", "rank", "false positive rate", "at most (95 %)", "power"):
        table.add_column(title)
    for one in planned.rows:
        power = "-" if one.power is None else f"{one.power:.3f}"
        table.add_row(
            str(one.models), str(one.rank), f"{one.false_positive_rate:.4f}", f"{one.rate_upper_95:.4f}", power
        )
    print_table(table)
    if planned.queries is not None:
        to_each = f" to each of {planned.suspects} suspects" if planned.suspects > 1 else ""
        cost = "" if planned.cost is None else f", {planned.cost:,.2f} at the price of a query"
        out.print(f"{planned.queries} queries{to_each}{cost}", markup=False)
