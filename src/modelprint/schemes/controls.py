"""Controls: what no fingerprint is needed for. They stand in every table beside the schemes.

A scheme that does not beat them shows nothing: `accuracy` tells suspects apart by how good they are alone, `agreement`
by how often they answer as the source does on random images of the task.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool

from modelprint.core.suspect import Answers
from modelprint.schemes.asked import disagreeing
from modelprint.schemes.base import (
    SCHEMES,
    ControlFigure,
    Enrollment,
    Queries,
    Scheme,
    ShadowAnswers,
    State,
)


@dataclass(frozen=True, kw_only=True)
class Control(Scheme):
    """Random images, as they are.

    Attributes:
        images: the most queries, where no budget says otherwise.
    """

    images: int = 1000

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Images of the seeds, drawn without replacement."""
        wanted = min(len(context.seeds), self.images if context.budget is None else context.budget)
        index = torch.randperm(len(context.seeds), generator=generator)[:wanted].numpy()
        return Queries(
            stored=context.seeds.stored[index],
            labels=context.seeds.labels[index],
            group=np.zeros(wanted, dtype=np.int64),
        )

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """The true labels."""
        return {"group": queries.group, "truth": queries.labels}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """Over the answered queries."""
        heard = answers.answered
        return self.likeness(state["truth"][heard], source.labels[heard], answers.labels[heard])

    @abstractmethod
    def likeness(self, truth: np.ndarray, source: np.ndarray, suspect: np.ndarray) -> float:
        """Of two series of labels."""


@SCHEMES.register("accuracy")
@dataclass(frozen=True, kw_only=True)
class Accuracy(Control):
    """How close the suspect's accuracy is to the source's: 1 - |difference|."""

    name: ClassVar[str] = "accuracy"
    control: ClassVar[ControlFigure | None] = "accuracy"
    title: ClassVar[str] = "Accuracy (a control)"
    explanation: ClassVar[tuple[str, ...]] = (
        "The suspect is asked inputs drawn at random.",
        "The score says how close its accuracy is to the source's; it is no fingerprint, but what a fingerprint must "
        "do better than.",
    )
    limits: ClassVar[tuple[str, ...]] = ("Models of the task that are equally good look alike, whoever made them.",)

    def likeness(self, truth: np.ndarray, source: np.ndarray, suspect: np.ndarray) -> float:
        """1 minus the difference of the accuracies."""
        return float(1 - abs((suspect == truth).mean() - (source == truth).mean()))

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """With all missing answers right, or all wrong, whichever is further from the source's accuracy."""
        asked, truth = answers.answered | missing, state["truth"]
        ends = [
            np.where(missing, label, answers.labels)[asked]
            for label in (truth, disagreeing(Answers(labels=truth), answers, missing).labels)
        ]
        return min(self.likeness(truth[asked], source.labels[asked], labels) for labels in ends)


@SCHEMES.register("agreement")
@dataclass(frozen=True, kw_only=True)
class Agreement(Control):
    """How often the suspect gives the source's label."""

    name: ClassVar[str] = "agreement"
    control: ClassVar[ControlFigure | None] = "agreement"
    title: ClassVar[str] = "Agreement (a control)"
    explanation: ClassVar[tuple[str, ...]] = (
        "The suspect is asked inputs drawn at random.",
        "The score is how often it gives the source's class; it is no fingerprint, but what a fingerprint must do "
        "better than.",
    )
    limits: ClassVar[tuple[str, ...]] = ("Good models of the task agree on most inputs, whoever made them.",)

    counts_agreements: ClassVar[bool] = True

    def likeness(self, truth: np.ndarray, source: np.ndarray, suspect: np.ndarray) -> float:
        """The share of equal labels."""
        return float((suspect == source).mean())
