"""Answers by hand: CSV files, and the files of class names that go with them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.hostile.commands import identify, negatives, record, verify
from tests.hostile.corpus import ANY, READ, REFUSED, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

WHOLE = "index,label\n0,0\n1,1\n2,2\n3,0\n"


@family
def tables() -> Iterator[HostileInput]:
    """Files that are no table, or a very large one."""
    cases: dict[str, bytes] = {
        "empty": b"",
        "newlines": b"\n" * 1_000_000,
        "carriage-returns": b"\r" * 1_000_000,
        "nul": bytes(100_000),
        "comments": b"# x\n" * 1_000_000,
        "open-quote": b'index,label\n0,"' + b"x" * 1_000_000,
        "quotes": b"index,label\n0," + b'"' * 1_000_001,
        "long-cell": b"index,label\n0," + b"x" * 5_000_000 + b"\n",
        "long-header": b"index,label," + b"x" * 5_000_000 + b"\n0,1,2\n",
        "many-columns": b"index,label" + b",note" * 500_000 + b"\n0,1\n",
        "many-columns-twice": b",".join([b"index"] * 500_000) + b"\n",
        "many-rows": b"index,label\n" + b"0,1\n" * 1_500_000,
        "many-separators": b"index,label\n" + b",;\t" * 2_000_000 + b"\n",
        "too-large": WHOLE.encode() + b"#" * 12_000_000,
        "utf-16-odd": WHOLE.encode("utf-16")[:-1],
        "utf-16-surrogate": b"\xff\xfe" + b"\x00\xd8" * 1000,
        "utf-16-bare": WHOLE.encode("utf-16-le"),
        "utf-32": WHOLE.encode("utf-32"),
        "latin-1": "index,label\n0,\u00e9t\u00e9\n".encode("latin-1"),
        "overlong": b"index,label\n0,\xc0\xae\n",
        "zip": b"PK\x03\x04" + bytes(1000),
        "gzip": b"\x1f\x8b\x08" + bytes(1000),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(1000),
        "pickle": b"\x80\x04cos\nsystem\n(S'x'\ntR.",
        "json": b'{"index": 0, "label": 1}\n',
        "html": b"<table><tr><td>index</td></tr></table>",
        "no-header": b"0,1\n1,2\n",
    }
    for name, data in cases.items():
        yield hostile(f"recordings/csv-tables/{name}", content("a.csv", data), verify(), "a.csv")
        if len(data) < 10_000:
            yield hostile(f"recordings/csv-record/{name}", content("a.csv", data), record, "a.csv")


@family
def cells() -> Iterator[HostileInput]:
    """Cells that make no sense."""
    digits = "9" * 5000
    cases = {
        "index-negative": "index,label\n-1,0\n",
        "index-huge": f"index,label\n{digits},0\n",
        "index-float": "index,label\n1e3,0\n",
        "index-hex": "index,label\n0x1,0\n",
        "index-underscore": "index,label\n1_0,0\n",
        "index-arabic": "index,label\n\u0661,0\n",
        "index-superscript": "index,label\n\u00b2,0\n",
        "index-twice": "index,label\n0,0\n0,1\n",
        "label-huge": f"index,label\n0,{digits}\n",
        "label-negative": "index,label\n0,-1\n",
        "label-nan": "index,label\n0,nan\n",
        "label-formula": "index,label\n0,=cmd|'/c calc'!A1\n",
        "label-expression": "index,label\n0,__import__('os').system('x')\n",
        "label-template": "index,label\n0,{who.__class__}\n",
        "label-percent": "index,label\n0,%s%n%d\n",
        "label-list": 'index,label\n0,"[0, 1]"\n',
        "score-huge": f"index,0,1,2\n0,{digits},0,0\n",
        "score-infinite": "index,0,1,2\n0,1e400,0,0\n",
        "score-nan": "index,0,1,2\n0,nan,0,0\n",
        "score-underscore": "index,0,1,2\n0,x_1,0,0\n",
        "score-text": f"index,0,1,2\n0,{'x' * 100_000},0,0\n",
        "file-up": "file,label\n../../etc/passwd,0\n",
        "file-absolute": "file,label\n/etc/passwd,0\n",
        "file-address": "file,label\nhttp://127.0.0.1:9/000000.gif/x,0\n",
        "file-device": "file,label\n/dev/zero,0\n",
        "query-short": "query,label\nabc,0\n",
        "query-other": f"query,label\n{'f' * 64},0\n",
        "query-long": f"query,label\n{'f' * 100_000},0\n",
        "column-twice": "index,label,label\n0,0,1\n",
        "columns-of-one-class": "index,0,LABEL_0,1,2\n0,.1,.2,.3,.4\n",
        "column-unknown": "index,label,x\n0,0,1\n",
        "cells-too-many": "index,label\n0,0,1\n",
        "cells-too-few": "index,label\n0\n",
    }
    for name, text in cases.items():
        yield hostile(f"recordings/csv-cells/{name}", content("a.csv", text), verify(), "a.csv")
        yield hostile(f"recordings/csv-identify/{name}", content("a.csv", text), identify, "", ANY)


@family
def names() -> Iterator[HostileInput]:
    """Escapes and markup in names of files, columns and labels."""
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        quoted = '"' + escape.replace('"', '""') + '"'
        for where, text in {
            "label": f"index,label\n0,{quoted}\n",
            "column": f"index,label,{quoted}\n0,0,1\n",
            "index": f"index,label\n{quoted},0\n",
            "query": f"query,label\n{quoted},0\n",
        }.items():
            blank = not escape.strip()
            yield hostile(
                f"recordings/csv-names-{where}/{name}", content("a.csv", text), verify(), "" if blank else "a.csv", ANY
            )
        if name == "nul":
            continue  # no word of a command line can hold it

        def file(place: Place, escape: str = escape) -> str:
            return place.file(f"a{escape.replace('/', '')}.csv", WHOLE)

        yield hostile(f"recordings/csv-file-names/{name}", file, verify(), "", READ)


@family
def places() -> Iterator[HostileInput]:
    """Things that are no files, and files in a judge's folder."""
    for kind in ("fifo", "zero", "loop", "dangling", "secret", "folder"):

        def make(place: Place, kind: str = kind) -> str:
            path = place.root / "a.csv"
            targets = {"zero": "/dev/zero", "loop": path.name, "dangling": "nothing", "secret": str(place.secret)}
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to(targets[kind])
            return str(path)

        yield hostile(f"recordings/csv-places/{kind}", make, verify(), r"a\.csv", quick=kind == "fifo")
    for name, text in {
        "by-number": WHOLE,
        "another-export": f"query,label\n{'f' * 64},0\n",
        "escape": "\x1b[2J",
    }.items():

        def judge(place: Place, text: str = text) -> str:
            place.file("models/a.csv", text)
            return str(place.root / "models")

        yield hostile(f"recordings/csv-judge/{name}", judge, negatives, "a.csv|holds no models")


