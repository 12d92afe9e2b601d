"""Recorded labels of many models on the same images, and which model came from which.

TABLE.npz holds one integer array (n images,) for each model, under its id, and `ground_truth`; families.json maps each
id to the id of the model that it came from (itself, if from none).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from modelprint.core.errors import DataError
from modelprint.core.suspect import Answers
from modelprint.core.untrusted import read_regular
from modelprint.data.arrays import read_npz_arrays

TRUTH = "ground_truth"
_SHOWN = 4


@dataclass(frozen=True, kw_only=True)
class AnswerTable:
    """Labels of m models on n images. Models are known by their place, in the order of their ids.

    Attributes:
        ids: of the models, sorted.
        labels: in the smallest integer type that holds them.
        truth: the images' true labels.
        parents: the place of the model that each one came from; its own, if from none.
        kin: the place of the first model of each one's family, where models are of one family for other reasons than
            their parents, too; None: parents tell all.
        scores: of the models that gave any, by id; empty where they were not read.
        kinds: of independent models, by id, as far as known.
    """

    ids: tuple[str, ...]
    labels: Int[np.ndarray, "m n"]
    truth: Int[np.ndarray, " n"]
    parents: Int[np.ndarray, " m"]
    kin: Int[np.ndarray, " m"] | None = None
    scores: Mapping[str, Float[np.ndarray, "n classes"]] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """How many images the models were asked."""
        return len(self.truth)

    @cached_property
    def founders(self) -> Int[np.ndarray, " m"]:
        """The place of the model that each one was made from in the end."""
        return founders(self.parents)

    @cached_property
    def family_of(self) -> Int[np.ndarray, " m"]:
        """The place under which each one's family stands: no family is split between the parts of a benchmark."""
        return self.founders if self.kin is None else self.kin

    @cached_property
    def families(self) -> dict[int, Int[np.ndarray, " k"]]:
        """The members of each family."""
        return {int(first): np.flatnonzero(self.family_of == first) for first in np.unique(self.family_of)}

    @cached_property
    def sources(self) -> list[int]:
        """The founders from which another model was made."""
        made, counts = np.unique(self.founders, return_counts=True)
        return [int(founder) for founder in made[counts > 1]]

    @property
    def scored_sources(self) -> list[int]:
        """The sources whose scores are at hand."""
        return [source for source in self.sources if self.ids[source] in self.scores]

    def answers(self, place: int) -> Answers:
        """What a model answered to all inputs, with scores where it gave any."""
        return Answers(labels=self.labels[place].astype(np.int64), scores=self.scores.get(self.ids[place]))

    def scored_families(self, places: Int[np.ndarray, " k"]) -> tuple[tuple[Answers, ...], ...]:
        """The answers of those of some models that have scores, by family.

        Each family's first stands first, where it is among them; then those that keep least of its labels.
        """
        members: dict[int, list[int]] = {}
        for place in (place for place in places.tolist() if self.ids[place] in self.scores):
            members.setdefault(int(self.family_of[place]), []).append(place)
        families = []
        for family, kin in members.items():
            first = family if family in kin else kin[0]
            alike = (self.labels[kin] == self.labels[first]).sum(axis=1)
            frailest = [kin[number] for number in np.argsort(alike, kind="stable") if kin[number] != first]
            families.append(tuple(self.answers(place) for place in (first, *frailest)))
        return tuple(families)

    def copies(self, source: int) -> Int[np.ndarray, " k"]:
        """The models that were made from a source."""
        members = np.flatnonzero(self.founders == source)
        copies: np.ndarray = members[members != source]
        return copies

    @cached_property
    def accuracies(self) -> np.ndarray:
        """Each model's share of right labels, (m,)."""
        shares: np.ndarray = (self.labels == self.truth).mean(axis=1)
        return shares


def founders(parents: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    """The place of the model from which each one's family comes: parents, followed to the end.

    >>> founders(np.array([0, 0, 1])).tolist()
    [0, 0, 0]
    """
    ancestors = parents
    while (ancestors != parents[ancestors]).any():
        ancestors = parents[ancestors]
    return ancestors


def read_table(table: Path, families: Path) -> AnswerTable:
    """The table of answers, with the families.

    Raises:
        DataError: a file is missing or garbled; labels that are no class numbers, or of different lengths; ids that
            stand in one file only; parents in a circle.
    """
    arrays = read_npz_arrays(table)
    if TRUTH not in arrays:
        raise DataError(f"{table} holds no {TRUTH}: add the images' true labels under that name")
    truth = as_labels(arrays.pop(TRUTH), who=f"{table}, {TRUTH}")
    parents = _read_families(families)
    _check_same(arrays, parents, table, families)
    ids = tuple(sorted(arrays))
    rows = []
    for name in ids:
        row = as_labels(arrays.pop(name), who=f"{table}, {name}")
        if len(row) != len(truth):
            raise DataError(f"{table}, {name}: {len(row)} labels, but {TRUTH} has {len(truth)}: give one per image")
        rows.append(row)
    place = {name: number for number, name in enumerate(ids)}
    return AnswerTable(
        ids=ids,
        labels=np.stack(rows),
        truth=truth,
        parents=np.array([place[parents[name]] for name in ids], dtype=np.int64),
    )


def as_labels(array: np.ndarray, *, who: str) -> np.ndarray:
    """Class numbers, in the smallest integer type that holds them."""
    if array.dtype.kind not in "iu":
        raise DataError(f"{who} is of type {array.dtype}: expected class numbers, integers")
    if array.ndim != 1 or not len(array):
        raise DataError(f"{who} has shape {array.shape}: expected one top-1 label per image, (n images,)")
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > np.iinfo(np.int32).max:
        raise DataError(f"{who} holds class {low if low < 0 else high}: expected class numbers from 0 on")
    small = next(kind for kind in (np.int8, np.int16, np.int32) if high <= np.iinfo(kind).max)
    return array.astype(small)


def _read_families(path: Path) -> dict[str, str]:
    try:
        families = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(families, dict) or not families:
        raise DataError(f"{path} is no JSON object from each model's id to the id of the one that it came from")
    wrong = [name for name, parent in families.items() if not isinstance(parent, str)]
    if wrong:
        raise DataError(
            f"{path}: {wrong[0]!r} came from {families[wrong[0]]!r}: expected a model's id, its own if from none"
        )
    return families


def _check_same(arrays: Mapping[str, object], parents: Mapping[str, str], table: Path, families: Path) -> None:
    """The same ids in both files, and parents that lead to a founder."""
    if unplaced := arrays.keys() - parents.keys():
        raise DataError(f"{families} does not say where {_listed(unplaced)} of {table} came from: add them")
    if unknown := (parents.keys() | set(parents.values())) - arrays.keys():
        raise DataError(f"{table} has no answers of {_listed(unknown)}, which {families} names: record or remove them")
    founded = {name for name, parent in parents.items() if name == parent}
    for name in parents:
        seen = [name]
        while seen[-1] not in founded:
            parent = parents[seen[-1]]
            if parent in seen:
                raise DataError(
                    f"{families}: {_listed(seen[seen.index(parent) :])} came from each other: one of them came from "
                    "none, and is to be given its own id"
                )
            seen.append(parent)
        founded.update(seen)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(map(repr, ordered[:_SHOWN])) + more
