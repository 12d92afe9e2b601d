"""Text that strangers wrote, made fit for a terminal: no escape sequence, no reordering of what is read."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
_LEFT_OUT = " ... "
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, formats, surrogates, unassigned, separators


def printable(text: str) -> str:
    r"""The text with each character that is not seen written as its code, as JSON writes it; line ends and tabs stay.

    >>> printable("a\x1b[2Jb\u202ec\x9b"), printable("Stra\xdfe \u2713\n")
    ('a\\u001b[2Jb\\u202ec\\u009b', 'Straße ✓\n')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_code(letter) if _unseen(letter) else letter for letter in text)


def one_line(text: str, *, most: int = 1000) -> str:
    r"""The text in one line of at most so many characters: line ends as codes, the middle of what is longer left out.

    >>> one_line("a\nb"), one_line("abcdefghij" * 2, most=15)
    ('a\\nb', 'abcde ... fghij')
    """
    line = "\\n".join(text.strip().splitlines())
    kept = (most - len(_LEFT_OUT)) // 2
    return line if len(line) <= most else line[:kept] + _LEFT_OUT + line[-kept:]


def _unseen(letter: str) -> bool:
    return letter not in _KEPT and unicodedata.category(letter) in _UNSEEN


def _code(letter: str) -> str:
    r"""One \uXXXX, or the two of a surrogate pair, so that escaped JSON stays the same JSON."""
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))
