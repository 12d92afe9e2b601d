"""Tables of vectors: CSV, Parquet, KEEL's files and arrays; what their cells, columns and labels claim."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np

from tests.hostile import commands, other_kinds
from tests.hostile.corpus import ANY, READ, HostileInput, Place, content, family, hostile
from tests.hostile.kinds.picture_sets import parquet
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import npz

HEAD = "width,height,colour,kind\n"
ROWS = [f"{n},{n / 2:.1f},{('blue', 'green', 'red')[n % 3]},{'ab'[n % 2]}" for n in range(20)]
WHOLE = HEAD + "\n".join(ROWS) + "\n"
DIGITS = "9" * 5000
show = commands.data_as("--label", "kind")


def row(text: str) -> str:
    """A good table with one more row."""
    return WHOLE + text + "\n"


@family
def files() -> Iterator[HostileInput]:
    """Files that are no table, or a very large or odd one."""
    refused: dict[str, bytes] = {
        "newlines": b"\n" * 1_000_000,
        "nul": bytes(100_000),
        "open-quote": WHOLE.encode() + b'"' + b"x" * 1_000_000,
        "long-cell": WHOLE.encode() + b"x" * 5_000_000 + b"\n",
        "many-columns": b"kind" + b",x" * 200_000 + b"\n",
        "columns-beyond": b"kind," + b",".join(b"c%d" % n for n in range(5000)) + b"\n" + b"a" + b",1" * 5000 + b"\n",
        "header-alone": HEAD.encode(),
        "no-header": b"1,2,3,a\n" * 20,
        "utf-16-odd": WHOLE.encode("utf-16")[:-1],
        "utf-16-bare": WHOLE.encode("utf-16-le"),
        "utf-32": WHOLE.encode("utf-32"),
        "latin-1": row("1,1.0,gr\u00fcn,a").encode("latin-1"),
        "overlong": WHOLE.encode() + b"1,1.0,\xc0\xae,a\n",
        "zip": b"PK\x03\x04" + bytes(1000),
        "pickle": b"\x80\x04cos\nsystem\n(S'x'\ntR.",
        "json": b'{"kind": "a", "width": 1}\n',
    }
    for name, data in refused.items():
        yield hostile(f"tables/files/{name}", content("t.csv", data), show, r"t\.csv", seconds=10)
    yield hostile("tables/files/empty", content("t.csv", b""), commands.data_as("--modality", "vector"), r"t\.csv")
    read: dict[str, bytes] = {
        "utf-16": WHOLE.encode("utf-16"),
        "bom": WHOLE.encode("utf-8-sig"),
        "carriage-returns": WHOLE.replace("\n", "\r\n").encode(),
        "semicolons": WHOLE.replace(",", ";").encode(),
        "tabs": WHOLE.replace(",", "\t").encode(),
        "empty-lines": WHOLE.replace("\n", "\n\n").encode(),
        "spaces": WHOLE.replace(",", " , ").encode(),
        "rows": (HEAD + "\n".join(ROWS * 5000) + "\n").encode(),
    }
    for name, data in read.items():
        yield hostile(f"tables/files/{name}", content("t.csv", data), show, exits=READ, seconds=20)

    def special(kind: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            path = place.root / "t.csv"
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to({"zero": "/dev/zero", "loop": "t.csv", "secret": str(place.secret)}[kind])
            return str(path)

        return make

    for kind in ("fifo", "folder", "zero", "loop", "secret"):
        yield hostile(f"tables/files/{kind}", special(kind), show, "")


@family
def cells() -> Iterator[HostileInput]:
    """Cells that are missing, no numbers, or numbers that no table should hold."""
    refused = {
        "missing": (",1.0,red,a", "line 22, column width: a value is missing"),
        "question": ("?,1.0,red,a", "line 22, column width"),
        "nan": ("nan,1.0,red,a", "line 22, column width: 'nan' is no value"),
        "na": ("NA,1.0,red,a", "line 22, column width"),
        "infinite": ("inf,1.0,red,a", "line 22, column width: 'inf' is no number"),
        "beyond-doubles": ("1e400,1.0,red,a", "line 22, column width"),
        "digits": (f"{DIGITS},1.0,red,a", "line 22, column width"),
        "exponent-of-digits": (f"1e{DIGITS},1.0,red,a", "line 22, column width"),
        "word": ("many,1.0,red,a", "line 22, column width: 'many' is no number"),
        "hex": ("0x1f,1.0,red,a", "line 22, column width"),
        "underscore": ("1_0,1.0,red,a", "line 22, column width"),
        "thousands": ('"1,000",1.0,red,a', "line 22, column width"),
        "comma-for-point": ('1,"1,5",red,a', "line 22, column height"),
        "arabic-digits": ("\u0661,1.0,red,a", "line 22, column width"),
        "superscript": ("\u00b2,1.0,red,a", "line 22, column width"),
        "formula": ("=cmd|'/c calc'!A1,1.0,red,a", "line 22, column width"),
        "category-missing": ("1,1.0,,a", "line 22, column colour: a value is missing"),
        "category-nan": ("1,1.0,nan,a", "line 22, column colour"),
        "label-missing": ("1,1.0,red,", "line 22: no label in column kind"),
        "label-once": ("1,1.0,red,c", "line 22: the label 'c' occurs once"),
        "short": ("1,1.0,red", "line 22: 3 cells, where the first line names 4 columns"),
        "long": ("1,1.0,red,a,5", "line 22: 5 cells"),
    }
    for name, (text, says) in refused.items():
        yield hostile(f"tables/cells/{name}", content("t.csv", row(text)), show, says)
        if name not in ("label-missing", "label-once", "short", "long"):
            skipping = commands.data_as("--label", "kind", "--skip-bad")
            yield hostile(f"tables/cells-skipped/{name}", content("t.csv", row(text)), skipping, exits=READ)
    read = {
        "negative-zero": "-0,1.0,red,a",
        "large": "1e300,1.0,red,a",
        "tiny": "1e-300,1.0,red,a",
        "subnormal": "5e-324,1.0,red,a",
        "many-decimals": f"0.{'1' * 1000},1.0,red,a",
        "spaces": " 1 , 1.0 , red , a ",
        "null-category": "1,1.0,none,a",
    }
    for name, text in read.items():
        yield hostile(f"tables/cells/{name}", content("t.csv", row(text)), show, exits=READ)
    every = HEAD + "".join(f"{n},nan,red,{'ab'[n % 2]}\n" for n in range(20))
    yield hostile("tables/cells/nan-everywhere", content("t.csv", every), show, "column height")
    skipped = commands.data_as("--label", "kind", "--skip-bad")
    yield hostile("tables/cells/nothing-left", content("t.csv", every), skipped, r"t\.csv")
    one = HEAD + "\n".join(text.rsplit(",", 1)[0] + ",a" for text in ROWS)
    yield hostile("tables/cells/one-class", content("t.csv", one), show, "all rows are of class 'a'")
    names = HEAD + "".join(f"{n},1.0,name {n},{'ab'[n % 2]}\n" for n in range(200))
    yield hostile("tables/cells/names-of-rows", content("t.csv", names), show, "column colour has 200 different names")


@family
def columns() -> Iterator[HostileInput]:
    """Headers that name too much, too little, or something odd."""
    body = "\n".join(ROWS)
    refused = {
        "no-label": ("width,height,colour,sort\n" + body, "no column 'kind'"),
        "labels-twice": ("width,height,kind,kind\n" + body, "several columns 'kind'"),
        "twice": ("width,width,colour,kind\n" + body, "two columns are called 'width'"),
        "label-alone": ("kind\n" + "a\nb\n" * 5, r"t\.csv"),
        "long-name": (f"{'w' * 500},height,colour,kind\n" + body, "width|column|name"),
    }
    for name, (text, says) in refused.items():
        yield hostile(f"tables/columns/{name}", content("t.csv", text), show, says)
    yield hostile("tables/columns/without-names", content("t.csv", ",,,kind\n" + body), show, exits=ANY)
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        odd = escape.replace('"', '""')
        yield hostile(f"tables/column-names/{name}", content("t.csv", f'"x{odd}",b\n1,2\n'), show, "column|csv")
        yield hostile(
            f"tables/bad-columns/{name}", content("t.csv", f'"x{odd}",kind\n1,a\n,b\n'), show, "column|csv|cells"
        )
        yield hostile(f"tables/labels/{name}", content("t.csv", row(f'1,1.0,red,"{odd}"')), show, "", ANY)
        yield hostile(f"tables/categories/{name}", content("t.csv", row(f'1,1.0,"{odd}",a')), show, "", ANY)


@family
def parquet_files() -> Iterator[HostileInput]:
    """Parquet files of numbers and names."""
    if find_spec("pyarrow") is None:
        return
    numbers, labels = [float(n) for n in range(10)], ["a", "b"] * 5
    cases: dict[str, tuple[Callable[[], bytes], str]] = {
        "no-rows": (lambda: parquet({"width": numbers[:0], "kind": labels[:0]}), ""),
        "nan": (lambda: parquet({"width": [*numbers[:9], float("nan")], "kind": labels}), "row 10, column width"),
        "null": (lambda: parquet({"width": [*numbers[:9], None], "kind": labels}), "row 10, column width"),
        "infinite": (lambda: parquet({"width": [*numbers[:9], float("inf")], "kind": labels}), "row 10, column width"),
        "label-null": (lambda: parquet({"width": numbers, "kind": [*labels[:9], None]}), "row 10: no label"),
        "lists": (lambda: parquet({"width": [[1.0]] * 10, "kind": labels}), "neither numbers nor texts"),
        "bytes": (lambda: parquet({"width": [b"x"] * 10, "kind": labels}), "neither numbers nor texts"),
        "no-label": (lambda: parquet({"width": numbers, "sort": labels}), "no column 'kind'"),
        "once": (lambda: parquet({"width": numbers, "kind": [*labels[:9], "c"]}), "row 10: the label 'c' occurs once"),
        "cells-beyond": (
            lambda: parquet({f"c{n}": np.zeros(2**19, np.int8) for n in range(300)} | {"kind": ["a"] * 2**19}),
            "",
        ),
        "beyond-doubles": (lambda: parquet({"width": [2**62 + n for n in range(10)], "kind": labels}), "Integer value"),
        "not-parquet": (WHOLE.encode, ""),
        "magic": (lambda: b"PAR1" * 3, ""),
    }
    read_as = commands.data_as("--label", "kind", "--modality", "vector")
    for name, (data, says) in cases.items():
        yield hostile(
            f"tables/parquet/{name}", lambda place, data=data: place.file("t.parquet", data()), read_as,
            says or r"t\.parquet", seconds=20, memory=4 * 2**30,
        )  # fmt: skip
    good: dict[str, Callable[[], bytes]] = {
        "whole": lambda: parquet({"width": numbers, "kind": labels}),
        "booleans": lambda: parquet({"width": [True, False] * 5, "kind": labels}),
        "integers": lambda: parquet({"width": [2**40 + n for n in range(10)], "kind": labels}),
    }
    for name, make in good.items():
        yield hostile(
            f"tables/parquet/{name}", lambda place, make=make: place.file("t.parquet", make()), read_as, exits=READ
        )
    yield from damaged("tables/parquet-damaged", "t.parquet", lambda place: good["whole"](), read_as, 3)


@family
def keel_files() -> Iterator[HostileInput]:
    """KEEL's .dat files."""
    head = "@relation x\n@attribute width integer [0, 9]\n@attribute kind {a, b}\n@inputs width\n@outputs kind\n@data\n"
    body = "".join(f"{n},{'ab'[n % 2]}\n" for n in range(10))
    refused = {
        "no-rows": (head, r"t\.dat"),
        "short": (head + body + "1\n", "line 17: 1 cells"),
        "long": (head + body + "1,a,2\n", "line 17: 3 cells"),
        "missing": (head + body + "?,a\n", "line 17, column width"),
        "nan": (head + body + "nan,a\n", "line 17, column width"),
        "label-missing": (head + body + "1,\n", "line 17: no label"),
        "once": (head + body + "1,c\n", "line 17: the label 'c' occurs once"),
        "nameless-attribute": ("@attribute\n@attribute kind {a, b}\n@data\n" + body, r"t\.dat"),
        "brace-alone": ("@attribute {\n@attribute kind {a, b}\n@data\n" + body, r"t\.dat"),
        "output-unknown": (head.replace("@outputs kind", "@outputs sort") + body, "no column 'sort'"),
        "attributes-twice": ("@attribute kind {a}\n" + head + body, r"t\.dat"),
        "data-first": ("@data\n" + body, r"t\.dat"),
        "attributes-many": ("@attribute x real\n" * 100_000 + "@data\n" + body, r"t\.dat"),
    }
    plain = commands.data_as("--modality", "vector")
    for name, (text, says) in refused.items():
        yield hostile(f"tables/keel/{name}", content("t.dat", text), commands.data, says)
    yield hostile("tables/keel/whole", content("t.dat", head + body), commands.data, exits=READ)
    yield hostile("tables/keel/no-head", content("t.dat", body), plain, exits=ANY)
    yield hostile("tables/keel/latin-1", content("t.dat", (head + body).encode() + b"1,\xe9\n"), plain, "line 17")
    yield from damaged("tables/keel-damaged", "t.dat", lambda place: (head + body).encode(), commands.data, 2)


