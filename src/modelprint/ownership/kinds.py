"""Kinds of calibration models: the false positive rate holds for each kind by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelprint.core.verdict import Kind

_NAMES: dict[Kind, str] = {
    "INDEPENDENT": "independent models",
    "COPY": "copies of other models",
    "SHARED": "siblings",
    "OTHER": "models from another public checkpoint",
}
_KINDS: dict[str, Literal["COPY", "SHARED", "OTHER"]] = {"COPY": "COPY", "SHARED": "SHARED", "OTHER": "OTHER"}


@dataclass(frozen=True, kw_only=True)
class Group:
    """Calibration models that a suspect is ranked among: those of one kind that answer in one way.

    Attributes:
        kind: of independent models; "INDEPENDENT" are all that were trained from scratch on their own.
        behind: the transform through which they were asked, where one is expected.

    >>> str(Group(kind="COPY", behind="blur"))
    'copies of other models behind blur'
    """

    kind: Kind = "INDEPENDENT"
    behind: str | None = None

    def __str__(self) -> str:
        return _NAMES[self.kind] if self.behind is None else f"{_NAMES[self.kind]} behind {self.behind}"


def group_of(kind: str | None, behind: str | None) -> Group:
    """The group of a calibration model whose record says this kind (SAST, SADT, DAST, DADT, SHARED, COPY, OTHER).

    >>> group_of("SADT", None).kind
    'INDEPENDENT'
    """
    return Group(kind=_KINDS.get(kind or "", "INDEPENDENT"), behind=behind)
