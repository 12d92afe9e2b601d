"""The face of every scheme: craft queries, fit a state, ask, score.

A scheme separates its query source (at enrollment) from what it makes of the answers, and sees a suspect only through
its answers. Adding a scheme is one file that registers one frozen dataclass, whose fields are the hyper-parameters. The
public `craft` is final: it checks what the scheme needs and what comes back, and calls the scheme's `_craft`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from modelprint.core.access import Access
from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError, UnscorableError, UsageError
from modelprint.core.quantities import Quantity
from modelprint.core.registry import Registry
from modelprint.core.sections import Exhibit, Section
from modelprint.core.settings import with_settings
from modelprint.core.suspect import Answers
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.nn.refs import ModelRef
from modelprint.schemes.asked import disagreeing
from modelprint.schemes.bounds import ScoreBounds as ScoreBounds
from modelprint.schemes.crafted import check_queries
from modelprint.schemes.effort import Effort as Effort
from modelprint.schemes.needs import Needs as Needs
from modelprint.schemes.published import Published

ControlFigure = Literal["accuracy", "agreement"]
State = Mapping[str, np.ndarray]
Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True, kw_only=True)
class Enrollment:
    """What a scheme makes its queries from.

    Attributes:
        source: in evaluation mode; returns logits.
        seeds: labelled inputs that the source was not trained on.
        train_images: inputs of the source's training data, or none.
        surrogates, references: models made from the source, and independent of it; each is opened when it is needed.
        reference_copies: made from references, as surrogates are from the source: independent of it, too.
        budget: the most queries that the fingerprint may hold.
        progress: called with a stage, and how much of it is done.
        unfinished: where pieces of long work are kept until the fingerprint is finished; nowhere unless given.
    """

    source: nn.Module
    seeds: LabelledSet
    train_images: LabelledSet | None = None
    surrogates: tuple[ModelRef, ...] = ()
    references: tuple[ModelRef, ...] = ()
    reference_copies: tuple[ModelRef, ...] = ()
    budget: int | None = None
    progress: Progress = silent
    unfinished: Unfinished = field(default_factory=Unfinished)

    def opened(self, model: ModelRef) -> AbstractContextManager[nn.Module]:
        """A surrogate or reference on the source's device, for the length of a `with` block."""
        return model.opened(device_of(self.source))

    def labels_by(self, model: ModelRef, stored: np.ndarray | Tensor) -> Int[np.ndarray, " n"]:
        """The labels that a surrogate or reference gives; it is opened once, and let go."""
        from modelprint.training.labels import labels_of

        with self.opened(model) as module:
            return labels_of(module, stored, modality=self.seeds.modality)

    @cached_property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Which seeds the source classifies rightly.

        Raises:
            FingerprintError: the source classifies no better than chance, or answers NaN or a constant.
        """
        return right_and_wrong(self.source, self.seeds)


@dataclass(frozen=True, kw_only=True)
class ShadowAnswers:
    """What the shadow models said to every query, in the order of the enrollment's.

    Attributes:
        surrogates, references, reference_copies: of models made from the source, independent of it, and made from
            such; with scores.
    """

    surrogates: tuple[Answers, ...] = ()
    references: tuple[Answers, ...] = ()
    reference_copies: tuple[Answers, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Queries:
    """The inputs to send.

    Attributes:
        stored: (n, ...), in a type that the modality of the seeds has a codec for.
        labels: the true label of the input that each query was made from, int64 (n,).
        group: which trajectory, view ... each query belongs to, int64 (n,).
        columns: more about each query, arrays of length n.
        report: what crafting did, as JSON (success rate, path lengths, evaluations ...).
    """

    stored: np.ndarray
    labels: np.ndarray
    group: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)


class Asker:
    """Chooses the next queries from the answers so far; this one asks all at once.

    Attributes:
        total: how many queries it may ask: the first ones of the fingerprint.
    """

    def __init__(self, total: int) -> None:
        self.total = total

    def next(self, answers: Answers, asked: np.ndarray) -> np.ndarray:
        """Indices of the next batch; empty when done.

        Args:
            answers: of all queries, -1 where not asked.
            asked: mask of shape (n,).
        """
        return np.flatnonzero(~asked[: self.total])


@dataclass(frozen=True, kw_only=True)
class Scheme(ABC):
    """Base of every scheme. The fields of a subclass are its hyper-parameters.

    Attributes:
        name: what it is registered, stored and called by.
        title: its name in reports.
        explanation: how it works, in two plain sentences; {braces} hold hyper-parameters.
        limits: what it is known to miss, one sentence each.
        lost_with_labels: what the scheme reads in scores and misses in labels alone, for the verdict to say.
        expect: names of transforms, with commas between them, that suspects are expected to put inputs through.
        separable: whether a query may be left out without touching the others.
        transductive: whether the score of a model depends on the other models that it is ranked among (`scores_among`).
        reads_alike: whether the scores of all models are read as coarsely as the suspect's: rounded, and cut to the
            highest few. Of schemes that coarser scores of an independent model would bring closer to the source.
        resolution: a difference of scores that says nothing, for rules that put the scores of several schemes together.
        counts_agreements: whether the score depends on nothing but which labels agree with the source's, and never
            falls where one more does. A missing answer then counts as a disagreement.
        before_named: hyper-parameters of fingerprints from before these hyper-parameters existed, which do not name
            them.
        quantities: the figures that `details` gives, and the words for them.
        crafting: the figures of the report of crafting, and the words for them.
        published: what the literature reports of it, for tables that put it beside ours.
        control: what it measures, where it is no fingerprint but what a fingerprint must do better than.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    explanation: ClassVar[tuple[str, ...]] = (
        "A fingerprint is a set of queries: inputs to which the source gives telling answers. The suspect is asked the "
        "same. The scheme turns the answers of both into one score, higher for models that are more likely made from "
        "the source.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Every scheme misses some kinds of copies. What this one finds and misses has to be measured on models whose "
        "making is known.",
    )
    lost_with_labels: ClassVar[str | None] = None
    separable: ClassVar[bool] = True
    transductive: ClassVar[bool] = False
    reads_alike: ClassVar[bool] = False
    resolution: ClassVar[float] = 0.02
    counts_agreements: ClassVar[bool] = False
    before_named: ClassVar[Mapping[str, Any]] = {}
    quantities: ClassVar[tuple[Quantity, ...]] = ()
    crafting: ClassVar[tuple[Quantity, ...]] = ()
    published: ClassVar[Published | None] = None
    control: ClassVar[ControlFigure | None] = None

    expect: str = ""

    @property
    def needs(self) -> Needs:
        """What it asks for, with these hyper-parameters; labelled images and labels alone unless a scheme says so."""
        return Needs()

    @final
    def craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Queries made from the source and the seeds; the same state of the generator gives the same queries.

        Raises:
            FingerprintError: the context lacks something that the scheme needs, the budget holds no query, the source
                is no better than chance, or no fingerprint can be made; the message says which, and what to do.
        """
        if context.budget is not None and context.budget < 1:
            raise FingerprintError(f"a budget of {context.budget} holds no query: raise it to 1 or more")
        self.needs.check(self.name, context)
        _ = context.right  # refuses a source that is no better than chance
        self.needs.check_source(self.name, context.source, context.seeds)
        queries = self._craft(context, generator)
        check_queries(self.name, queries, seeds=context.seeds, budget=context.budget)
        return queries

    @abstractmethod
    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """At least one query, at most `context.budget`; the context is checked.

        Raises:
            FingerprintError: no fingerprint can be made; the message says why.
        """

    def effort(self, context: Enrollment) -> Effort | None:
        """About what crafting takes, said before it starts; None where a scheme does not know, or takes little."""
        return None

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """Named arrays that scoring needs; the queries' groups and columns unless a scheme says otherwise.

        Raises:
            FingerprintError: what was crafted, or the shadows, cannot be learned from; the message says why.
        """
        return {"group": queries.group, **queries.columns}

    @property
    def parts(self) -> Mapping[Access, Scheme]:
        """The schemes that judge a suspect together, by what they read of it; none of most schemes.

        Their queries stand one after the other, and `part_of` tells them apart.
        """
        return {}

    @property
    def sequential(self) -> bool:
        """Whether asking may end before the budget, as soon as the verdict is settled.

        From the first batch on the score of such a scheme never falls as more is answered, and it is highest if all
        that is left is answered as the source does. Independent models are ranked by their scores on all queries that
        could have been asked, so that stopping early makes no verdict likelier.
        """
        return False

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """What chooses the queries; all at once unless a scheme says otherwise."""
        total = len(state["group"])
        return Asker(total if budget is None else min(total, budget))

    @abstractmethod
    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """How alike suspect and source are, over the answered queries; higher = more likely derived."""

    def scores_among(
        self, state: State, source: Answers, answers: Sequence[Answers], *, suspect: int | None = None
    ) -> Float[np.ndarray, " m"]:
        """The score of each of several models that are ranked together; exchanging two models exchanges their scores.

        Args:
            suspect: the place of the suspect among them; None where there is none.
        """
        return np.array([self.score(state, source, one) for one in answers])

    def bounds_among(
        self,
        state: State,
        source: Answers,
        answers: Sequence[Answers],
        missing: Bool[np.ndarray, " n"],
        *,
        suspect: int,
    ) -> ScoreBounds:
        """Between which the score of each model lies, whatever the suspect's missing answers would have been.

        Of schemes whose `scores_among` depend on each other: a suspect is ranked by its lowest score among the highest
        of the others, so that it ranks no higher by silence than by its answers.

        Raises:
            UnscorableError: no such bounds are known.
        """
        raise UnscorableError(
            f"{missing.sum()} queries were not answered, and scheme {self.name} compares models on all of them: ask "
            "again until every query is answered, or compare labels (--access labels)"
        )

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """The lowest score that any answers to the missing queries could give, or less.

        Whoever answers chooses what he leaves out. Calibration models answer everything, so a suspect that is
        independent scores no higher by silence than by its answers, and the rate of false positives holds.

        Args:
            answers: -1 where a query was not asked or not answered.
            missing: mask of the queries that were asked and not answered.

        Raises:
            UnscorableError: answers are missing, and the scheme does not say what that costs at most.
        """
        if not missing.any():
            return self.score(state, source, answers)
        if not self.counts_agreements:
            raise UnscorableError(
                f"{missing.sum()} queries were not answered, and scheme {self.name} does not say how much a missing "
                "answer can hide: ask again until every query is answered"
            )
        return self.score(state, source, self.counted(source, answers, missing))

    @final
    def counted(self, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> Answers:
        """The answers as reports show them: missing ones disagree, where the scheme counts agreements."""
        return disagreeing(source, answers, missing) if self.counts_agreements else answers

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """The scheme's own figures of a verdict, as JSON; described by `quantities`."""
        return {}

    def sections(self, exhibit: Exhibit) -> Sequence[Section]:
        """What a report shows of the scheme's own, for schemes that have something to show."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """The hyper-parameters, as JSON; `expect` only where something is expected."""
        return {key: value for key, value in asdict(self).items() if key != "expect" or value}

    @classmethod
    def preset(cls, name: str) -> Self:
        """The scheme with a named set of hyper-parameters.

        Raises:
            UsageError: this scheme has no preset of that name.
        """
        if name != "default":
            raise UsageError(f"scheme {cls.name} has no preset {name!r}: use default")
        return cls()

    def with_settings(self, settings: Mapping[str, str]) -> Self:
        """The scheme with some of its fields set from text, as `--set key=value` gives them.

        Raises:
            UsageError: no such field, or a value of another type; the message lists the fields.
        """
        return with_settings(self, settings, who=f"scheme {self.name}")


SCHEMES: Registry[type[Scheme]] = Registry("scheme", group="modelprint.schemes")


def right_and_wrong(source: nn.Module, seeds: LabelledSet) -> np.ndarray:
    """A mask (n,) of the seeds that the source classifies rightly.

    Raises:
        FingerprintError: the source classifies no better than chance, or answers NaN or a constant.
    """
    from modelprint.training.labels import settled
    from modelprint.training.loop import predict

    stored = torch.from_numpy(seeds.stored)
    logits = predict(source, stored, modality=seeds.modality)
    if logits.ndim != 2 or logits.shape[1] != seeds.classes:
        raise FingerprintError(
            f"the source has outputs of shape {tuple(logits.shape)} but {seeds.name} has {seeds.classes} classes"
        )
    if not torch.isfinite(logits).all():
        raise FingerprintError("the source gives NaN or infinite outputs: look at its weights and normalisation")
    labels = settled(source, stored, logits, modality=seeds.modality)
    if len(np.unique(labels)) == 1 and len(labels) > 10:
        raise FingerprintError(
            f"the source answers class {labels[0]} to every {seeds.modality.singular} of {seeds.name}: look at its "
            "normalisation"
        )
    right: np.ndarray = labels == seeds.labels
    chance = max(np.bincount(seeds.labels).max() / len(seeds), 1 / seeds.classes)
    if right.mean() <= 1.2 * chance:
        raise FingerprintError(
            f"the source classifies {right.mean():.1%} of {seeds.name} rightly, no better than chance ({chance:.1%}): "
            "look at its normalisation, its class order, and that DATA is what it was trained for"
        )
    return right
