"""Strangers' text cannot repaint a terminal."""

from __future__ import annotations

import json

import pytest

from modelprint.core.printable import printable

HOSTILE = ("\x1b[2J\x1b[H derived", "\x9b31m", "a\rb", "\u202ederived", "\u2066x\u2069", "\x07", "\ud800", "\U000e0041")


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_unseen_is_left(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert "\\u" in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_json_means_the_same_when_escaped(text: str) -> None:
    written = json.dumps({"name": text}, ensure_ascii=False)
    assert json.loads(printable(written)) == {"name": text}


@pytest.mark.parametrize("text", ["Straße ✓ 模型", "two\nlines\tand a tab", "10\u202f%", ""])
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text
