"""Who is who, source by source: selection, calibration, independents and copies, split by family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from modelprint.bench.answers.table import AnswerTable
from modelprint.core.errors import DataError
from modelprint.core.identity import derived_seed

LEAST_FAMILIES = 4  # the source's own, and one for each part


@dataclass(frozen=True, kw_only=True)
class Split:
    """The places of all models, from one source's side. No family is in two parts.

    Attributes:
        source: the enrolled model.
        copies: made from it, to be found; other members of its family are left out.
        selection: on which queries are chosen and weighed.
        calibration: which set the threshold of the verdict.
        independent: not made from the source.
    """

    source: int
    copies: Int[np.ndarray, " c"]
    selection: Int[np.ndarray, " s"]
    calibration: Int[np.ndarray, " k"]
    independent: Int[np.ndarray, " i"]


def split(table: AnswerTable, source: int, *, seed: int) -> Split:
    """Half of the other families, drawn by the seed, for selection and calibration; the other half are independents.

    An odd family out goes to the drawn half, and there to selection.
    """
    others = [family for family in table.families if family != table.family_of[source]]
    generator = np.random.default_rng(derived_seed("answers", "split", seed, table.ids[source]))
    drawn = [others[place] for place in generator.permutation(len(others))]
    half = (len(others) + 1) // 2
    quarter = (half + 1) // 2
    return Split(
        source=source,
        copies=table.copies(source),
        selection=_members(table, drawn[:quarter]),
        calibration=_members(table, drawn[quarter:half]),
        independent=_members(table, drawn[half:]),
    )


def check_judgeable(table: AnswerTable, *, budget: int) -> None:
    """Refuse a table on which nobody can be judged.

    Raises:
        DataError: too few families, none with a copy in it, or fewer images than the budget.
    """
    if len(table.families) < LEAST_FAMILIES:
        raise DataError(
            f"{len(table.families)} families, but {LEAST_FAMILIES} are needed: the source's own, and one or more each "
            "to choose queries on, to calibrate on, and to stand as independents"
        )
    if not table.sources:
        raise DataError(
            f"none of the {len(table.ids)} models of {len(table.families)} families was made from another: there is no "
            "copy to be found. Name another table beside it that has copies, or say the id of the model that each one "
            "came from"
        )
    if not 1 <= budget <= table.images:
        raise DataError(f"a budget of {budget} queries, but the table has {table.images} images: ask 1 to that many")


def _members(table: AnswerTable, families: list[int]) -> Int[np.ndarray, " k"]:
    return np.sort(np.concatenate([table.families[family] for family in families]))
