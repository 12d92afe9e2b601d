"""Characters: what people take for the same, and what nobody sees.

Sources: neighbours of keys are those of a US keyboard; look-alikes are a part of the Unicode Consortium's confusables
(Unicode Technical Standard 39), Latin letters with the Cyrillic or Greek letters that are drawn alike.
"""

from __future__ import annotations

import re
import unicodedata

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
ALIKE = dict(
    zip(
        "acdeijopsxyABCEHIKMOPTX",
        "\u0430\u0441\u0501\u0435\u0456\u0458\u043e\u0440\u0455\u0445\u0443\u0410\u0412\u0421\u0415\u041d\u0406\u041a\u041c\u041e\u0420\u0422\u0425",
        strict=True,
    )
)
ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
_UNSEEN = re.compile(f"[{''.join(sorted(ZERO_WIDTH))}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all of category Cc but tab and line breaks


def keys_beside(letter: str) -> str:
    """The letters on the keys beside a letter's, in its case; none for other characters.

    >>> keys_beside("g"), keys_beside("Q"), keys_beside("é")
    ('fhtyvb', 'WA', '')
    """
    beside = _BESIDE.get(letter.lower(), "")
    return beside.upper() if letter.isupper() else beside


def without_accents(text: str) -> str:
    """The text with each accented letter replaced by its plain one.

    >>> without_accents("Évora, år")
    'Evora, ar'
    """
    parts = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(part for part in parts if not unicodedata.combining(part)))


def unseen(text: str) -> str | None:
    r"""The first zero-width character of a text, as U+200B; None where there is none.

    >>> unseen("a\u200bb"), unseen("ab")
    ('U+200B', None)
    """
    first = _UNSEEN.search(text)
    return None if first is None else f"U+{ord(first[0]):04X}"


def without_unseen(text: str) -> str:
    r"""The text without zero-width characters.

    >>> without_unseen("a\u200bb")
    'ab'
    """
    return _UNSEEN.sub("", text)


def control(text: str) -> str | None:
    r"""The first control character other than tab and line breaks, as U+0007; None where there is none.

    >>> control("a\x07b"), control("a\tb")
    ('U+0007', None)
    """
    first = _CONTROL.search(text)
    return None if first is None else f"U+{ord(first[0]):04X}"


def _neighbours() -> dict[str, str]:
    beside: dict[str, str] = {}
    for number, row in enumerate(ROWS):
        for place, key in enumerate(row):
            near = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            if number:
                near += ROWS[number - 1][place : place + 2]
            if number + 1 < len(ROWS):
                near += ROWS[number + 1][max(0, place - 1) : place + 1]
            beside[key] = near
    return beside


_BESIDE = _neighbours()
