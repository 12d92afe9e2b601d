"""What reports call the inputs of a fingerprint: texts and sounds are no pictures, and have no pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InputWords:
    """The words of one kind of input.

    Attributes:
        one: an input, with its article.
        name, names: one input, and several.
        parts: the numbers that an input consists of.
    """

    one: str = "an input"
    name: str = "input"
    names: str = "inputs"
    parts: str = "values"

    @property
    def fields(self) -> Mapping[str, str]:
        """The words by the names that stand for them in what schemes say of themselves.

        >>> "Each starts at {one_input}.".format_map(InputWords(one="a text").fields)
        'Each starts at a text.'
        """
        return {
            "one_input": self.one,
            "input_name": self.name,
            "input_names": self.names,
            "input_parts": self.parts,
        }


ANY_INPUT = InputWords()