@family
def class_names() -> Iterator[HostileInput]:
    """Files that say what outputs stand for."""
    many = ", ".join(f'"{number}"' for number in range(100_000))
    cases = {
        "says-nothing": "",
        "classes-empty": "classes = []",
        "classes-text": 'classes = "abc"',
        "classes-numbers": "classes = [0, 1, 2]",
        "classes-one-of-three": 'classes = ["0"]',
        "background-huge": f"background = {'9' * 400}",
        "background-negative": "background = -1",
        "background-beyond": "background = 9",
        "background-truth": "background = true",
        "threshold-nan": "threshold = nan",
        "threshold-infinite": "threshold = inf",
        "threshold-text": 'threshold = "x"',
        "other-labels": 'other_labels = "x"',
        "logit": 'logit = "yes"',
        "two": 'classes = ["0", "1", "2"]\nbackground = 0',
        "alias-beyond": '[class_names]\n"9" = 9',
        "alias-escape": '[class_names]\n"x" = "\\u001b[2J"',
        "unknown": "x = 1",
        "nested": "x = " + "[" * 100_000,
        "not-utf8": "x = '\udcff'",
    }
    for name, text in cases.items():
        yield hostile(f"recordings/csv-class-names/{name}", content("names.toml", text), _with_names, "", REFUSED)
    yield hostile(
        "recordings/csv-class-names/many",
        content("names.toml", f"classes = [{many}]"),
        _with_names,
        "",
        ANY,
        seconds=20,
    )


def _with_names(place: Place, made: str) -> list[str]:
    return [*verify("--class-names", made)(place, place.file("a.csv", WHOLE))]


@family
def damage() -> Iterator[HostileInput]:
    """A whole file with damage."""
    yield from damaged("recordings/csv-damaged", "a.csv", lambda _: WHOLE.encode(), verify(), 5)
