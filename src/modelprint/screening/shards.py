"""Parts of a scan, each for a machine of its own.

Holm's correction is within each suspect, so that the parts together say what one scan of all suspects says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from modelprint.core.errors import UsageError
from modelprint.screening.targets import Target


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One of several parts of a scan, each for a machine of its own.

    Attributes:
        number: from 1 to `count`.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A part, as a command line names it.

        >>> Shard.parse("3/16")
        Shard(number=3, count=16)

        Raises:
            UsageError: it names none.
        """
        number, _, count = text.partition("/")
        if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
            raise UsageError(f"--shard {text!a} names no part: give its number and their count, such as 3/16")
        return cls(number=int(number), count=int(count))

    def of(self, targets: Sequence[Target]) -> list[Target]:
        """The targets of this part, by the hashes of their names: files that come or go move no other one.

        Raises:
            UsageError: none is in this part.
        """
        own = [target for target in targets if _number(target.name) % self.count == self.number - 1]
        if not own:
            raise UsageError(
                f"none of {len(targets)} suspects is in part {self.number} of {self.count}: use fewer parts"
            )
        return own


def _number(name: str) -> int:
    return int(hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest(), 16)