@family
def arrays() -> Iterator[HostileInput]:
    """Arrays of vectors."""
    values, labels = np.arange(30.0).reshape(10, 3), np.arange(10) % 2
    cases: dict[str, tuple[dict[str, object], str]] = {
        "nan": ({"x_train": np.where(values == 5, np.nan, values), "y_train": labels}, "x_train"),
        "infinite": ({"x_train": np.where(values == 5, np.inf, values), "y_train": labels}, "x_train"),
        "counts": ({"x_train": values, "y_train": labels[:5]}, "x_train"),
        "cube": ({"x_train": values.reshape(5, 2, 3), "y_train": labels[:5]}, "x_train"),
        "flat": ({"x_train": values.reshape(-1), "y_train": labels}, "x_train"),
        "texts": ({"x_train": values.astype("U9"), "y_train": labels}, "x_train"),
        "complex": ({"x_train": values.astype(complex), "y_train": labels}, "x_train"),
        "empty": ({"x_train": values[:0], "y_train": labels[:0]}, "t.npz"),
        "no-columns": ({"x_train": values[:, :0], "y_train": labels}, "t.npz"),
        "names-few": ({"x_train": values, "y_train": labels, "feature_names": np.array(["a"])}, "x_train"),
        "names-twice": ({"x_train": values, "y_train": labels, "feature_names": np.array(["a", "a", "b"])}, "'a'"),
        "names-empty": ({"x_train": values, "y_train": labels, "feature_names": np.array(["", "a", "b"])}, "t.npz"),
        "names-long": ({"x_train": values, "y_train": labels, "feature_names": np.array(["a" * 500, "b", "c"])}, ""),
        "labels-nan": ({"x_train": values, "y_train": np.where(labels == 1, np.nan, 0.0)}, "t.npz"),
        "labels-negative": ({"x_train": values, "y_train": labels - 1}, "t.npz"),
        "test-wider": (
            {"x_train": values, "y_train": labels, "x_test": np.ones((2, 5)), "y_test": np.array([0, 1])}, "x_test"
        ),
    }  # fmt: skip
    for name, (parts, says) in cases.items():
        yield hostile(
            f"tables/arrays/{name}",
            lambda place, parts=parts: place.file("t.npz", npz(**parts)),
            commands.data_as("--modality", "vector"),
            says,
            ANY if name in ("labels-nan", "labels-negative") else frozenset({1, 3}),
        )


