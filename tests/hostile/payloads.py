"""What hostile inputs try to do, and the marks by which it would be seen that they did."""

from __future__ import annotations

SECRET = "the text of a file that nobody named 5ec237"
TOKEN = "t0k3n/that+nobody=may see"
BREAKOUT = "x-hostile"

ESCAPES = {
    "clear-screen": "\x1b[2J",
    "cursor-home": "\x1b[1;1H",
    "cursor-up": "\x1b[9A",
    "title": "\x1b]0;title\x07",
    "hyperlink": "\x1b]8;;http://example.invalid\x1b\\here\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "c1-csi": "\x9b2J",
    "c1-osc": "\x9d0;t\x9c",
    "device-query": "\x1b[6n",
    "backspaces": "derived" + "\b" * 7 + "innocent",
    "carriage-return": "derived\rinnocent",
    "delete": "a\x7f",
    "right-to-left": "\u202egnp.exe",
    "isolate": "\u2066a\u2069",
    "zero-width": "a\u200bb",
    "bom": "\ufeffa",
    "tag-characters": "a\U000e0041",
    "line-separator": "a\u2028b",
    "vertical-tab": "a\x0bb\x0cc",
    "nul": "a\x00b",
    "bell": "\x07" * 3,
    "newlines": "x\nerror: no\nx: derived",
}
RICH = {
    "unbalanced": "[/x]",
    "bold": "[bold]x[/bold]",
    "link": "[link=http://example.invalid]x[/link]",
    "escape": "\\[/x]",
    "emoji": ":warning:",
    "style": "[on red]x",
    "action": "[@click=app.quit]x[/]",
    "open": "[" * 50,
}
MARKUP = {
    "tag": f"<{BREAKOUT}>",
    "script-end": f"</script><{BREAKOUT}>",
    "attribute": f'"><{BREAKOUT} onload="x">',
    "quote": f"' {BREAKOUT}='1",
    "double-quote": f'" {BREAKOUT}="1',
    "style-end": f"</style><{BREAKOUT}>",
    "comment": f"--><{BREAKOUT}><!--",
    "svg": f"</text></svg><{BREAKOUT}>",
    "textarea": f"</textarea></title><{BREAKOUT}>",
    "template": "{{ 7 * 7191 }}{% raw %}",
}
