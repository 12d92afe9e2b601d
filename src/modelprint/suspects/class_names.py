"""What a suspect calls the classes: read from a file, or found by asking an API images whose classes are known.

classes = ["dog", "cat", "horse"]   # what its outputs stand for, in order, where they are not your classes one for one
background = 0                      # or: the one output, beside your classes, that is none of them
logit = true                        # a single output is a logit, and no share; classes = ["dog"] says of which class
threshold = 0.5                     # several classes at once: below it, a class is not answered
other_labels = "abstained"          # what is none of your classes counts as no answer
[class_names]
"the cat" = "cat"        # its name = your name or class number
"3" = "dog"              # of a suspect that answers numbers in another order
"horse" = ""             # none of your classes
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.interpret import ClassIndex
from modelprint.suspects.options import SuspectOptions
from modelprint.suspects.outputs import OutputForm

LEAST_SHARE = 0.5


class ClassNamesFile(Record):
    """The file.

    Attributes:
        classes, background, logit, threshold: as in `OutputForm`, whose `names` the first is.
        other_labels: what an answer is that names no class of yours: an error, or no answer.
        class_names: its name of each class, and yours; "": none of yours.
    """

    classes: tuple[str, ...] = Field(default=(), min_length=1)
    background: int | None = Field(default=None, ge=0, strict=True)
    logit: bool = Field(default=False, strict=True)
    threshold: float | None = Field(default=None, allow_inf_nan=False, strict=True)
    other_labels: Literal["refused", "abstained"] = "refused"
    class_names: dict[str, int | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it says nothing")
        if self.classes and self.background is not None:
            raise ValueError("classes names the background as well: leave background out")
        return self

    @property
    def form(self) -> OutputForm:
        """What it says of outputs."""
        return OutputForm(
            names=self.classes,
            background=self.background,
            logit=self.logit,
            threshold=self.threshold,
            others=self.other_labels == "abstained",
        )


@dataclass(frozen=True, kw_only=True)
class ClassNames:
    """What an API calls each class.

    Attributes:
        names: one per class.
        shares: of each class's images, those that got the class's name.
    """

    names: tuple[str, ...]
    shares: tuple[float, ...]

    def to_toml(self, class_names: tuple[str, ...]) -> str:
        """The file, with the shares as comments."""
        lines = [
            f"{json.dumps(name)} = {json.dumps(own)}  # {share:.0%} of its images"
            for name, own, share in zip(self.names, class_names, self.shares, strict=True)
        ]
        return "\n".join(["[class_names]", *lines]) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Listening(ClassIndex):
    """Gives every name that it hears a number of its own."""

    heard: dict[str, int] = field(default_factory=dict)

    def of(self, value: object, *, who: str) -> int:
        """The number of a name, new or heard before."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int | str):
            return super().of(value, who=who)
        return self.heard.setdefault(str(value), len(self.heard))


def read_class_names(path: Path) -> ClassNamesFile:
    """What a suspect calls the classes, and what its outputs stand for.

    Raises:
        SuspectError: missing, or not such a file; the message names the entry.
    """
    try:
        return ClassNamesFile.model_validate(tomllib.loads(read_regular(path).decode()))
    except OSError as error:
        raise SuspectError(f"the class names {path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SuspectError(
            f"{path} holds no class names: {place or 'file'}: {first['msg']}; expected a table [class_names] of "
            '"their name" = "your name", or classes = ["NAME", ...]'
        ) from error
    except (ValueError, RecursionError) as error:
        raise SuspectError(f"{path} is not TOML ({error}): mend the line that is named") from error


def ask_class_names(
    url: str, images: np.ndarray, labels: np.ndarray, classes: int, *, options: SuspectOptions
) -> ClassNames:
    """Find what an API calls each class, from its answers to images of known classes.

    Every name goes to one class, so that as many images as can be are named rightly (linear assignment). Names follow
    from true labels alone, never from the source's answers: an innocent's are found as well as a copy's.

    Args:
        images: uint8 (n, c, h, w), of every class.
        labels: their classes, int64 (n,).

    Raises:
        SuspectError: the API cannot be asked, or some class has no name of its own.
    """
    from scipy.optimize import linear_sum_assignment

    suspect = HttpSuspect.connect(
        url, replace(options, class_names=(), class_aliases={}, outputs=OutputForm(), ledger=None)
    )
    listening = _Listening()
    suspect.dialect.index = listening
    answers = suspect.ask(images, access=Access.LABELS)
    numbers = answers.labels[answers.answered]
    heard = list(listening.heard) or [str(number) for number in range(int(numbers.max(initial=-1)) + 1)]
    counts = np.zeros((classes, max(classes, len(heard))), dtype=np.int64)
    np.add.at(counts, (labels[answers.answered], numbers), 1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    of_class = np.maximum(1, np.bincount(labels, minlength=classes))
    shares = counts[rows, columns] / of_class
    poor = [number for number in range(classes) if shares[number] < LEAST_SHARE]
    if poor:
        shown = ", ".join(f"class {number} ({shares[number]:.0%})" for number in poor[:10])
        raise SuspectError(
            f"{suspect.identity} has no name of its own for {shown} of {classes}: fewer than half of the images of a "
            "class got one name. Does it tell these classes apart? Write the class names by hand, or ask more --images"
        )
    return ClassNames(names=tuple(heard[column] for column in columns), shares=tuple(shares.tolist()))


def per_class(labels: np.ndarray, count: int) -> np.ndarray:
    """The places of the first images of each class.

    >>> per_class(np.array([0, 1, 0, 0, 1]), 2).tolist()
    [0, 1, 2, 4]

    Args:
        count: of each class; fewer where there are fewer.
    """
    places = [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
    return np.sort(np.concatenate(places)) if places else np.zeros(0, np.int64)
