"""A plan: how many calibration models, and queries, a false positive rate and a power need.

The formulas are those of `stats.planning`. What is planned for is a rule: "derived" where the suspect's rank is at
most alpha in every kind of calibration model, over so many owners. Nothing is asked and nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from modelprint.core.errors import UsageError, first_line
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.core.verdict import KindRate, Verdict
from modelprint.stats.calibration import needed_models
from modelprint.stats.planning import (
    QUERIES,
    Agreement,
    Counts,
    Effect,
    Measured,
    Row,
    Separation,
    candidate_models,
    least_models,
    row,
)

SHOWN_RANKS = (1, 2, 3, 5, 10)  # of the rows that a plan shows


class PlannedRow(Record):
    """One number of calibration models, and what it gives.

    Attributes:
        models: calibration models (families) of each kind.
        rank: a suspect must be among so many of the highest of each kind to be called derived.
        false_positive_rate: rank / (models + 1): of independent models of a kind, on average over calibration models.
        rate_upper_95: what that rate is at most for the calibration models that are drawn, in 95 of 100 draws.
        power: the share of derived models that are called derived; null where no effect was stated.
    """

    models: int = Field(ge=0)
    rank: int = Field(ge=0)
    false_positive_rate: float = Field(ge=0, le=1)
    rate_upper_95: float = Field(ge=0, le=1)
    power: float | None = Field(ge=0, le=1)


class PlannedEffect(Record):
    """How far derived models are taken to lie above independent ones.

    Attributes:
        how: "none": nothing was stated. "separation": normal scores. "agreement": counts of equal answers. "verdicts":
            the ranks of copies in the verdicts that were named.
        separation, spread: distance of the means, and standard deviation of derived models, in standard deviations of
            independent ones; null unless that is how.
        derived, independent: rates of agreement; null unless that is how.
        correlation: of two answers of one model; null likewise.
        copies: how many verdicts were read; null likewise.
    """

    how: Literal["none", "separation", "agreement", "verdicts"]
    separation: float | None = None
    spread: float | None = None
    derived: float | None = None
    independent: float | None = None
    correlation: float | None = None
    copies: int | None = None


class CalibrationPlan(Record):
    """What `plan` prints.

    Attributes:
        alpha: the accepted rate of false positives, over all owners; `alpha_each`: of one owner (Holm's first step).
        power: that is wanted.
        kinds: of calibration model that a verdict rests on.
        least_models: fewer of a kind than this, and no suspect can be called derived.
        models: of each kind, the fewest with the power; null where no number up to the plan's limit has it, or no
            effect was stated. `total_models`: of all kinds.
        power_limit: the power with calibration models without end; null where no effect was stated.
        rows: numbers of models, and what each gives.
        queries: to each suspect; null where the plan does not depend on them and none were stated.
        suspects: that are to be asked.
        cost: queries x suspects x price; null without a price or queries.
        message: the plan in a sentence.
    """

    schema_version: Literal[1] = Field(default=1, serialization_alias="schema", validation_alias="schema")
    alpha: float = Field(gt=0, lt=1)
    owners: int = Field(ge=1)
    alpha_each: float = Field(gt=0, lt=1)
    power: float = Field(gt=0, lt=1)
    kinds: int = Field(ge=1)
    effect: PlannedEffect
    least_models: int = Field(ge=1)
    models: int | None
    total_models: int | None
    power_limit: float | None = Field(ge=0, le=1)
    rows: tuple[PlannedRow, ...]
    queries: int | None = Field(ge=1)
    suspects: int = Field(ge=1)
    cost: float | None = Field(ge=0)
    message: str


def plan(
    effect: Effect | None = None,
    *,
    alpha: float = 0.05,
    power: float = 0.9,
    kinds: int = 1,
    owners: int = 1,
    queries: int | None = None,
    suspects: int = 1,
    price: float | None = None,
) -> CalibrationPlan:
    """How many calibration models of each kind an error rate and a power need.

    Args:
        effect: how far derived models lie above independent ones; None: the plan gives error rates alone.
        kinds: of calibration model; of an effect by verdicts, theirs count.
        owners: whose fingerprints are compared with one suspect.
        queries: to each suspect.
        price: of one query.

    Raises:
        UsageError: a number out of range.
    """
    _check(alpha, power, kinds=kinds, owners=owners, queries=queries, suspects=suspects, price=price)
    each = alpha / owners
    if isinstance(effect, Measured):
        kinds = max(len(ranked) for ranked in effect.copies)
    models = None if effect is None else least_models(each, power, effect, kinds=kinds)
    counts = {candidate_models(each, rank) for rank in SHOWN_RANKS} | ({models} if models else set())
    rows = [row(count, each, effect, kinds=kinds) for count in sorted(counts)]
    limit = None if effect is None else effect.limit(each)
    least = needed_models(each)
    asked = effect.queries if isinstance(effect, Agreement) else queries
    return CalibrationPlan(
        alpha=alpha,
        owners=owners,
        alpha_each=each,
        power=power,
        kinds=kinds,
        effect=_described(effect),
        least_models=least,
        models=models,
        total_models=None if models is None else models * kinds,
        power_limit=limit,
        rows=tuple(_planned(one) for one in rows),
        queries=asked,
        suspects=suspects,
        cost=None if price is None or asked is None else asked * suspects * price,
        message=_message(
            effect, models, rows, alpha=alpha, owners=owners, power=power, kinds=kinds, limit=limit, least=least
        ),
    )


def fewest_queries(
    derived: float, independent: float, *, correlation: float, alpha: float, power: float, kinds: int, owners: int = 1
) -> Agreement:
    """The effect of the fewest queries that reach the power with the fewest possible calibration models.

    Where no number of queries tried does, more calibration models are taken; where that does not help either, the
    effect of the most queries is returned.

    Raises:
        UsageError: rates or a correlation out of range.
    """
    try:
        effects = [
            Agreement(derived=derived, independent=independent, queries=count, correlation=correlation)
            for count in QUERIES
        ]
    except ValueError as error:
        raise UsageError(str(error)) from error
    for rank in SHOWN_RANKS:
        models = candidate_models(alpha / owners, rank)
        for effect in effects:
            if row(models, alpha / owners, effect, kinds=kinds).power >= power:  # type: ignore[operator]
                return effect
    return effects[-1]


def measured_by(paths: Sequence[Path]) -> tuple[Measured, int]:
    """What verdicts on copies counted, and the most queries that one of them took.

    Args:
        paths: what `verify --format json` printed of copies that the owner made, each ranked by one fingerprint.

    Raises:
        UsageError: a file is no verdict, or ranked nothing.
    """
    copies, queries = [], 0
    for path in paths:
        try:
            verdict = Verdict.model_validate_json(read_regular(path))
        except (OSError, ValidationError) as error:
            raise UsageError(
                f"{path} is no verdict ({first_line(error)}): name what verify --format json printed"
            ) from error
        if verdict.pooled:
            raise UsageError(f"{path} pooled kinds, which tells nothing of each: verify again without --pool-kinds")
        ranked = [one for one in verdict.kinds or () if one.p_value is not None and one.n]
        resting = [one for one in ranked if one.covered] or ranked
        if not resting:
            raise UsageError(f"{path} ranked its suspect among no calibration models: verify a copy that is scored")
        copies.append([_counted(one) for one in resting])
        queries = max(queries, verdict.queries)
    if len({len(ranked) for ranked in copies}) > 1:
        raise UsageError("the verdicts rest on different kinds of calibration model: name those of one fingerprint")
    return Measured(copies=copies), queries


def _counted(one: KindRate) -> Counts:
    """The rank's p-value is (1 + above) / (n + 1)."""
    assert one.p_value is not None
    return Counts(above=min(one.n, max(0, round(one.p_value * (one.n + 1)) - 1)), of=one.n)


def _check(
    alpha: float,
    power: float,
    *,
    kinds: int,
    owners: int,
    queries: int | None,
    suspects: int,
    price: float | None,
) -> None:
    for name, share in (("--alpha", alpha), ("--power", power)):
        if not 0 < share < 1:
            raise UsageError(f"{name} must lie between 0 and 1, got {share}")
    for name, count in (("--kinds", kinds), ("--owners", owners), ("--queries", queries), ("--suspects", suspects)):
        if count is not None and count < 1:
            raise UsageError(f"{name} must be 1 or more, got {count}")
    if price is not None and not price >= 0:
        raise UsageError(f"--price must be at least 0, got {price}")
    if alpha / owners < 1e-5:
        raise UsageError(f"--alpha {alpha} over {owners} owners needs more than 100,000 models of each kind: raise it")


def _described(effect: Effect | None) -> PlannedEffect:
    if isinstance(effect, Separation):
        return PlannedEffect(how="separation", separation=effect.distance, spread=effect.spread)
    if isinstance(effect, Agreement):
        return PlannedEffect(
            how="agreement",
            derived=effect.derived,
            independent=effect.independent,
            correlation=effect.correlation,
        )
    if isinstance(effect, Measured):
        return PlannedEffect(how="verdicts", copies=len(effect.copies))
    return PlannedEffect(how="none")


def _planned(one: Row) -> PlannedRow:
    return PlannedRow(
        models=one.models,
        rank=one.rank,
        false_positive_rate=one.rate,
        rate_upper_95=one.rate_upper,
        power=one.power,
    )


def _message(
    effect: Effect | None,
    models: int | None,
    rows: Sequence[Row],
    *,
    alpha: float,
    owners: int,
    power: float,
    kinds: int,
    limit: float | None,
    least: int,
) -> str:
    over = f" over {owners} owners" if owners > 1 else ""
    needed = f"an error rate of {alpha:g}{over} needs {least} calibration models of each kind or more"
    if effect is None:
        return f"{needed}; state how far copies lie above independent models to plan for a power"
    if models is None:
        best = max(one.power or 0.0 for one in rows)
        message = f"{needed}, but no number of them has a power of {power:g}: {best:.3g} is the most in this table"
        if isinstance(effect, Measured):
            return f"{message}; the verdicts count {effect.least} models of a kind, and tell little of more"
        return f"{message}, {limit:.3g} that of models without end: raise --alpha, ask more queries"
    total = f", {models * kinds} in all" if kinds > 1 else ""
    reached = next(one.power or 0.0 for one in rows if one.models == models)
    cautious = (
        f"; the verdicts count {effect.least} models of a kind, beyond that the power is a lower bound"
        if isinstance(effect, Measured) and models > effect.least
        else ""
    )
    return f"{needed}; {models} of each kind{total} have a power of {reached:.3g}{cautious}"
