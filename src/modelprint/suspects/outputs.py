"""What the outputs of a suspect stand for, where they are not the fingerprint's classes one for one.

A subset or a superset of the classes, another order, a background class, one output for two classes, several classes at
once: a file of class names says it, and `Outputs` makes labels by the fingerprint's numbers of what the suspect gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import special

from modelprint.core.errors import MisfitError, SuspectError
from modelprint.core.suspect import ABSTAINED, Answers, answers_from_scores

OTHER = ""  # in a file of class names: none of the fingerprint's classes
TWO = 2


@dataclass(frozen=True, kw_only=True)
class OutputForm:
    """What a user says of a suspect's outputs.

    Attributes:
        names: what the suspect calls each output, in order; of a single output the class that it is the share of.
        background: the number of an output that stands for no class.
        logit: whether a single output is a logit, and no share.
        threshold: below it an output names no class. Of a single output: from it on it names its class.
        others: whether a class that the fingerprint does not have counts as no answer, and is not refused.
    """

    names: tuple[str, ...] = ()
    background: int | None = None
    logit: bool = False
    threshold: float | None = None
    others: bool = False


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Which class each output is, and when it is an answer.

    Attributes:
        classes: of the fingerprint; None where they are not known.
        order: the class of each output, -2 where it is none of them; None: the outputs are the classes.
        logit, threshold: as in `OutputForm`.
        notes: what a verdict says of them.
    """

    classes: int | None = None
    order: tuple[int, ...] | None = None
    logit: bool = False
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int | None:
        """How many outputs there are, where that is known."""
        return self.classes if self.order is None else len(self.order)

    @property
    def scored(self) -> bool:
        """Whether scores can be had of it: each class has one output, and no threshold makes labels of them."""
        if self.threshold is not None:
            return False
        return self.order is None or self.single or self._one_to_one(np.array(self.order))

    @property
    def lacking(self) -> frozenset[int]:
        """The classes that the suspect cannot answer."""
        if self.order is None or self.classes is None or self.single:
            return frozenset()
        return frozenset(range(self.classes)) - set(self.order)

    @property
    def single(self) -> bool:
        """Whether there is one output for two classes."""
        return self.order is not None and len(self.order) == 1

    def of_single(self, values: Float[np.ndarray, " n"], *, who: str) -> Answers:
        """Answers by the share, or the logit, of one of two classes.

        >>> Outputs(classes=2, order=(1,)).of_single(np.array([0.2, 0.9]), who="m").labels.tolist()
        [0, 1]

        Raises:
            MisfitError: numbers that are no shares.
        """
        values = values.astype(np.float64).reshape(-1)
        if not np.isfinite(values).all():
            raise SuspectError(f"{who} gave NaN or infinite outputs: the model is broken, or its weights do not fit")
        off = (values < 0) | (values > 1)
        if off.any() and not self.logit:
            raise MisfitError(
                f"{who} gave one number per image, such as {values[off][0]:.4g}: of two classes a share from 0 to 1 is "
                "expected. If it is a logit, say so in the file of class names (--class-names): logit = true"
            )
        positive = self.order[0] if self.order else 1
        share = special.expit(values) if self.logit else values
        if self.threshold is not None:
            return Answers(labels=np.where(share >= self.threshold, positive, 1 - positive).astype(np.int64))
        shares = np.stack([1 - share, share] if positive == 1 else [share, 1 - share], axis=1)
        return answers_from_scores(shares, who=who)

    def of_labels(self, labels: Int[np.ndarray, " n"], *, who: str) -> Answers:
        """Answers by the numbers of outputs.

        >>> Outputs(classes=2, order=(-2, 1, 0)).of_labels(np.array([1, 2, 0]), who="m").labels.tolist()
        [1, 0, -2]

        Raises:
            MisfitError: a number beyond the outputs.
        """
        if self.order is None:
            return Answers(labels=labels)
        off = (labels < 0) | (labels >= len(self.order))
        if off.any():
            raise MisfitError(
                f"{who} answered {labels[off][0]}, the file of class names says that it has {len(self.order)} outputs"
            )
        return Answers(labels=np.array(self.order, dtype=np.int64)[labels])

    def of_scores(self, scores: Float[np.ndarray, "n outputs"], *, who: str) -> Answers:
        """Answers by scores: the highest output is the answer, or none where it is none of the classes.

        Scores are kept where each class has one output, and no threshold makes several classes out of them.

        >>> Outputs(classes=2, order=(-2, 1, 0)).of_scores(np.array([[0, 1, 3.0]]), who="m").scores.tolist()
        [[3.0, 1.0]]

        Raises:
            SuspectError: NaN, or another number of outputs.
        """
        given = answers_from_scores(scores, who=who)
        assert given.scores is not None
        order = np.arange(scores.shape[1]) if self.order is None else np.array(self.order, dtype=np.int64)
        if len(order) != scores.shape[1]:
            raise MisfitError(
                f"{who} has {scores.shape[1]} outputs, the file of class names names {len(order)}: name each, in order"
            )
        labels = order[given.labels]
        if self.threshold is not None:
            labels = np.where(given.scores.max(axis=1) < self.threshold, ABSTAINED, labels)
        if self.threshold is not None or not self._one_to_one(order):
            return Answers(labels=labels)
        places = np.argsort(order)[-(self.classes or len(order)) :]
        kept = given.scores[:, places]
        if given.gives_probabilities:
            total = kept.sum(axis=1, keepdims=True)
            kept = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
        return Answers(labels=labels, scores=np.where((labels >= 0)[:, None], kept, np.nan).astype(np.float32))

    def _one_to_one(self, order: Int[np.ndarray, " outputs"]) -> bool:
        return sorted(order[order >= 0].tolist()) == list(range(self.classes or len(order)))


