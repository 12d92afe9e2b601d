"""What a scheme may see of a suspect."""

from __future__ import annotations

from enum import IntEnum


class Access(IntEnum):
    """Access levels, ordered: a suspect that gives more also gives less.

    >>> Access.LABELS < Access.SCORES
    True
    >>> Access.parse("scores")
    <Access.SCORES: 2>
    """

    LABELS = 0
    TOPK = 1
    SCORES = 2
    GRADIENTS = 3
    WEIGHTS = 4

    @classmethod
    def parse(cls, name: str) -> Access:
        """The level of that name, in any case.

        Raises:
            ValueError: when there is none of that name.
        """
        try:
            return cls[name.upper()]
        except KeyError:
            known = ", ".join(level.name.lower() for level in cls)
            raise ValueError(f"unknown access level {name!r}: use one of {known}") from None

    def __str__(self) -> str:
        return self.name.lower()
