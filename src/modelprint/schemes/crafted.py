"""What a scheme crafted, checked before anything is made of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from modelprint.core.errors import FingerprintError
from modelprint.data.labelled import LabelledSet

if TYPE_CHECKING:
    from modelprint.schemes.base import Queries


def check_queries(scheme: str, queries: Queries, *, seeds: LabelledSet, budget: int | None) -> None:
    """Nothing, if what a scheme crafted can be stored and asked.

    Raises:
        FingerprintError: no query or more than the budget, inputs of another type or shape than the seeds, labels,
            groups and columns of other types or lengths, or a report that is not JSON; the message says which.
        DataError: inputs that no model can be asked, such as NaN.
    """
    count, stored = len(queries.labels), queries.stored
    if not count or (budget is not None and count > budget):
        raise FingerprintError(f"scheme {scheme} made {count} queries for a budget of {budget}")
    if stored.shape != (count, *seeds.shape) or stored.dtype not in seeds.modality.codecs.values():
        raise FingerprintError(
            f"scheme {scheme} made queries {stored.dtype} {stored.shape} with {count} labels, from inputs "
            f"{seeds.stored.dtype} {seeds.shape}"
        )
    seeds.modality.check(stored)
    if not 0 <= queries.labels.min() <= queries.labels.max() < seeds.classes:
        raise FingerprintError(f"scheme {scheme} made labels that are not those of {seeds.classes} classes")
    try:
        json.dumps(dict(queries.report), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise FingerprintError(f"scheme {scheme} reports of its crafting what JSON does not hold: {error}") from error
    for name, column in {"labels": queries.labels, "group": queries.group}.items():
        if column.dtype != np.int64:
            raise FingerprintError(f"scheme {scheme} made {name} of type {column.dtype}, not int64")
    for name, column in {"group": queries.group, **queries.columns}.items():
        if len(column) != count:
            raise FingerprintError(f"scheme {scheme} made {count} queries, but {len(column)} values of {name}")
