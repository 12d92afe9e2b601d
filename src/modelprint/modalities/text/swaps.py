"""Swaps: a text with one character written in another way, as people do who mistype.

A swap of one place keeps all other places as they are, so that the share of changed words can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from modelprint.modalities.text.characters import keys_beside


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A change of one place of a text.

    Attributes:
        start, stop: the characters that are replaced.
        by: what stands there afterwards.
    """

    start: int
    stop: int
    by: str

    def applied(self, text: str) -> str:
        """The text with the change.

        >>> Swap(start=1, stop=2, by="x").applied("abc")
        'axc'
        """
        return text[: self.start] + self.by + text[self.stop :]


def swaps_at(text: str, place: int) -> list[Swap]:
    """Mistypings of the character at a place: the key beside it, the next letter first, twice, left out, other case.

    Only letters inside a text are touched, and spaces never: the words stay as many.

    >>> [swap.applied("the") for swap in swaps_at("the", 1)]
    ['tge', 'tje', 'tye', 'tue', 'tbe', 'tne', 'teh', 'thhe', 'te', 'tHe']
    """
    letter = text[place]
    if not letter.isalpha():
        return []
    changed = [Swap(start=place, stop=place + 1, by=key) for key in keys_beside(letter)]
    after = text[place + 1 : place + 2]
    if after.isalpha() and after != letter:
        changed.append(Swap(start=place, stop=place + 2, by=after + letter))
    changed.append(Swap(start=place, stop=place + 1, by=letter * 2))
    if (place and text[place - 1].isalpha()) or after.isalpha():  # a word never vanishes
        changed.append(Swap(start=place, stop=place + 1, by=""))
    other = letter.swapcase()
    if len(other) == 1 and other != letter:
        changed.append(Swap(start=place, stop=place + 1, by=other))
    return changed


def words_changed(before: str, after: str) -> float:
    """The share of a text's words that another text of as many words writes in another way, 0 to 1.

    >>> words_changed("the old man", "teh old man") == 1 / 3
    True
    """
    pairs = list(zip(before.split(), after.split(), strict=True))
    return sum(one != other for one, other in pairs) / max(1, len(pairs))
