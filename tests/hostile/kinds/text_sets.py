"""Texts: JSON lines, tables and folders; encodings, empty and endless texts, characters that nobody sees; tokenizers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

from tests.hostile import commands, other_kinds
from tests.hostile.corpus import ANY, READ, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

LINES = "".join(json.dumps({"text": f"text number {n}", "label": "ab"[n % 2]}) + "\n" for n in range(10))
TABLE = "text,label\n" + "".join(f"text number {n},{'ab'[n % 2]}\n" for n in range(10))
DIGITS = "9" * 5000
UNSEEN = {
    "zero-width-space": "\u200b",
    "zero-width-joiner": "\u200d",
    "word-joiner": "\u2060",
    "bom-within": "\ufeff",
    "soft-hyphen": "\u00ad",
    "right-to-left": "\u202e",
    "isolate": "\u2066",
    "tag": "\U000e0041",
    "variation": "\ufe0f",
    "hangul-filler": "\u3164",
    "combining": "\u0301" * 50,
    "private": "\ue000",
    "unassigned": "\U000e0fff",
    "noncharacter": "\uffff",
    "line-separator": "\u2028",
    "next-line": "\u0085",
}
CONTROLS = {"nul": "\x00", "bell": "\x07", "escape": "\x1b[2J", "backspace": "\b", "vertical-tab": "\x0b", "c1": "\x9b2J", "delete": "\x7f"}  # fmt: skip


def line(text: object, label: object = "a") -> str:
    """Good lines and one more."""
    return LINES + json.dumps({"text": text, "label": label}) + "\n"


@family
def json_lines() -> Iterator[HostileInput]:
    """JSON lines of texts."""
    refused: dict[str, tuple[str | bytes, str]] = {
        "cut": (LINES + '{"text": "x', "line 11: it is no JSON"),
        "list": (LINES + "[1]\n", "line 11: expected"),
        "number": (LINES + "7\n", "line 11: expected"),
        "no-text": (LINES + '{"label": "a"}\n', "line 11: no field 'text'"),
        "no-label": (LINES + '{"text": "x"}\n', "line 11: no field 'label'"),
        "text-number": (line(5), "line 11: expected a text, got int"),
        "text-list": (line(["x"]), "line 11: expected a text, got list"),
        "text-null": (line(None), "line 11: no field 'text'"),
        "label-list": (line("x", ["a"]), "line 11: expected a name or a number"),
        "label-boolean": (line("x", label=True), "line 11: expected a name or a number"),
        "label-float": (line("x", 0.5), "line 11: expected a name or a number"),
        "label-nan": (line("x", float("nan")), "line 11: expected a name or a number"),
        "label-empty": (line("x", ""), "line 11: expected a name or a number"),
        "empty": (line(""), "line 11: the text is empty"),
        "spaces": (line(" \t\n "), "line 11: the text is empty"),
        "long": (line("x" * 5000), "line 11: the text has 5,000 bytes, more than 4,096"),
        "endless": (line("x" * 20_000_000), "line 11: the text has 20,000,000 bytes"),
        "two-labels": (line("text number 0", "b"), "line 1 and line 11 give one text two labels"),
        "half-a-character": (
            LINES + '{"text": "x\\ud800", "label": "a"}\n',
            "line 11: the text holds half a character",
        ),
        "latin-1": (
            LINES.encode() + '{"text": "\u00e9t\u00e9", "label": "a"}\n'.encode("latin-1"),
            "line 11: the byte",
        ),
        "overlong": (LINES.encode() + b'{"text": "\xc0\xae", "label": "a"}\n', "line 11: the byte"),
        "utf-16-bare": (LINES.encode("utf-16-le"), r"x\.jsonl"),
        "utf-16-odd": (LINES.encode("utf-16")[:-1], r"x\.jsonl"),
        "utf-32": (LINES.encode("utf-32"), r"x\.jsonl"),
        "nul": (bytes(10_000), r"x\.jsonl"),
        "empty-file": (b"", "holds no texts"),
        "newlines": (b"\n" * 1_000_000, "holds no texts"),
        "one-class": (LINES.replace('"b"', '"a"'), "all texts are of class 'a'"),
        "deep": (LINES + "[" * 100_000 + "\n", "line 11: it is no JSON"),
        "part-unknown": (LINES + '{"text": "x", "label": "a", "split": "y"}\n', "no part of a set"),
        "label-negative": (LINES.replace('"a"', "-1").replace('"b"', "1"), r"x\.jsonl"),
        "label-huge": (LINES.replace('"a"', "0").replace('"b"', str(10**30)), r"x\.jsonl"),
        "label-digits": (LINES.replace('"a"', "0").replace('"b"', DIGITS), r"x\.jsonl"),
    }
    as_text = commands.data_as("--modality", "text")
    for name, (data, says) in refused.items():
        yield hostile(f"texts/lines/{name}", content("x.jsonl", data), as_text, says, seconds=10)
    read: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
        "utf-16": (LINES.encode("utf-16"), ()),
        "bom": (LINES.encode("utf-8-sig"), ()),
        "carriage-returns": (LINES.replace("\n", "\r\n"), ()),
        "label-once": (line("x", "c"), ()),
        "twice": (line("text number 0", "a"), ()),
        "cut-at-a-length": (line("x" * 5000), ("--length", "64")),
        "cut-within-a-character": (line("\u4e2d" * 50), ("--length", "64")),
        "newlines-within": (line("two\nlines\tand a tab"), ()),
        "numbers-and-names": (line("x", 7), ()),
    }
    for name, (data, options) in read.items():
        yield hostile(f"texts/lines/{name}", content("x.jsonl", data), commands.data_as(*options), exits=READ)
    yield hostile("texts/lines/length-one", content("x.jsonl", LINES), commands.data_as("--length", "1"), "", ANY)
    for name, options in {
        "length-zero": ("--length", "0"), "length-huge": ("--length", str(10**12)), "field": ("--text", "body")
    }.items():  # fmt: skip
        yield hostile(
            f"texts/options/{name}", content("x.jsonl", LINES), commands.data_as(*options), "", frozenset({1, 2})
        )
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        yield hostile(f"texts/labels/{name}", content("x.jsonl", line("x", f"c{escape}")), as_text, "", ANY)
        other = LINES + json.dumps({f"x{escape}": 1}) + "\n"
        yield hostile(f"texts/fields/{name}", content("x.jsonl", other), as_text, "no field")
        twice = line("text number 0", f"c{escape}")
        yield hostile(f"texts/labels-twice/{name}", content("x.jsonl", twice), as_text, "two labels")
    yield from damaged("texts/lines-damaged", "x.jsonl", lambda place: LINES.encode(), as_text, 2)


@family
def characters() -> Iterator[HostileInput]:
    """Characters that nobody sees, and that do things."""
    for name, letter in CONTROLS.items():
        yield hostile(
            f"texts/characters/{name}", content("x.jsonl", line(f"a{letter}b")), commands.data,
            "line 11: the text holds the control character",
        )  # fmt: skip
    for name, letter in UNSEEN.items():
        yield hostile(
            f"texts/characters/{name}", content("x.jsonl", line(f"a{letter}b")), commands.data, "line 11", ANY
        )
        yield hostile(f"texts/alone/{name}", content("x.jsonl", line(letter)), commands.data, "line 11", ANY)
    alone = line("\u200b\u200d\ufeff")
    yield hostile("texts/alone/zero-width", content("x.jsonl", alone), commands.data, "line 11: the text is empty")
    for name, letter in {**UNSEEN, "nul": "\x00", "escape": "\x1b[2J"}.items():
        table = TABLE + f'"a{letter}b",a\n'
        yield hostile(f"texts/table-characters/{name}", content("x.csv", table), commands.data, "line", ANY)


@family
def tables() -> Iterator[HostileInput]:
    """CSV files of texts."""
    refused: dict[str, tuple[str | bytes, str]] = {
        "empty-text": (TABLE + ",a\n", "line 12: the text is empty"),
        "unquoted": (TABLE + "one, two,a\n", "line 12: 3 columns where the first line names 2"),
        "short": (TABLE + "x\n", "line 12: 1 columns"),
        "texts-twice": ("text,text,label\n" + "x,y,a\n" * 3, "several columns could be meant"),
        "labels-twice": ("text,label,class\n" + "x,a,b\n" * 3, "several columns could be meant"),
        "no-label": ("text,sort\n" + "x,a\n" * 3, "no column is called label"),
        "latin-1": (TABLE.encode() + "\u00e9t\u00e9,a\n".encode("latin-1"), "line 12: the byte"),
        "long-cell": (TABLE + "x" * 1_000_000 + ",a\n", r"x\.csv"),
        "open-quote": (TABLE + '"x' + "y" * 1_000_000, r"x\.csv"),
    }
    for name, (data, says) in refused.items():
        yield hostile(f"texts/tables/{name}", content("x.csv", data), commands.data, says)
    yield hostile("texts/tables/label-empty", content("x.csv", TABLE + "x,\n"), commands.data, "", ANY)
    yield hostile("texts/tables/quoted-lines", content("x.csv", TABLE + '"two\nlines",a\n'), commands.data, exits=READ)
    yield hostile("texts/tables/formula", content("x.csv", TABLE + "=cmd|'/c calc'!A1,a\n"), commands.data, exits=READ)


@family
def folders() -> Iterator[HostileInput]:
    """Folders of .txt files."""

    def texts(*more: tuple[str, bytes]) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            for number in range(6):
                place.file(f"s/{'ab'[number % 2]}/{number}.txt", f"text number {number}\n")
            for name, data in more:
                place.file(f"s/{name}", data)
            return str(place.root / "s")

        return make

    refused = {
        "empty": (b"", "a/x.txt: the text is empty"),
        "latin-1": (b"\xe9t\xe9", "x.txt, line 1: the byte"),
        "binary": (bytes(range(256)), "x.txt"),
        "nul": (b"a\x00b", "a/x.txt: the text holds the control character"),
        "long": (b"x" * 5000, "a/x.txt: the text has 5,000 bytes"),
        "endless": (b"x" * 2**26, "a/x.txt: the text has"),
        "executable": (b"\x7fELF" + bytes(100), "x.txt"),
    }
    for name, (data, says) in refused.items():
        yield hostile(f"texts/folders/{name}", texts(("a/x.txt", data)), commands.data, says, seconds=10)
    yield hostile("texts/folders/class-of-one", texts(("c/x.txt", b"alone")), commands.data, exits=READ)
    yield hostile("texts/folders/left-over", texts(("a/._x.txt", b"\xff\xfe\x00")), commands.data, exits=READ)
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        called = escape.replace("/", "").replace("\x00", "")
        yield hostile(f"texts/file-names/{name}", texts((f"a/x{called}.txt", b"")), commands.data, "txt")
        yield hostile(f"texts/folder-names/{name}", texts((f"c{called}/x.txt", b"alone")), commands.data, "", ANY)

    def special(kind: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            root = texts()(place)
            path = place.root / "s" / "a" / "x.txt"
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to({"zero": "/dev/zero", "loop": "x.txt", "secret": str(place.secret)}[kind])
            return root

        return make

    for kind in ("fifo", "folder", "zero", "loop", "secret"):
        yield hostile(f"texts/places/{kind}", special(kind), commands.data, "", ANY, seconds=15, quick=kind == "fifo")


@family
def against_a_model() -> Iterator[HostileInput]:
    """Texts that a model cannot be given, and models that a fingerprint of texts cannot be asked."""
    give = commands.quantise("text")
    yield hostile("texts/models/fits", content("x.jsonl", LINES), give, exits=READ)
    yield hostile("texts/models/longer", content("x.jsonl", line("x" * 200)), give, "", ANY)
    yield hostile(
        "texts/models/unknown-class", content("x.jsonl", line("x", "c")), give, "classes differ|no class called 'c'"
    )
    three = other_kinds.SPECS["text"].model_copy(update={"class_names": ("a", "b", "c")})
    suspects: dict[str, tuple[Callable[[], bytes], str]] = {
        "tokenizer-exchanged": (other_kinds.with_another_tokenizer, "the tokenizer was exchanged"),
        "three-classes": (lambda: other_kinds.model("text", three), "3|classes"),
        "of-series": (lambda: other_kinds.model("series"), "series|texts"),
        "of-vectors": (lambda: other_kinds.model("vector"), "vectors|texts"),
    }
    for name, (data, says) in suspects.items():
        yield hostile(
            f"texts/suspects/{name}", lambda place, data=data: place.file("m.safetensors", data()),
            commands.verify_kind("text"), says,
        )  # fmt: skip
    shorter = other_kinds.SPECS["text"].model_copy(update={"length": 8})
    yield hostile(
        "texts/suspects/shorter", lambda place: place.file("m.safetensors", other_kinds.model("text", shorter)),
        commands.verify_kind("text"), "", ANY,
    )  # fmt: skip
    yield from damaged(
        "texts/suspects-damaged", "m.safetensors", lambda place: other_kinds.model("text"),
        commands.verify_kind("text"), 2,
    )  # fmt: skip
