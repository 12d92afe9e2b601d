"""What a model gave - arrays, or JSON in one of several spellings - as answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modelprint.core.access import Access
from modelprint.core.errors import LabelsOnlyError, MisfitError, SuspectError
from modelprint.core.suspect import ABSTAINED, LARGEST_LABEL, Answers, answers_from_scores
from modelprint.suspects.entries import PLAIN, Entries, Reading, entries, is_number, name_key
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.outputs import OTHER, OutputForm, Outputs, notes_of, order_of

_WHOLE = re.compile(r"(\d+)(?:\.0*)?", re.ASCII)

_AROUND = " \t\r\n\"'`*.!"


@dataclass(frozen=True, kw_only=True)
class ClassIndex:
    """How what a suspect calls a class becomes a class number.

    >>> index = ClassIndex(names=("cat", "dog"), aliases={"Hound": 1})
    >>> [index.of(value, who="the API") for value in ("dog", "Hound", "LABEL_0", 1.0)]
    [1, 1, 0, 1]

    Attributes:
        names: the class names, in order; empty when they are not known.
        aliases: other names of classes, which go first; -2 for what is none of the classes.
        others: whether a class that there is not is no answer, and not refused.
        stated: what is said of its outputs.
    """

    names: tuple[str, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)
    others: bool = False
    stated: Outputs = field(default_factory=Outputs)

    @classmethod
    def aliased(
        cls,
        names: tuple[str, ...],
        aliases: Mapping[str, int | str],
        *,
        who: str,
        form: OutputForm = OutputForm(),  # noqa: B008 - frozen
        classes: int | None = None,
    ) -> ClassIndex:
        """An index with other names of classes, given as names or numbers.

        Args:
            form: what is said of the outputs.
            classes: their number, where the names are not known.

        Raises:
            MisfitError: an alias of a class that there is not.
        """
        plain = cls(names=names)
        numbers = {
            name: ABSTAINED if target == OTHER else plain.of(target, who=who) for name, target in aliases.items()
        }
        index = cls(names=names, aliases=numbers, others=form.others)
        count = len(names) or classes
        apart = {name: ABSTAINED for name in form.names if index.number(name) is None}
        order = order_of(form, numbers, count, index.number)
        outputs = Outputs(
            classes=count,
            order=order,
            logit=form.logit,
            threshold=form.threshold,
            notes=notes_of(order, form, names),
        )
        return replace(index, aliases={**apart, **numbers}, stated=outputs)

    @property
    def classes(self) -> int | None:
        """The number of classes, where it is known."""
        return len(self.names) or None

    @property
    def named_by_numbers(self) -> bool:
        """Whether class names are numbers, in another order than the classes: then a number in a text is a name."""
        own = tuple(str(number) for number in range(len(self.names)))
        return self.names != own and any(whole_number(name) is not None for name in self.names)

    @property
    def outputs(self) -> Outputs:
        """Which class each number is, where a suspect gives numbers alone."""
        return replace(self.stated, classes=self.classes) if self.stated.classes is None else self.stated

    def of(self, value: object, *, who: str) -> int:
        """The number of a class, given as a number, a name (in any case), or "LABEL_3"; -2 for what is no class here.

        Raises:
            MisfitError: no class of that name or number.
        """
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        number = None
        if isinstance(value, int) and not isinstance(value, bool):
            number = self._numbered(value)
        elif isinstance(value, str):
            number = self._named(value)
        if number is None and self.others and isinstance(value, int | str):
            return ABSTAINED
        if number is None:
            known = ", ".join(self.names[:20]) or "their names were not given"
            raise MisfitError(
                f"{who} answered class {_shown(value)}, which is none of its {self.classes or 'unknown'} classes "
                f"({known}): map its names to yours in a mapping file's [class_names]"
            )
        return number

    def number(self, name: str) -> int | None:
        """The number of a class that is named; None where there is none."""
        number = self._named(name)
        return None if number == ABSTAINED else number

    def _named(self, text: str) -> int | None:
        if text in self.aliases:
            return self.aliases[text]
        if text in self.names:
            return self.names.index(text)
        folded = [name.casefold().strip() for name in self.names]
        if folded.count(text.casefold().strip()) == 1:
            return folded.index(text.casefold().strip())
        spoken = text.strip(_AROUND).casefold()  # as chat models answer: "Cat."
        if spoken and folded.count(spoken) == 1:
            return folded.index(spoken)
        digits = text.strip(_AROUND).removeprefix("LABEL_")
        return self._numbered(int(digits)) if digits.isascii() and digits.isdigit() and len(digits) < 7 else None

    def _numbered(self, number: int) -> int | None:
        """The class of a number; None where there is none."""
        if str(number) in self.aliases:
            return self.aliases[str(number)]
        order = self.outputs.order
        if order is not None and len(order) > 1:
            return order[number] if 0 <= number < len(order) else None
        return number if number >= 0 and (self.classes is None or number < self.classes) else None


def class_index(options: SuspectOptions) -> ClassIndex:
    """What is said of a suspect's classes.

    Raises:
        MisfitError: class names of classes that there are not.
    """
    return ClassIndex.aliased(
        options.class_names,
        options.class_aliases,
        who="the file of class names",
        form=options.outputs,
        classes=options.classes,
    )


def class_of(text: str, index: ClassIndex) -> int | None:
    """The number of a class that is given by name or number; None where there is none.

    Where names are numbers themselves, in another order than the classes, only names are taken.
    """
    digits = whole_number(text)
    if digits is not None and text not in index.names and text not in index.aliases:
        if index.named_by_numbers:
            return None
        text = digits
    try:
        return index.of(text, who="")
    except MisfitError:
        return None


def whole_number(text: str) -> str | None:
    """The digits of a whole number, also of one that a spreadsheet wrote with decimals.

    >>> whole_number("12"), whole_number("12.0"), whole_number("1.5")
    ('12', '12', None)
    """
    match = _WHOLE.fullmatch(text)
    return None if match is None else match[1]


def answers_from_array(values: np.ndarray, *, who: str, classes: int | None = None) -> Answers:
    """Answers made from labels (n,) or (n, 1), or from scores (n, classes).

    >>> answers_from_array(np.array([[0.1, 0.9]]), who="model").labels.tolist()
    [1]

    Raises:
        SuspectError: NaN, another shape, or another number of classes than expected.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind not in "iuf":
        raise SuspectError(f"{who} gave outputs of type {values.dtype}: expected labels or scores, numbers")
    if values.ndim != 1:
        return checked(answers_from_scores(values, who=who), who=who, classes=classes)
    if not np.isfinite(values).all():
        raise SuspectError(f"{who} gave NaN or infinite labels: expected class numbers")
    if (np.abs(values) > LARGEST_LABEL).any():
        raise SuspectError(f"{who} gave numbers too large to be class numbers")
    labels = values.astype(np.int64)
    if (labels != values).any():
        raise SuspectError(
            f"{who} gave one number per image, such as {values[labels != values][0]:.4g}: "
            "expected class numbers (n,) or scores (n, classes). If it is the share of one of two classes, say of "
            'which in a file of class names (--class-names): classes = ["NAME"]'
        )
    return checked(Answers(labels=labels), who=who, classes=classes)


