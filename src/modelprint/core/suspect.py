"""A suspect as a scheme sees it: inputs in, answers out; whether it is a file or an API stays hidden."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from modelprint.core.access import Access
from modelprint.core.convention import Advice, Convention
from modelprint.core.errors import DataError, LabelsOnlyError, SuspectError

UNANSWERED = -1
ABSTAINED = -2
LARGEST_LABEL = 2**31 - 1
AS_WHOLE = 1e-3  # probabilities whose sum is so close to 1 are taken as they are
SLACK = 1e-6  # what float32 adds to a probability of 1


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model said to n queries.

    Attributes:
        labels: top-1 labels, int64 of shape (n,); -1 where there was no answer, -2 where the model abstained: it
            answered, but named no class (an API whose every class fell below its threshold).
        scores: probabilities or logits as given, float32 of shape (n, classes), NaN rows where there was no
            answer; None when only labels were asked for.
    """

    labels: np.ndarray
    scores: np.ndarray | None = None

    @property
    def answered(self) -> np.ndarray:
        """A mask of shape (n,): which queries were answered with a class.

        >>> Answers(labels=np.array([3, UNANSWERED, ABSTAINED])).answered.tolist()
        [True, False, False]
        """
        mask: np.ndarray = self.labels >= 0
        return mask

    @property
    def abstained(self) -> np.ndarray:
        """A mask of shape (n,): to which queries the model answered that it names no class."""
        mask: np.ndarray = self.labels == ABSTAINED
        return mask

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray) -> Answers:
        """The answers to some of the queries."""
        return Answers(labels=self.labels[index], scores=None if self.scores is None else self.scores[index])

    def joined(self, other: Answers) -> Answers:
        """These answers, then those; with scores only where both have them."""
        labels = np.concatenate([self.labels, other.labels])
        if self.scores is None or other.scores is None:
            return Answers(labels=labels)
        return Answers(labels=labels, scores=np.concatenate([self.scores, other.scores]))

    def probabilities(self, classes: int) -> np.ndarray:
        """What the model gives each class, float64 (n, classes), rows summing to 1; NaN rows where there was no answer.

        Scores that are probabilities are taken as they are; where a row was rounded or cut, so that it sums to
        something else, it is divided by its sum, and a row of zeros counts as even. Other scores are logits (softmax).
        With labels only, the answer is all on one class.

        >>> Answers(labels=np.array([1, -1])).probabilities(2).tolist()
        [[0.0, 1.0], [nan, nan]]
        >>> Answers(labels=np.array([0]), scores=np.zeros((1, 4))).probabilities(4).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
        >>> rounded = np.array([[0.3, 0.6], [0.5, 0.5]], np.float32)
        >>> Answers(labels=np.array([1, 0]), scores=rounded).probabilities(2).round(3).tolist()
        [[0.333, 0.667], [0.5, 0.5]]
        """
        if self.scores is None:
            shares = np.eye(classes)[np.where(self.answered, self.labels, 0)]
        else:
            shares = self.scores.astype(np.float64)
            if self.gives_probabilities:
                sums = shares.sum(axis=1, keepdims=True)
                even = np.full_like(shares, 1 / shares.shape[1])
                whole = np.divide(shares, sums, out=even, where=sums != 0)
                shares = np.where(np.abs(sums - 1) > AS_WHOLE, whole, shares)
            else:
                shares = special.softmax(shares, axis=1)
        return np.where(self.answered[:, None], shares, np.nan)

    @property
    def gives_probabilities(self) -> bool:
        """Whether the scores are probabilities, and no logits: all lie between 0 and 1, whatever they sum to.

        Rounded and cut probabilities do not sum to 1. Logits of many answers all between 0 and 1 do not occur.
        """
        return self.scores is not None and are_probabilities(self.scores[self.answered])

    def restricted(self, access: Access) -> Answers:
        """Only what this access level shows."""
        return self if access >= Access.SCORES else Answers(labels=self.labels)


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether scores of any shape all lie between 0 and 1 (give or take a rounding of float32)."""
    return bool(scores.size and scores.min() >= 0 and scores.max() <= 1 + SLACK)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What asking a suspect takes.

    Attributes:
        queries: to be answered.
        answered: of these, known from an earlier run that is resumed, or from a recording.
        requests: to be sent, if none fails; 0 where asking stays on this machine.
        bytes: of their bodies, about.
        seconds: it takes at least, or about so many where it stays on this machine; None where that is not known.
    """

    queries: int
    answered: int = 0
    requests: int = 0
    bytes: int = 0
    seconds: float | None = None


