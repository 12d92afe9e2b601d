"""Numbers and names as a reader sees them."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

_LONGEST_NAME = 120
NONE = "\u2013"  # a dash: there is no such number


def plain_name(name: str, *, longest: int = _LONGEST_NAME) -> str:
    r"""A name that can do no more than be read.

    Control and direction characters are spelled out; of a long name the middle is left out.

    >>> plain_name("resnet\u202e20\n")
    'resnet\\u202e20\\n'
    >>> plain_name("models/suspect.onnx", longest=12)
    'model…t.onnx'
    """
    visible = "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        else character
        for character in name
    )
    if len(visible) > longest:
        end = longest // 2
        visible = f"{visible[: longest - end - 1]}…{visible[-end:]}"
    return visible or "(no name)"


def typeset(text: str) -> str:
    r"""A text of the program, with apostrophes as they are printed.

    >>> typeset("the source's class") == "the source\u2019s class"
    True
    """
    return text.replace("'", "\u2019")


def percent(rate: float) -> str:
    """A rate in percent, with one digit behind the point, or two that count below 1 %.

    >>> [percent(rate).replace("\u202f", " ") for rate in (0.05, 0.1391, 1.0, 0.00012)]
    ['5 %', '13.9 %', '100 %', '0.012 %']
    """
    value = 100 * rate
    text = f"{value:.2g}" if 0 < value < 1 else f"{value:.1f}".removesuffix(".0")
    return f"{text}\u202f%"


def number(value: float | None, *, digits: int = 4) -> str:
    r"""A number with so many digits behind the point; a dash where there is none.

    >>> number(0.97), number(None) == NONE, number(1234), number(-2.5, digits=1) == "\u22122.5"
    ('0.9700', True, '1,234', True)
    """
    if value is None or math.isnan(value):
        return NONE
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}"
    return text.replace("-", "\u2212")


def p_text(p_value: float | None) -> str:
    """A p-value with four digits behind the point, or two that count where it is smaller; never 0.

    >>> p_text(1 / 21), p_text(1 / 50001), p_text(1.0), p_text(None) == NONE
    ('0.0476', '2.0e-05', '1.0000', True)
    """
    return NONE if p_value is None else f"{p_value:.4f}" if p_value >= 0.0005 else f"{p_value:.1e}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """So many of something.

    >>> counted(1, "model"), counted(1200, "query", "queries")
    ('1 model', '1,200 queries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def value_text(value: Any) -> str:
    """Any JSON value on one line.

    >>> value_text(0.5), value_text([1, 2]), value_text("a"), value_text(1234)
    ('0.5', '[1, 2]', 'a', '1,234')
    """
    if isinstance(value, str):
        return plain_name(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return plain_name(json.dumps(value, ensure_ascii=False, default=str))


def short_hash(identity: str) -> str:
    """The start of a hash, enough to tell models apart; anything else as it is.

    >>> short_hash("sha256:" + "ab" * 32), short_hash("https://api.example/m")
    ('sha256:abababababab…', 'https://api.example/m')
    """
    return f"{identity[:19]}…" if identity.startswith("sha256:") and len(identity) == 71 else plain_name(identity)
