"""What a report shows of one scheme, as data: the scheme says what is to be seen, report/ draws it.

A scheme's `sections` gets an `Exhibit` and gives back sections of blocks. Queries are named by their numbers in the
fingerprint and models by their places in the exhibit; pictures, class names, colours and the choice of the models that
are shown in full are the report's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from modelprint.core.input_words import ANY_INPUT, InputWords
from modelprint.core.suspect import Answers

Path = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """What a scheme's sections are made from.

    Attributes:
        state: the scheme's, from the fingerprint.
        source: its answers to every query.
        models: answers of the models that were checked, to every query.
        calibration: answers of the calibration models, to every query.
        asked: the most queries that any of the models could have been asked.
        threshold: the score that the verdicts ask for, where all ask for the same.
        details: the scheme's own figures of each verdict.
        words: what inputs are called.
    """

    state: Mapping[str, np.ndarray]
    source: Answers
    models: Sequence[Answers]
    calibration: Sequence[Answers]
    asked: int
    threshold: float | None = None
    details: Sequence[Mapping[str, Any]] = ()
    words: InputWords = ANY_INPUT


@dataclass(frozen=True, kw_only=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Names and values, one row each."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """A rate of each part of the fingerprint (trajectory, view ...), for every model.

    Attributes:
        title: what the rates are.
        axis: the name of one rate.
        units: what has a rate: one of them, several of them.
        models, calibration: rates (parts,), NaN where nothing was answered.
        limit: drawn as a dashed line.
        limit_text: what the line means.
    """

    title: str
    axis: str
    units: tuple[str, str]
    models: Sequence[Float[np.ndarray, " parts"]]
    calibration: Sequence[Float[np.ndarray, " parts"]]
    limit: float
    limit_text: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A share at each place, from place 1 on, for every model.

    Attributes:
        x, y: what the axes are.
        label: what the chart shows, for those who cannot see it.
        models, calibration: shares (places,), NaN where nothing was answered.
        every: places between two ticks.
    """

    title: str
    caption: str
    x: str
    y: str
    label: str
    models: Sequence[Float[np.ndarray, " places"]]
    calibration: Sequence[Float[np.ndarray, " places"]]
    every: int


@dataclass(frozen=True, kw_only=True)
class Course:
    """A line for every model: how a number grew as queries were asked.

    Attributes:
        x, y: what the axes are.
        models, calibration: the points of each line.
        threshold: drawn as a dashed line.
    """

    title: str
    caption: str
    x: str
    y: str
    models: Sequence[Path]
    calibration: Sequence[Path]
    threshold: float | None


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Some queries in a row.

    Attributes:
        queries: their numbers.
        to_class: the class that they lead to, named after the title; none if they lead to none.
    """

    title: str
    queries: Sequence[int]
    to_class: int | None = None


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Queries in order, picture by picture, with the answers of the source and of the models shown in full.

    Attributes:
        label: what one picture is, with {place} for its number.
    """

    note: str
    label: str
    stretches: Sequence[Stretch]


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Queries in order, on the two directions in which they vary most, for each model that is shown in full.

    Attributes:
        label: what the chart shows, for those who cannot see it.
        queries: their numbers.
        every: each so-manieth carries the number of its class.
    """

    title: str
    text: str
    label: str
    queries: Sequence[int]
    every: int


@dataclass(frozen=True, kw_only=True)
class AgreedQueries:
    """The queries that the model shown in full answers as the source does, those first that fewest others so answer."""

    title: str
    most: int = 12


Block = Paragraph | Facts | Rates | Profile | Course | Strip | Plane | AgreedQueries


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a report, under its title."""

    title: str
    blocks: Sequence[Block]