def summed(costs: Sequence[Cost]) -> Cost:
    """What several questions take together.

    >>> summed([Cost(queries=2, seconds=1.0), Cost(queries=3, requests=1)])
    Cost(queries=5, answered=0, requests=1, bytes=0, seconds=None)
    """
    seconds = [one.seconds for one in costs]
    return Cost(
        queries=sum(one.queries for one in costs),
        answered=sum(one.answered for one in costs),
        requests=sum(one.requests for one in costs),
        bytes=sum(one.bytes for one in costs),
        seconds=None if None in seconds else sum(value for value in seconds if value is not None),
    )


class Inputs(Protocol):
    """What a suspect needs to know of the modality of its inputs."""

    def check(self, inputs: np.ndarray) -> None:
        """Refuse what no model of this modality is asked.

        Raises:
            DataError: what is wrong, and what to do.
        """


class Suspect(ABC):
    """Anything that classifies. Subclasses write `_ask`; `ask` checks and hides.

    Attributes:
        modality: of what it is asked; None where any numbers will do.
        identity: "sha256:..." of what was asked, or its URL.
        access: the most that it can give.
        free: whether asking costs nothing (a local model), so that figures may ask more.
        budget: the most queries that it is asked where nobody says otherwise; None: as many as there are.
        notes: what a user should know of how it was opened.
        lacking: classes of the fingerprint that it cannot answer, as far as a user says so.
    """

    identity: str
    access: Access = Access.SCORES
    free: bool = True
    budget: int | None = None
    notes: tuple[str, ...] = ()
    lacking: frozenset[int] = frozenset()
    modality: Inputs | None = None

    def ask(self, inputs: np.ndarray, *, access: Access = Access.LABELS) -> Answers:
        """Answers to inputs.

        Args:
            inputs: (n, ...), as they are stored or as models take them.
            access: with `labels`, nothing but top-1 leaves this method.

        Raises:
            DataError: inputs that the modality does not have, or NaN.
            SuspectError: the suspect cannot give this access, or its answers make no sense.
        """
        check_numbers(inputs) if self.modality is None else self.modality.check(inputs)
        if access > self.access:
            raise LabelsOnlyError(
                f"{self.identity} gives {self.access} only, {access} were asked for: use --access {self.access}"
            )
        answers = self._ask(inputs, access)
        if len(answers) != len(inputs):
            raise SuspectError(f"{self.identity} gave {len(answers)} answers to {len(inputs)} inputs")
        return answers.restricted(access)

    def cost(self, inputs: np.ndarray, *, access: Access) -> Cost:
        """What asking about inputs would take; nothing is sent, but a suspect here may be asked a few to measure it."""
        return Cost(queries=len(inputs))

    @property
    def repeats(self) -> bool:
        """Whether it can be asked the same inputs anew."""
        return self.free

    def again(self, inputs: np.ndarray, *, access: Access) -> Answers | None:
        """Answers to inputs that it was asked before, asked anew; None where that cannot be.

        Raises:
            SuspectError: as `ask` does.
        """
        return self.ask(inputs, access=access) if self.free else None

    def in_form(self, convention: Convention) -> Suspect | None:
        """The same model, asked with inputs prepared in another way; None where that cannot be tried here."""
        return None

    def advice(self, convention: Convention | None = None) -> Advice:
        """What the user can say of how it wants its inputs.

        Args:
            convention: the way that is proposed; None: none is.
        """
        return Advice(how="look at how inputs are prepared for it")

    def finish(self) -> None:  # noqa: B027 - most suspects have nothing to finish
        """Told when the last question was asked and every answer came."""

    @abstractmethod
    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        """Answers to checked inputs."""


def check_numbers(inputs: np.ndarray) -> None:
    """Refuse inputs that are no numbers, or not finite.

    >>> check_numbers(np.array([[0.5, np.nan]]))
    Traceback (most recent call last):
    modelprint.core.errors.DataError: expected finite inputs, got NaN or infinite values: look at how they are made
    """
    if not inputs.ndim or inputs.dtype.kind not in "uif":
        raise DataError(f"expected an array of numbers, one row an input, got {inputs.dtype} {inputs.shape}")
    if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
        raise DataError("expected finite inputs, got NaN or infinite values: look at how they are made")


def answers_from_scores(scores: np.ndarray, *, who: str) -> Answers:
    """Answers made from a score matrix (n, classes).

    Raises:
        SuspectError: NaN, infinite, or not a matrix of at least two classes.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and refused below
        scores = np.asarray(scores, dtype=np.float32)
    if scores.ndim != 2 or scores.shape[1] < 2:
        raise SuspectError(f"{who} gave outputs of shape {scores.shape}: expected (n, classes), two classes or more")
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).any(axis=1).sum())
        raise SuspectError(
            f"{who} gave NaN or infinite outputs for {bad} of {len(scores)} inputs: "
            "the model is broken, or its weights do not fit its architecture"
        )
    return Answers(labels=scores.argmax(axis=1).astype(np.int64), scores=scores)