@family
def against_a_model() -> Iterator[HostileInput]:
    """Tables that a model cannot be given, and models that a table's fingerprint cannot be asked."""
    give = commands.quantise("vector", "--label", "kind")

    def table(header: str, *, turned: Callable[[list[str]], list[str]]) -> str:
        return header + "\n" + "\n".join(",".join(turned(text.split(","))) for text in ROWS) + "\n"

    refused = {
        "column-missing": (table("width,colour,kind", turned=lambda one: [one[0], *one[2:]]), "column 'height' missing"),
        "columns-renamed": (table("Width,Height,Colour,kind", turned=list), "columns 'width', 'height', 'colour'"),
        "unseen-category": (WHOLE + "1,1.0,violet,a\n", "unseen category 'violet'"),
        "unseen-hidden": (WHOLE + "1,1.0,red\u200b,a\n", "unseen category"),
        "names-for-numbers": (
            table("width,height,colour,kind", turned=lambda one: ["x", *one[1:]]), "column width holds names"
        ),
        "unknown-class": (WHOLE + "1,1.0,red,c\n2,1.0,red,c\n", "classes differ|no class called 'c'"),
    }  # fmt: skip
    for name, (text, says) in refused.items():
        yield hostile(f"tables/models/{name}", content("t.csv", text), give, says)
    read = {
        "other-order": table("colour,kind,height,width", turned=lambda one: [one[2], one[3], one[1], one[0]]),
        "further-column": table("width,height,colour,weight,kind", turned=lambda one: [*one[:3], "1", one[3]]),
        "other-range": table("width,height,colour,kind", turned=lambda one: [f"{one[0]}000", *one[1:]]),
    }
    for name, text in read.items():
        yield hostile(f"tables/models/{name}", content("t.csv", text), give, exits=READ)
    spec = other_kinds.SPECS["vector"]
    fewer = spec.model_copy(update={"columns": other_kinds.COLUMNS[:2]})
    further = spec.model_copy(
        update={"columns": (*other_kinds.COLUMNS, other_kinds.COLUMNS[0].model_copy(update={"name": "weight"}))}
    )
    yield hostile(
        "tables/suspects/column-missing", content("m.safetensors", lambda place: other_kinds.model("vector", further)),
        commands.verify_kind("vector"), "column 'weight' missing",
    )  # fmt: skip
    yield hostile(
        "tables/suspects/fewer-columns", content("m.safetensors", lambda place: other_kinds.model("vector", fewer)),
        commands.verify_kind("vector"), exits=READ,
    )  # fmt: skip
    yield hostile(
        "tables/suspects/of-images", lambda place: place.file("m.safetensors", place.seeds.safetensors),
        commands.verify_kind("vector"), "classes differ|vectors|images",
    )  # fmt: skip
    yield from damaged(
        "tables/suspects-damaged", "m.safetensors", lambda place: other_kinds.model("vector"),
        commands.verify_kind("vector"), 2,
    )  # fmt: skip
