"""A figure and the words beside it, as the template sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from markupsafe import Markup

from modelprint.report.drawing.pictures import RegionMap, class_name, colour, ink


@dataclass(frozen=True, kw_only=True)
class Key:
    """One entry of a legend: a swatch of some role's colour, in the form in which the chart shows it."""

    text: str
    role: str
    form: Literal["mark", "line", "band", "rule"] = "mark"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart, its title, legend and caption."""

    title: str
    svg: Markup
    caption: str
    keys: Sequence[Key] = ()


@dataclass(frozen=True, kw_only=True)
class ClassKey:
    """One class in a legend: its number on its colour, and its name."""

    label: int
    name: str
    colour: str
    ink: str


@dataclass(frozen=True, kw_only=True)
class LabelledMap:
    """A map of decision regions and whose they are."""

    title: str
    map: RegionMap
    caption: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One row of a table of facts; `code` is set in a fixed-width face."""

    name: str
    value: str
    code: bool = False


def role_keys(roles: Iterable[str], *, form: Literal["mark", "line"] = "mark") -> list[Key]:
    """A legend of the roles that occur, in the order in which they come."""
    return [Key(text=role, role=role, form=form) for role in dict.fromkeys(roles)]


def rule_key(text: str) -> Key:
    """The legend of a dashed line."""
    return Key(text=text, role="rule", form="rule")


def class_keys(labels: np.ndarray, class_names: Sequence[str]) -> list[ClassKey]:
    """A legend of the classes that occur."""
    present = sorted({int(label) for label in labels.ravel() if label >= 0})
    return [ClassKey(label=v, name=class_name(v, class_names), colour=colour(v), ink=ink(v)) for v in present]