def answers_from_outputs(values: np.ndarray, *, who: str, outputs: Outputs) -> Answers:
    """Answers made from all that a model gave, by what its outputs stand for.

    Args:
        values: labels (n,) or (n, 1), scores (n, outputs), or one share (n, 1) of two classes.

    Raises:
        SuspectError: NaN, another shape, or another number of outputs than expected.
    """
    lone = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
    if outputs.single and lone and values.dtype.kind == "f":
        return outputs.of_single(values, who=who)
    if outputs.single and lone:
        return answers_from_array(values, who=who, classes=outputs.classes)
    if outputs.order is None and outputs.threshold is None:
        return answers_from_array(values, who=who, classes=outputs.classes)
    if values.ndim == 2 and values.shape[1] > 1:
        return outputs.of_scores(values, who=who)
    return outputs.of_labels(answers_from_array(values, who=who).labels, who=who)


def checked(answers: Answers, *, who: str, classes: int | None) -> Answers:
    """The answers, if they name classes that there are.

    Raises:
        MisfitError: another number of classes, or a label out of range.
    """
    if classes is not None and answers.scores is not None and answers.scores.shape[1] != classes:
        raise MisfitError(
            f"{who} tells {answers.scores.shape[1]} classes apart, expected {classes}: "
            "it was made for other classes, or this is the wrong fingerprint or address. If some of its outputs are "
            "your classes, say which in a file of class names (--class-names)"
        )
    top = np.inf if classes is None else classes - 1
    wrong = (answers.labels < 0) | (answers.labels > top)
    if wrong.any():
        expected = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise MisfitError(f"{who} answered class {answers.labels[wrong][0]}, expected {expected}: it has other classes")
    return answers


def answers_from_json(values: Any, count: int, *, index: ClassIndex, who: str, reading: Reading = PLAIN) -> Answers:
    """Answers made from a JSON list with one entry per image.

    An entry is a label (number or name), a list of scores, an object of scores by class name, an object with a label,
    or a list of {"label", "score"}; one that names nothing ([], {}, null, "") says that the model abstained. Scores are
    kept only where every class has one.

    >>> index = ClassIndex(names=("cat", "dog"))
    >>> answers_from_json([[{"label": "cat", "p": 0.8}], []], 2, index=index, who="api")
    Answers(labels=array([ 0, -2]), scores=None)

    Args:
        reading: what the user says of the entries.

    Raises:
        SuspectError: too few answers, NaN, unknown classes, or none of these forms.
    """
    if not isinstance(values, list):
        raise SuspectError(f"{who} gave {_shown(values)}: expected a list with one answer per image")
    if len(values) != count:
        raise SuspectError(f"{who} gave {len(values)} answers to {count} images: nothing tells which are missing")
    rows = [_plain(row, reading) for row in values]
    named = np.array([row is not None and row not in ([], {}, "") for row in rows], dtype=bool)
    answers = _named([row for row, names in zip(rows, named, strict=True) if names], index, who, reading)
    return _spread(answers, named)


