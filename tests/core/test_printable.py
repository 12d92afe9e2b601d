"""Strangers' text cannot repaint a terminal."""

from __future__ import annotations

import json

import pytest

from modelprint.core.printable import one_line, printable

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


@pytest.mark.parametrize("length", [0, 999, 1000, 1001, 10**6])
def test_a_line_is_never_longer_than_it_may_be(length: int) -> None:
    line = one_line("x" * length)
    assert len(line) == min(length, len(line))
    assert len(line) <= 1000
    assert (" ... " in line) == (length > 1000)


def test_line_ends_are_seen() -> None:
    assert one_line("a\nerror: b\r\nc\u2028d\n") == "a\\nerror: b\\nc\\nd"
