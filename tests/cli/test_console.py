"""What is printed is what was meant: no markup, no emoji, no escape sequences, nothing cut."""

from __future__ import annotations

import io

import pytest
from rich.table import Table

from modelprint.cli import console
from modelprint.cli.console import PlainConsole, print_table

NAMES = ("digits:train", "a:cat:.pt", "[/x]", "[bold]name[/bold]", "\x1b[31mred", "x\u202egp.exe")


def printed(name: str, *, table: bool) -> str:
    stream = io.StringIO()
    plain = PlainConsole(file=stream, width=40, highlight=False, force_terminal=True, color_system=None)
    if table:
        rows = Table(title=name, box=None)
        rows.add_column(name)
        rows.add_row(name)
        plain.print(rows)
    else:
        plain.print(name)
    return stream.getvalue()


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_they_are(name: str, table: bool) -> None:
    text = printed(name, table=table)
    visible = name.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
    assert visible in text
    assert "\x1b[31m" not in text
    assert "\u202e" not in text


def test_a_table_is_as_wide_as_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(console, "out", PlainConsole(file=stream, width=60, highlight=False))
    rows = Table(show_header=False, box=None)
    identity = "sha256:" + "ab" * 32
    rows.add_row("signed by", identity + " (NOT compared: --key)")
    print_table(rows)
    assert identity + " (NOT compared: --key)" in stream.getvalue()
