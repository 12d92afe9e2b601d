"""Auto: all that a suspect shows - weights, scores, labels - in one verdict.

What a suspect is decides what can be compared: an address gives labels or scores, a file its weights, too. Each level
is read by the scheme that is best at it; `modelprint.ownership.combined` puts their scores together and ranks the sum
among calibration models that were read at the same levels. The sum is that of the parts above the median (of weights,
above all but a twentieth of the models), each over its spread: a test against any shift upwards, whichever level shows
it (A. Kudo, "A multivariate analogue of the one-sided test", Biometrika 50, 1963).

Differs from the paper: levels are not taken for independent or normal; the rank among calibration models is the test.

The queries of the scheme that reads labels come first, then those of the one that reads scores; a suspect that gives
labels alone is asked the first ones only, and judged by that scheme as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int

from modelprint.core.access import Access
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.sections import Exhibit, Section
from modelprint.core.suspect import Answers
from modelprint.schemes.asked import wanted_queries
from modelprint.schemes.base import SCHEMES, Asker, Effort, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State

PART = "part"
LEAST_BUDGET = 4  # two queries for each part
_ORDER = ("labels", "scores", "gradients", "weights")  # of what crafting takes from the source, the least first


@SCHEMES.register("auto")
@dataclass(frozen=True, kw_only=True)
class Auto(Scheme):
    """Several schemes, one for each level of access.

    Attributes:
        labels: the scheme that reads labels.
        scores: the scheme that reads scores; "none" for no such part.
        labels_settings, scores_settings: hyper-parameters of these, as text.
        queries: of all parts together, where no budget says otherwise.
        weights: the scheme that compares weights; it asks nothing.
    """

    name: ClassVar[str] = "auto"
    title: ClassVar[str] = "Auto: weights, scores and labels together"
    explanation: ClassVar[tuple[str, ...]] = (
        "Whatever a suspect shows is compared with the source: its weights, its scores (scheme {scores}), and its "
        "top-1 labels (scheme {labels}).",
        "How far each of these lies above independent models, in units of their spread, is added up. The rank of the "
        "sum among independent models that were read in the same way gives the verdict.",
    )
    lost_with_labels: ClassVar[str | None] = "scores and weights were not read"
    transductive: ClassVar[bool] = True
    weights: ClassVar[str] = "lineage"
    limits: ClassVar[tuple[str, ...]] = (
        "A suspect that shows labels alone is judged by scheme {labels} alone, and weights tell nothing of a model of "
        "another architecture, or of one that was extracted from answers.",
        "The rate of false accusations is known for the kinds of independent model that it was calibrated on, and "
        "for no others.",
    )

    labels: str = "contrast"
    scores: str = "residual"
    labels_settings: Mapping[str, str] = field(default_factory=dict)
    scores_settings: Mapping[str, str] = field(default_factory=dict)
    queries: int = 400

    def __post_init__(self) -> None:
        if self.queries < LEAST_BUDGET:
            raise ValueError(f"queries must be at least {LEAST_BUDGET}")
        for level, name in ((Access.LABELS, self.labels), (Access.SCORES, self.scores)):
            if name == "none" and level is Access.SCORES:
                continue
            if name not in SCHEMES or name == self.name:
                raise ValueError(
                    f"{level} is read by {name!r}, which is no other scheme: use contrast, akh, residual ..."
                )
            needs = SCHEMES[name]().needs
            if not needs.asks or needs.suspect > level:
                raise ValueError(f"scheme {name} does not judge by {level}: choose another one for {level}")

    @cached_property
    def _parts(self) -> Mapping[Access, Scheme]:
        parts = {Access.LABELS: SCHEMES[self.labels]().with_settings(self.labels_settings)}
        if self.scores != "none":
            parts[Access.SCORES] = SCHEMES[self.scores]().with_settings(self.scores_settings)
        return parts

    @property
    def parts(self) -> Mapping[Access, Scheme]:
        """The schemes that ask queries."""
        return self._parts

    @property
    def needs(self) -> Needs:
        """All that the parts need; the source's weights."""
        each = [part.needs for part in self.parts.values()]
        return Needs(
            source=max((one.source for one in each), key=_ORDER.index),
            space="continuous" if any(one.space == "continuous" for one in each) else "any",
            mixes=any(one.mixes for one in each),
            shadows=any(one.shadows for one in each),
            shadows_welcome=True,
            train_images=any(one.train_images for one in each),
            weights=True,
        )

    def effort(self, context: Enrollment) -> Effort | None:
        """All that the parts take."""
        shares = self.shares(Access.SCORES, wanted_queries(context.budget, self.queries))
        each = [part.effort(replace(context, budget=shares[level])) for level, part in self.parts.items()]
        known = [one for one in each if one is not None]
        if not known:
            return None
        return Effort(
            queries=sum(one.queries for one in known),
            answers=sum(one.answers for one in known),
            gradients=sum(one.gradients for one in known),
            together=max(one.together for one in known),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Those of each part, which share the budget alike."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < LEAST_BUDGET:
            raise FingerprintError(
                f"a budget of {wanted} holds no two queries for each part: raise it to {LEAST_BUDGET} or more"
            )
        by_part = [
            self.parts[level].craft(replace(context, budget=share), generator)
            for level, share in self.shares(Access.SCORES, wanted).items()
        ]
        part_of = np.repeat([int(level) for level in self.parts], [len(queries) for queries in by_part])
        columns = {PART: part_of.astype(np.int64)}
        for level, queries in zip(self.parts, by_part, strict=True):
            for name, column in queries.columns.items():
                whole = np.zeros((len(part_of), *column.shape[1:]), dtype=column.dtype)
                whole[part_of == level] = column
                columns[f"{level}.{name}"] = whole
        return Queries(
            stored=np.concatenate([queries.stored for queries in by_part]),
            labels=np.concatenate([queries.labels for queries in by_part]),
            group=np.concatenate([queries.group for queries in by_part]),
            columns=columns,
            report={str(level): dict(queries.report) for level, queries in zip(self.parts, by_part, strict=True)},
        )

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """The states of the parts, under their names."""
        state: dict[str, np.ndarray] = {PART: queries.columns[PART], "group": queries.group}
        for level, part in self.parts.items():
            index = np.flatnonzero(queries.columns[PART] == level)
            begins = f"{level}."
            own = Queries(
                stored=queries.stored[index],
                labels=queries.labels[index],
                group=queries.group[index],
                columns={
                    name.removeprefix(begins): column[index]
                    for name, column in queries.columns.items()
                    if name.startswith(begins)
                },
                report=queries.report[str(level)],
            )
            heard = ShadowAnswers(
                surrogates=_taken(shadows.surrogates, index),
                references=_taken(shadows.references, index),
                reference_copies=_taken(shadows.reference_copies, index),
            )
            fitted = part.fit(own, source.take(index), heard, generator)
            state |= {begins + name: value for name, value in fitted.items()}
        return state

    def part_state(self, state: State, level: Access) -> State:
        """What the part that reads a level needs for scoring."""
        begins = f"{level}."
        return {name.removeprefix(begins): value for name, value in state.items() if name.startswith(begins)}

    def asked_of(self, state: State, level: Access) -> Bool[np.ndarray, " n"]:
        """Mask (n,) of the queries of the part that reads a level."""
        mask: np.ndarray = state[PART] == level
        return mask

    def asked_at(self, access: Access) -> Mapping[Access, Scheme]:
        """The parts whose queries are put to a suspect that gives this much."""
        return {level: part for level, part in self.parts.items() if level <= access}

    def counted_at(self, access: Access) -> Mapping[Access, Scheme]:
        """Those of them that are part of the combined score.

        Labels that were not chosen on shadow models add more noise to scores than they show (docs/design/0016-auto.md):
        where scores are read, they stand as evidence by themselves.

        >>> list(Auto(labels="akh").counted_at(Access.SCORES)), list(Auto(labels="akh").counted_at(Access.LABELS))
        ([<Access.SCORES: 2>], [<Access.LABELS: 0>])
        """
        asked = self.asked_at(access)
        if Access.SCORES not in asked:
            return asked
        return {level: part for level, part in asked.items() if level >= Access.SCORES or part.needs.learns}

    def shares(self, access: Access, budget: int | None) -> dict[Access, int | None]:
        """The budget of each part that is asked; None: all of its queries.

        >>> Auto().shares(Access.SCORES, 101)
        {<Access.LABELS: 0>: 51, <Access.SCORES: 2>: 50}
        """
        shares: dict[Access, int | None] = {}
        for level in self.asked_at(access):
            left = len(self.asked_at(access)) - len(shares)
            spent = sum(share or 0 for share in shares.values())
            shares[level] = None if budget is None else -(-(budget - spent) // left)
        return shares

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """All queries at once; `ownership.ask` asks part by part."""
        total = len(state[PART])
        return Asker(total if budget is None else min(total, budget))

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """None by itself.

        Raises:
            UnscorableError: always.
        """
        raise UnscorableError("scheme auto ranks a suspect among calibration models, and has no score without them")

    def sections(self, exhibit: Exhibit) -> Sequence[Section]:
        """Those of the scheme that reads labels, whose queries come first, and of weights."""
        index = np.flatnonzero(self.asked_of(exhibit.state, Access.LABELS))
        labels = replace(
            exhibit,
            state=self.part_state(exhibit.state, Access.LABELS),
            source=exhibit.source.take(index),
            models=[answers.take(index) for answers in exhibit.models],
            calibration=[answers.take(index) for answers in exhibit.calibration],
            asked=min(exhibit.asked, len(index)),
            threshold=None,
        )
        compared = any(details.get("weights") for details in exhibit.details)
        return (
            *(SCHEMES[self.weights]().sections(replace(exhibit, threshold=None)) if compared else ()),
            *self.parts[Access.LABELS].sections(labels),
        )

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """None of its own; the parts' stand in the evidence."""
        return {}


def best_for(*, shadows: bool, gradients: bool) -> Auto:
    """The parts that an owner's means allow.

    Args:
        shadows: whether surrogates and reference models are at hand or will be trained.
        gradients: whether the source gives gradients, and inputs can be moved by small steps.
    """
    if shadows:
        return Auto()
    return Auto(labels="adv-tra" if gradients else "akh")


def _taken(answers: Sequence[Answers], index: Int[np.ndarray, " k"]) -> tuple[Answers, ...]:
    return tuple(one.take(index) for one in answers)