def _named(rows: list[Any], index: ClassIndex, who: str, reading: Reading) -> Answers:
    """The answers of rows that name something."""
    if rows and all(_numbers(row) for row in rows):
        if len({len(row) for row in rows}) != 1:
            raise SuspectError(f"{who} gave different numbers of scores for images of one request")
        return answers_from_outputs(_matrix(rows, who), who=who, outputs=index.outputs)
    if rows and index.outputs.single and all(isinstance(row, float) for row in rows):
        return answers_from_outputs(_matrix(rows, who), who=who, outputs=index.outputs)
    parts = [_one(row, index, who, reading) for row in rows]
    named = np.array([label is not None for label, _ in parts], dtype=bool)
    labels = np.array([label for label, _ in parts if label is not None], dtype=np.int64)
    score_rows = [row for _, row in parts if row is not None]
    if len(score_rows) < len(labels) or not score_rows or len({len(row) for row in score_rows}) != 1:
        return _spread(checked(Answers(labels=labels), who=who, classes=index.classes), named)
    answers = checked(answers_from_scores(np.stack(score_rows), who=who), who=who, classes=index.classes)
    return _spread(answers, named)


def _spread(answers: Answers, named: np.ndarray) -> Answers:
    """The answers in their places, abstentions in the others."""
    if named.all():
        return answers
    labels = np.full(len(named), ABSTAINED, dtype=np.int64)
    labels[named] = answers.labels
    if answers.scores is None:
        return Answers(labels=labels)
    scores = np.full((len(named), answers.scores.shape[1]), np.nan, dtype=np.float32)
    scores[named] = answers.scores
    return Answers(labels=labels, scores=scores)


def _plain(row: Any, reading: Reading) -> Any:
    """An entry without the brackets or the key around a lone value."""
    if isinstance(row, list) and len(row) == 1 and isinstance(row[0], list | str):
        return _plain(row[0], reading)
    if isinstance(row, dict) and reading.name is None and name_key(row, reading) is None:
        for key in ("label", "class", "prediction", "scores", "probabilities", "logits"):
            if key in row:
                return row[key]
    return row


def _numbers(row: Any) -> bool:
    return isinstance(row, list) and bool(row) and all(is_number(value) for value in row)


def _matrix(rows: list[Any], who: str) -> np.ndarray:
    try:
        return np.array(rows, dtype=np.float64)
    except OverflowError as error:
        raise SuspectError(f"{who} gave numbers too large to be scores") from error


def _one(row: Any, index: ClassIndex, who: str, reading: Reading) -> tuple[int | None, np.ndarray | None]:
    """Label and, where every class has a score, the scores (classes,) of one image; no label where it abstained."""
    listed = entries(row, reading, who=who)
    if listed is not None:
        return _best(listed, index, who, reading)
    return _class(row, index, who, reading), None


def _class(name: object, index: ClassIndex, who: str, reading: Reading) -> int | None:
    if name is None or name == "":
        return None
    try:
        number = index.of(name, who=who)
    except MisfitError:
        if reading.others == "refused":
            raise
        return None
    return None if number == ABSTAINED else number


def _best(listed: Entries, index: ClassIndex, who: str, reading: Reading) -> tuple[int | None, np.ndarray | None]:
    scores: dict[int | None, float] = {}
    for name, score in listed.pairs:
        if not is_number(score) or not abs(score) < 1e38:  # written so that NaN is refused, too
            raise SuspectError(f"{who} gave {_shown(score)} (NaN, or no number) as the score of class {_shown(name)}")
        number = _class(name, index, who, reading)
        scores[number] = max(float(score), scores.get(number, float(score)))  # two of its names may be one class here
    if not scores:
        return None, None
    label = max(scores, key=lambda number: scores[number])
    if not listed.scored or set(scores) != set(range(index.classes or 0)):
        return label, None
    return label, np.array([scores[number] for number in range(len(scores))], dtype=np.float32)


def require_scores(answers: Answers, access: Access, *, who: str) -> Answers:
    """The answers, if they show as much as was asked for.

    Raises:
        SuspectError: scores were asked for and only labels came.
    """
    if access >= Access.SCORES and answers.scores is None and answers.answered.any():
        raise LabelsOnlyError(f"{who} gives labels only, {access} were asked for: use --access labels")
    return answers


def _shown(value: object) -> str:
    """A value from outside, short and without control characters."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