def order_of(
    form: OutputForm, aliases: Mapping[str, int], classes: int | None, number_of: Callable[[str], int | None]
) -> tuple[int, ...] | None:
    """The class of each output, as a user says it; None where he says nothing of it.

    >>> names = {"cat": 0, "dog": 1}
    >>> order_of(OutputForm(names=("dog", "horse", "cat")), {}, 2, names.get)
    (1, -2, 0)
    >>> order_of(OutputForm(background=0), {}, 2, names.get), order_of(OutputForm(), {"0": 1, "1": 0}, 2, names.get)
    ((-2, 0, 1), (1, 0))

    Args:
        aliases: other names of classes; names that are numbers are those of outputs.
        number_of: the class of a name; None where there is none.

    Raises:
        MisfitError: a background that is no output, or a single output of another number of classes than two.
    """
    if form.names:
        numbers = [number_of(name) for name in form.names]
        if len(numbers) == 1 and (classes != TWO or numbers[0] is None):
            raise MisfitError(
                f"classes = [{form.names[0]!a}] says that a single output tells two classes apart: the fingerprint has "
                f"{classes} classes, {'none' if numbers[0] is None else 'one'} of that name"
            )
        return tuple(ABSTAINED if number is None else number for number in numbers)
    if classes is None:
        return None
    if form.background is not None:
        if not 0 <= form.background <= classes:
            raise MisfitError(f"background = {form.background} is none of {classes + 1} outputs, numbered from 0")
        plain = list(range(classes))
        return (*plain[: form.background], ABSTAINED, *plain[form.background :])
    moved = {int(name): number for name, number in aliases.items() if name.isascii() and name.isdigit()}
    if not moved:
        return None
    return tuple(moved.get(place, place) for place in range(max(classes, max(moved) + 1)))


def notes_of(order: Sequence[int] | None, form: OutputForm, class_names: Sequence[str]) -> tuple[str, ...]:
    """What a verdict says of outputs that are not the classes one for one."""
    if order is None:
        return ()
    others = [name for name, number in zip(form.names, order, strict=False) if number == ABSTAINED]
    lacking = [name for number, name in enumerate(class_names) if number not in order]
    notes = []
    if others:
        notes.append(f"{len(others)} of its {len(order)} outputs are no class of the fingerprint: {_listed(others)}")
    if lacking and len(order) > 1:
        notes.append(f"it does not have {len(lacking)} of the fingerprint's classes: {_listed(lacking)}")
    return tuple(notes)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(ascii(name) for name in names[:5]) + (", ..." if len(names) > 5 else "")
