"""What an API calls the classes: read from a file, or found by asking it images whose classes are known.

[class_names]
"the cat" = "cat"        # the API's name = your name or class number
"3" = "dog"              # of an API that answers numbers in another order
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from modelprint.core.access import Access
from modelprint.core.errors import SuspectError
from modelprint.core.records import Record
from modelprint.core.untrusted import read_regular
from modelprint.suspects.http import HttpSuspect
from modelprint.suspects.interpret import ClassIndex
from modelprint.suspects.options import SuspectOptions

LEAST_SHARE = 0.5


class ClassNamesFile(Record):
    """The file."""

    class_names: dict[str, int | str]


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


def read_class_names(path: Path) -> dict[str, int | str]:
    """The API's names, each with yours.

    Raises:
        SuspectError: missing, or not such a file; the message names the entry.
    """
    try:
        return ClassNamesFile.model_validate(tomllib.loads(read_regular(path).decode())).class_names
    except OSError as error:
        raise SuspectError(f"the class names {path} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SuspectError(
            f"{path} holds no class names: {place}: {first['msg']}; expected a table [class_names] of "
            '"their name" = "your name"'
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

    suspect = HttpSuspect.connect(url, replace(options, class_names=(), class_aliases={}, ledger=None))
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
