"""Unperturbed inputs of known class that the source classifies rightly: whether a suspect is asked in the right form.

Some schemes have such inputs among their own queries; a fingerprint holds a few more where they do not. No score counts
these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int, Shaped

if TYPE_CHECKING:
    from modelprint.core.suspect import Answers
    from modelprint.data.labelled import LabelledSet
    from modelprint.schemes.base import Queries

MOST = 32  # that a suspect is asked before anything else
FEW = 16  # that an address is asked at least, where no user set a budget
PLACE = "plain."


@dataclass(frozen=True, kw_only=True)
class PlainInputs:
    """Unperturbed inputs of a fingerprint that the source classifies rightly.

    Attributes:
        among: the places of those among the scheme's queries.
        stored: further ones, which are no queries.
        labels: the class of each of the further ones.
    """

    among: Int[np.ndarray, " k"]
    stored: Shaped[np.ndarray, "m ..."]
    labels: Int[np.ndarray, " m"]

    def arrays(self) -> dict[str, np.ndarray]:
        """As a fingerprint's file holds them."""
        return {
            f"{PLACE}among": self.among.astype(np.int64),
            f"{PLACE}stored": self.stored,
            f"{PLACE}labels": self.labels.astype(np.int64),
        }


def plain_inputs(
    queries: Queries, source: Answers, seeds: LabelledSet, right: Bool[np.ndarray, " n"], *, seed: int
) -> PlainInputs:
    """The plain inputs of a fingerprint: all that are queries, and of others as many as `MOST` leaves room for.

    Args:
        source: its answers to the queries.
        right: mask of the seeds that the source classifies rightly.
    """
    hashes = seeds.modality.hashes(seeds.stored)
    places = {value: place for place, value in enumerate(hashes)}
    same_type = queries.stored.dtype == seeds.stored.dtype
    of_queries = seeds.modality.hashes(queries.stored) if same_type else [""] * len(queries)
    unchanged = np.array([value in places for value in of_queries], dtype=bool)
    among = np.flatnonzero(unchanged & (source.labels == queries.labels))
    fresh = right & ~np.isin(hashes, of_queries)
    further = _by_turns(seeds.labels, fresh, max(0, MOST - len(among)), np.random.default_rng(seed))
    return PlainInputs(among=among, stored=seeds.stored[further], labels=seeds.labels[further])


def plain_from(arrays: Mapping[str, np.ndarray]) -> PlainInputs | None:
    """The plain inputs in a fingerprint's file; None in those of before they were kept."""
    if f"{PLACE}among" not in arrays:
        return None
    among, labels = (arrays[PLACE + name].astype(np.int64) for name in ("among", "labels"))
    return PlainInputs(among=among, stored=arrays[f"{PLACE}stored"], labels=labels)


def check_plain(
    arrays: Mapping[str, np.ndarray], *, shape: tuple[int, ...], classes: int, types: tuple[np.dtype[np.generic], ...]
) -> None:
    """Nothing, if the plain inputs in a file can be those of a fingerprint.

    Raises:
        ValueError: the first misfit.
        KeyError: an array is missing.
    """
    if f"{PLACE}among" not in arrays:
        if strays := [name for name in arrays if name.startswith(PLACE)]:
            raise ValueError(f"{strays[0]} stands without {PLACE}among")
        return
    among, stored, labels = (arrays[PLACE + name] for name in ("among", "stored", "labels"))
    for name, values, top in (("among", among, len(arrays["queries"])), ("labels", labels, classes)):
        if values.ndim != 1 or values.dtype.kind not in "iu" or ((values < 0) | (values >= top)).any():
            raise ValueError(f"{PLACE}{name} is {values.dtype} {values.shape}, numbers below {top} were expected")
    if len(np.unique(among)) != len(among):
        raise ValueError(f"{PLACE}among names a query twice")
    if stored.shape != (len(labels), *shape) or stored.dtype not in types:
        raise ValueError(f"{PLACE}stored is {stored.dtype} {stored.shape}, {len(labels)} inputs {shape} were expected")


def _by_turns(
    labels: np.ndarray, usable: Bool[np.ndarray, " n"], count: int, random: np.random.Generator
) -> Int[np.ndarray, " k"]:
    """Places of at most so many usable inputs: one of each class, then a second one of each."""
    order = random.permutation(np.flatnonzero(usable))
    turn = np.zeros(len(order), dtype=np.int64)
    for label in np.unique(labels[order]):
        of_class = labels[order] == label
        turn[of_class] = np.arange(of_class.sum())
    chosen: np.ndarray = order[np.argsort(turn, kind="stable")][:count]
    return chosen
