"""Recorded answers, as lines of JSON and as arrays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import numpy as np

from tests.hostile.commands import identify, negatives, verify
from tests.hostile.corpus import ANY, READ, REFUSED, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import npz

Lines = list[dict[str, object]]
NAN = float("nan")


def lines_of(place: Place) -> Lines:
    """The honest recording."""
    return [json.loads(line) for line in place.seeds.recording(".jsonl").splitlines()]


def written(lines: Lines) -> str:
    """As lines of JSON."""
    return "".join(json.dumps(line) + "\n" for line in lines)


def changed(change: Callable[[Lines], object]) -> Callable[[Place], str]:
    """The honest recording, changed in place."""

    def data(place: Place) -> str:
        lines = lines_of(place)
        change(lines)
        return written(lines)

    return data


def header(**fields: object) -> Callable[[Lines], object]:
    """Other fields of the header."""
    return lambda lines: lines[0].update(fields)


def answer(**fields: object) -> Callable[[Lines], object]:
    """Other fields of the first answer."""
    return lambda lines: lines[1].update(fields)


@family
def lines() -> Iterator[HostileInput]:
    """Lines that do not fit."""
    cases: dict[str, Callable[[Lines], object]] = {
        "format": header(format="x"),
        "version": header(schema_version=2),
        "version-text": header(schema_version="1"),
        "access": header(access="all"),
        "access-labels": header(access="labels"),
        "suspect-number": header(suspect=3),
        "suspect-null": header(suspect=None),
        "queries-negative": header(queries=-1),
        "queries-fewer": header(queries=1),
        "queries-huge": header(queries=10**30),
        "queries-text": header(queries="four"),
        "queries-more": header(queries=10**9),
        "other-fingerprint": header(fingerprint="sha256:" + "0" * 64),
        "fingerprint-number": header(fingerprint=1),
        "surplus": header(surprise=1),
        "suspect-long": header(suspect="x" * 10**6),
        "index-negative": answer(index=-1),
        "index-huge": answer(index=2**62),
        "index-beyond": answer(index=4),
        "index-twice": answer(index=1),
        "index-fraction": answer(index=0.5),
        "index-true": answer(index=True),
        "index-text": answer(index="0"),
        "query-short": answer(query="ab"),
        "query-other": answer(query="0" * 64),
        "query-upper": answer(query="A" * 64),
        "query-number": answer(query=1),
        "label-negative": answer(label=-1),
        "label-huge": answer(label=10**30),
        "label-fraction": answer(label=1.5),
        "label-text": answer(label="1"),
        "label-null": answer(label=None),
        "label-beyond": answer(label=3),
        "scores-null": answer(scores=None),
        "scores-short": answer(scores=[1.0]),
        "scores-long": answer(scores=[0.1] * 10**6),
        "scores-nan": answer(scores=[NAN, 0, 0]),
        "scores-infinite": answer(scores=[float("inf"), 0, 0]),
        "scores-text": answer(scores=["a", "b", "c"]),
        "scores-nested": answer(scores=[[1], [2], [3]]),
        "scores-empty": answer(scores=[]),
        "scores-huge": answer(scores=[1e308, 1e308, 1e308]),
        "answer-list": lambda lines: lines.__setitem__(1, [1, 2]),
        "answer-null": lambda lines: lines.__setitem__(1, None),  # type: ignore[call-overload]
        "answer-again": lambda lines: lines.append(lines[1]),
        "header-again": lambda lines: lines.insert(1, lines[0]),
        "no-header": lambda lines: lines.pop(0),
        "no-answers": lambda lines: lines.__delitem__(slice(1, None)),
        "many": lambda lines: lines.extend([lines[1]] * 20_000),
        "all-scores-narrow": lambda lines: [line.update(scores=[0.5, 0.5]) for line in lines[1:]],
        "all-scores-wide": lambda lines: [line.update(scores=[0.1] * 50) for line in lines[1:]],
    }
    harmless = {
        "suspect-long",
        "queries-more",
        "queries-huge",
        "other-fingerprint",
        "index-text",
        "label-text",
        "all-scores-wide",
        "no-answers",
        "scores-huge",
        "label-beyond",
        "query-other",
    }
    for name, change in cases.items():
        exits = ANY if name in harmless else REFUSED
        yield hostile(f"recordings/lines/{name}", content("a.jsonl", changed(change)), verify(), "a.jsonl", exits)
        yield hostile(
            f"recordings/lines-scores/{name}",
            content("a.jsonl", changed(change)),
            verify("--access", "scores"),
            "a.jsonl",
            exits,
        )


@family
def texts() -> Iterator[HostileInput]:
    """Files that are no lines of JSON."""
    cases: dict[str, bytes] = {
        "empty": b"",
        "newline": b"\n",
        "null": b"null\n",
        "nested": b"[" * 100_000,
        "nested-object": b'{"a":' * 100_000,
        "not-utf8": b'{"format": "\xff"}\n',
        "lone-surrogate": b'{"format": "\\ud800"}\n',
        "utf-16": '{"format": 1}\n'.encode("utf-16"),
        "bom": b"\xef\xbb\xbf{}\n",
        "nul": b"\x00" * 1000,
        "long-number": b"9" * 100_000,
        "long-line": b'{"format": "' + b"x" * 10_000_000 + b'"}\n',
        "many-newlines": b"\n" * 1_000_000,
        "carriage-returns": b"{}\r" * 1000,
        "escape": b"\x1b[2J\n",
        "duplicate-keys": b'{"format":"modelprint-answers","format":"x"}\n',
        "infinity": b'{"queries": 1e999}\n',
        "zip": b"PK\x03\x04" + bytes(100),
    }
    for name, data in cases.items():
        yield hostile(f"recordings/texts/{name}", content("a.jsonl", data), verify(), "a.jsonl")


@family
def arrays() -> Iterator[HostileInput]:
    """Arrays that do not fit each other."""

    def archive(**changes: object) -> Callable[[Place], bytes]:
        def data(place: Place) -> bytes:
            import io

            with np.load(io.BytesIO(place.seeds.recording(".npz"))) as whole:
                parts = {name: whole[name] for name in whole.files}
            for name, value in changes.items():
                if value is None:
                    del parts[name]
                else:
                    parts[name] = np.asarray(value(parts[name]) if callable(value) else value)
            return npz(**parts)

        return data

    cases: dict[str, dict[str, object]] = {
        "no-header": {"header": None},
        "no-labels": {"label": None},
        "no-scores": {"scores": None},
        "no-query": {"query": None},
        "no-index": {"index": None},
        "header-number": {"header": 3},
        "header-list": {"header": ["a", "b"]},
        "header-empty": {"header": ""},
        "header-nested": {"header": "[" * 100_000},
        "header-bytes": {"header": np.array(b"{}")},
        "labels-float": {"label": [0.5] * 4},
        "labels-negative": {"label": [-1] * 4},
        "labels-few": {"label": [0]},
        "labels-square": {"label": np.zeros((4, 4), int)},
        "labels-huge": {"label": [2**62] * 4},
        "labels-unsigned": {"label": np.full(4, 2**63, np.uint64)},
        "labels-text": {"label": ["a"] * 4},
        "scores-nan": {"scores": np.full((4, 3), np.nan)},
        "scores-flat": {"scores": np.zeros(12)},
        "scores-scalar": {"scores": 1.0},
        "scores-none": {"scores": np.zeros((4, 0))},
        "scores-cube": {"scores": np.zeros((4, 3, 2))},
        "scores-complex": {"scores": np.zeros((4, 3), complex)},
        "scores-text": {"scores": np.full((4, 3), "x")},
        "scores-double-overflow": {"scores": np.full((4, 3), 1e300)},
        "queries-short": {"query": np.array([b"a"] * 4)},
        "queries-long": {"query": np.array([b"a" * 1000] * 4)},
        "queries-not-ascii": {"query": np.array([b"\xff" * 64] * 4)},
        "queries-numbers": {"query": np.arange(4)},
        "index-negative": {"index": [-1, 0, 1, 2]},
        "index-twice": {"index": [0, 0, 1, 2]},
        "index-float": {"index": [0.0, 1.0, 2.0, 3.0]},
        "index-beyond": {"index": [0, 1, 2, 99]},
        "surplus": {"more": np.zeros(3)},
        "dates": {"label": np.zeros(4, "M8[s]")},
    }
    harmless = {"surplus", "index-float", "queries-long", "queries-short", "queries-numbers"}
    for name, changes in cases.items():
        yield hostile(
            f"recordings/arrays/{name}",
            content("a.npz", archive(**changes)),
            verify("--access", "scores"),
            "a.npz",
            ANY if name in harmless else REFUSED,
        )


@family
def names() -> Iterator[HostileInput]:
    """Names of suspects with escapes and markup, on the terminal and in a report."""
    for name, escape in {**ESCAPES, **RICH}.items():
        data = changed(header(suspect=f"s{escape}"))
        yield hostile(f"recordings/names/{name}", content("a.jsonl", data), verify(), "", READ)
        yield hostile(f"recordings/names-json/{name}", content("a.jsonl", data), verify("--format", "json"), "", READ)
        yield hostile(f"recordings/names-identify/{name}", content("a.jsonl", data), identify, "", READ)

        if name == "nul":
            continue  # no word of a command line can hold it

        def file(place: Place, escape: str = escape) -> str:
            return place.file(f"a{escape.replace('/', '')}.jsonl", place.seeds.recording(".jsonl"))

        yield hostile(f"recordings/file-names/{name}", file, verify(), "", READ)

        def missing(place: Place, escape: str = escape) -> str:
            return str(place.root / f"no{escape.replace('/', '')}.jsonl")

        yield hostile(f"recordings/missing/{name}", missing, verify(), "jsonl")
    for name, text in MARKUP.items():

        def report(place: Place, made: str) -> list[str]:
            return [*verify("--report", str(place.root / "r.html"))(place, made)]

        yield hostile(
            f"recordings/markup/{name}",
            content("a.jsonl", changed(header(suspect=f"s{text}"))),
            report,
            "",
            READ,
            pages=True,
            seconds=20,
        )

        def odd_file(place: Place, text: str = text) -> str:
            return place.file(f"a{text.replace('/', '')}.jsonl", place.seeds.recording(".jsonl"))

        yield hostile(f"recordings/markup-file-names/{name}", odd_file, report, "", READ, pages=True, seconds=20)


@family
def places() -> Iterator[HostileInput]:
    """Things that are no files."""
    for suffix in ("jsonl", "npz"):
        for kind in ("fifo", "zero", "loop", "dangling", "secret", "folder"):

            def make(place: Place, suffix: str = suffix, kind: str = kind) -> str:
                path = place.root / f"a.{suffix}"
                targets = {"zero": "/dev/zero", "loop": path.name, "dangling": "nothing", "secret": str(place.secret)}
                if kind == "fifo":
                    os.mkfifo(path)
                elif kind == "folder":
                    path.mkdir()
                else:
                    path.symlink_to(targets[kind])
                return str(path)

            yield hostile(f"recordings/places/{suffix}-{kind}", make, verify(), rf"a\.{suffix}", quick=kind == "fifo")

    def judge(place: Place) -> str:
        place.file("models/a.jsonl", changed(header(suspect="\x1b[2J[/x]"))(place))
        place.file("models/b.jsonl", "{")
        return str(place.root / "models")

    yield hostile("recordings/places/in-a-judge-s-folder", judge, negatives, "b.jsonl|holds no models")


@family
def damage() -> Iterator[HostileInput]:
    """Whole recordings with damage."""
    for suffix in (".jsonl", ".npz"):
        yield from damaged(
            f"recordings/damaged-{suffix[1:]}",
            f"a{suffix}",
            lambda place, suffix=suffix: place.seeds.recording(suffix),
            verify(),
            5,
        )
