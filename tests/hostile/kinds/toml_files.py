"""TOML: what a folder says of its models, spec files, mappings, class names, plans of zoos and benches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from tests.hostile.corpus import ANY, OWN, REFUSED, Command, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH

MAPPING = b"""path = "/x"
[request]
kind = "base64-json"
body = { instances = "$images" }
item = { b64 = "$image" }
[response]
labels = "a.*.b"
"""
PLAN = b"""name = "tiny"
data = "digits"
size = 1797
sources = 1
"""
NOWHERE = "http://127.0.0.1:9/"


def models_toml(place: Place, made: str) -> list[str]:
    """A judge's folder whose models.toml is the input, beside one honest model."""
    path = place.file("models/a.safetensors", place.seeds.safetensors)
    place.file("models/models.toml", _read(made))
    return ["verify", place.seeds.fingerprint_folder, path, "--negatives", str(place.root / "models")]


def spec(place: Place, made: str) -> list[str]:
    """A spec file as the suspect."""
    place.file("a.safetensors", place.seeds.safetensors)
    return ["verify", place.seeds.fingerprint_folder, made]


def mapping(place: Place, made: str) -> list[str]:
    """A mapping for an address where nobody listens."""
    return [
        "verify",
        place.seeds.fingerprint_folder,
        NOWHERE,
        "--api",
        "mapping",
        "--mapping",
        made,
        "--retries",
        "0",
        "--timeout",
        "1",
    ]


def class_names(place: Place, made: str) -> list[str]:
    """What an API calls the classes."""
    return [
        "verify",
        place.seeds.fingerprint_folder,
        NOWHERE,
        "--api",
        "mlflow",
        "--class-names",
        made,
        "--retries",
        "0",
        "--timeout",
        "1",
    ]


def zoo(place: Place, made: str) -> list[str]:
    """A zoo's plan."""
    return ["zoo", "status", made]


def bench(place: Place, made: str) -> list[str]:
    """A bench's plan."""
    return ["bench", "plan", made]


def results(place: Place, made: str) -> list[str]:
    """A bench's results, shown."""
    return ["bench", "show", made]


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123 - a path that commands take as text
        return stream.read()


COMMANDS: dict[str, tuple[Command, bytes, frozenset[int]]] = {
    "models": (models_toml, b"[defaults]\narch = 'mlp'\n[models.\"a.safetensors\"]\nkind = 'SAST'\n", REFUSED),
    "spec": (spec, b"weights = 'a.safetensors'\n", REFUSED),
    "mapping": (mapping, MAPPING, REFUSED),
    "class-names": (class_names, b"[class_names]\n'x' = 0\n'y' = 1\n'z' = 2\n", REFUSED),
    "zoo": (zoo, PLAN, OWN),
    "bench": (bench, b"name = 'b'\nzoo = 'tiny'\n", OWN),
}
TEXTS: dict[str, bytes] = {
    "empty-key": b"= 1\n",
    "no-value": b"a =\n",
    "nested": b"a = " + b"[" * 100_000,
    "nested-tables": b"[" + b"a." * 5000 + b"a]\n",
    "inline-nested": b"a = " + b"{a=" * 5000,
    "not-utf8": b"a = '\xff'\n",
    "utf-16": "a = 1".encode("utf-16"),
    "nul": b"a = '\x00'\n",
    "bom": b"\xef\xbb\xbfa = 1\n",
    "twice": b"a = 1\na = 2\n",
    "table-twice": b"[a]\n[a]\n",
    "long-integer": b"a = " + b"9" * 100_000,
    "infinite": b"a = inf\nb = nan\n",
    "date": b"a = 9999-99-99\n",
    "escape": b"a = '\x1b[2J'\n",
    "escaped-escape": b'"\\u001b[2J" = 1\n',
    "rich-key": b'"[/x]" = 1\n',
    "many-keys": b"".join(b"k%d = 1\n" % n for n in range(20_000)),
    "long-text": b"a = '" + b"x" * 5_000_000 + b"'\n",
    "unclosed": b'a = """' + b"x" * 1000,
    "json": b'{"a": 1}',
    "binary": bytes(range(256)),
    "surprise": b"surprise = 1\n",
}


@family
def texts() -> Iterator[HostileInput]:
    """Every kind of file with every kind of text that is no such file."""
    for kind, (command, _, exits) in COMMANDS.items():
        for name, text in TEXTS.items():
            yield hostile(
                f"toml_files/{kind}/{name}", content("x.toml", text), command, "x.toml|models.toml|TOML", exits
            )
        for name, escape in ESCAPES.items():
            text = f'"k{_quoted(escape)}" = 1\n'.encode()
            yield hostile(
                f"toml_files/{kind}-keys/{name}", content("x.toml", text), command, "x.toml|models.toml|TOML", exits
            )


def _quoted(text: str) -> str:
    """As TOML writes it in double quotes."""
    return "".join(
        f"\\U{ord(letter):08x}" if not (letter.isascii() and letter.isalnum()) else letter for letter in text
    )


@family
def models() -> Iterator[HostileInput]:
    """What a folder that was handed over says of its models."""
    one = '[models."a.safetensors"]\n'
    cases = {
        "code": "[defaults]\narch = 'nets.py:f'\n",
        "code-of-one": one + "arch = 'os:system'\n",
        "code-elsewhere": one + "arch = '../../x.py:f'\n",
        "missing": "[models.'b.safetensors']\nkind = 'SAST'\n",
        "out": "[models.'../../secret']\nkind = 'SAST'\n",
        "absolute": "[models.'/etc/passwd']\nkind = 'SAST'\n",
        "kind": one + "kind = 'STRANGER'\n",
        "made-from": one + "made_from = 'x'\n",
        "url-file": "[models.r]\nurl = 'file:///etc/passwd'\n",
        "url-of-all": "[defaults]\nurl = 'http://127.0.0.1:9'\n",
        "url-escape": '[models.r]\nurl = "http://127.0.0.1:9/\\u001b[2J"\n',
        "mapping-out": "[models.r]\nurl = 'http://127.0.0.1:9'\napi = 'mapping'\nmapping = '../../secret'\n",
        "mapping-absolute": "[models.r]\nurl = 'http://127.0.0.1:9'\napi = 'mapping'\nmapping = '/etc/passwd'\n",
        "class-names-out": "[models.r]\nurl = 'http://127.0.0.1:9'\nclass_names = '/etc/passwd'\n",
        "mean-alone": one + "mean = [0.5]\n",
        "mean-text": one + "mean = ['a']\nstd = [1]\n",
        "std-zero": one + "mean = [0.5]\nstd = [0.0]\n",
        "mean-nan": one + "mean = [nan]\nstd = [nan]\n",
        "size-huge": one + "size = 1000000\n",
        "size-negative": one + "size = -1\n",
        "size-three": one + "size = [1, 2, 3]\n",
        "range-backwards": one + "range = [255.0, 0.0]\n",
        "range-nan": one + "range = [nan, 1.0]\n",
        "args-huge": "[defaults]\narch = 'mlp'\narch_args = { width = 1000000000000 }\n",
        "args-nested": "[defaults]\narch = 'mlp'\narch_args = { width = [[1]] }\n",
        "head": one + "head = '__class__'\n",
        "weights": one + "weights = '../x'\n",
        "trust": one + "trust_code = true\n",
        "models-list": "models = []\n",
        "models-text": "models = 'x'\n",
        "batch-size": "[models.r]\nurl = 'http://127.0.0.1:9'\nbatch_size = -1\n",
        "timeout": "[models.r]\nurl = 'http://127.0.0.1:9'\ntimeout = inf\n",
        "rate": "[models.r]\nurl = 'http://127.0.0.1:9'\nrate = -1.0\n",
        "many": "".join(f"[models.'{n}.safetensors']\nkind = 'SAST'\n" for n in range(3000)),
    }
    harmless = {
        "weights",
        "size-huge",
        "head",
        "args-huge",
        "args-nested",
        "mean-text",
        "range-nan",
        "mean-nan",
        "std-zero",
        "size-negative",
        "range-backwards",  # inverted inputs are a form that models take
    }
    for name, text in cases.items():
        yield hostile(
            f"toml_files/of-a-folder/{name}",
            content("x.toml", text),
            models_toml,
            "models|127.0.0.1|secret|passwd|size must|range must",
            frozenset({1, 2, 3}) | (ANY if name in harmless else REFUSED),
            seconds=40 if name in ("timeout", "rate", "batch-size") else 5,
        )

    def special(kind: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            path = place.root / "models" / "models.toml"
            path.parent.mkdir()
            place.file("models/a.safetensors", place.seeds.safetensors)
            if kind == "fifo":
                os.mkfifo(path)
            else:
                path.symlink_to({"zero": "/dev/zero", "secret": str(place.secret), "loop": "models.toml"}[kind])
            return str(path.parent)

        return make

    for kind in ("fifo", "zero", "secret", "loop"):
        yield hostile(
            f"toml_files/places/{kind}",
            special(kind),
            lambda place, made: [
                "verify",
                place.seeds.fingerprint_folder,
                f"{made}/a.safetensors",
                "--negatives",
                made,
            ],
            "models",
            quick=kind == "fifo",
        )


@family
def specs() -> Iterator[HostileInput]:
    """Spec files as suspects."""
    cases = {
        "code": "weights = 'a.safetensors'\narch = 'nets.py:f'\n",
        "code-module": "weights = 'a.safetensors'\narch = 'os:system'\n",
        "out": "weights = '../../../../../../etc/passwd'\n",
        "device": "weights = '/dev/zero'\n",
        "itself": "weights = 'x.toml'\n",
        "missing": "weights = 'b.safetensors'\n",
        "empty": "weights = ''\n",
        "folder": "weights = '.'\n",
        "number": "weights = 3\n",
        "url": "weights = 'http://127.0.0.1:9/x'\n",
        "escape": 'weights = "\\u001b[2J.safetensors"\n',
        "rich": "weights = '[/x].safetensors'\n",
        "nul": 'weights = "a\\u0000.safetensors"\n',
        "long": "weights = '" + "x" * 5000 + ".safetensors'\n",
        "channels": "weights = 'a.safetensors'\narch = 'mlp'\nchannels = 1000000000\n",
        "size": "weights = 'a.safetensors'\narch = 'mlp'\nsize = -1\n",
        "classes": "weights = 'a.safetensors'\narch = 'mlp'\nclasses = 1000000000\n",
        "std": "weights = 'a.safetensors'\narch = 'mlp'\nmean = [0.5]\nstd = [0.0]\n",
        "args": "weights = 'a.safetensors'\narch = 'mlp'\narch_args = { width = 100000000000 }\n",
        "hf": "weights = 'a.safetensors'\narch = 'hf:/etc'\n",
        "timm": "weights = 'a.safetensors'\narch = 'timm:no such'\n",
    }
    for name, text in cases.items():
        yield hostile(
            f"toml_files/spec-files/{name}",
            content("x.toml", text),
            spec,
            "x.toml|safetensors|passwd|zero|mlp|hf:|timm|is a directory|folder",
            ANY if name in ("size", "channels", "classes") else REFUSED,
        )


@family
def mappings() -> Iterator[HostileInput]:
    """Mappings of APIs."""
    good = MAPPING.decode()
    cases = {
        "kind": good.replace("base64-json", "pickle"),
        "no-image": good.replace("$images", "x"),
        "path-deep": good.replace("a.*.b", "*." * 5000 + "a"),
        "path-empty": good.replace("a.*.b", ""),
        "path-dots": good.replace("a.*.b", "...."),
        "url": good.replace('"/x"', '"http://evil.invalid/x"'),
        "url-break": good.replace('"/x"', '"@evil.invalid/"'),
        "newline": good.replace('"/x"', '"/x\\r\\nHost: evil"'),
        "escape": good.replace('"/x"', '"/\\u001b[2J"'),
        "header": good + "[headers]\nHost = 'evil'\n",
        "both-none": good.replace('labels = "a.*.b"', ""),
        "form": good.replace("base64-json", "multipart"),
        "body-list": good.replace('{ instances = "$images" }', '["$images"]'),
        "item-missing": good.replace('item = { b64 = "$image" }\n', ""),
    }
    for name, text in cases.items():
        yield hostile(f"toml_files/mappings/{name}", content("x.toml", text), mapping, "x.toml|127.0.0.1|evil|mapping")
    names = {
        "class-beyond": "[class_names]\n'a' = 99\n",
        "class-negative": "[class_names]\n'a' = -1\n",
        "class-unknown": "[class_names]\n'a' = 'no such class'\n",
        "class-list": "class_names = []\n",
        "class-fraction": "[class_names]\n'a' = 1.5\n",
        "class-huge": "[class_names]\n'a' = 99999999999999999999\n",
        "none": "[class_names]\n",
        "markup": "[class_names]\n'<script>' = '[/x]'\n",
        "escape": '[class_names]\n"\\u001b[2J" = "\\u001b[2J"\n',
    }
    for name, text in names.items():
        yield hostile(
            f"toml_files/class-name-files/{name}", content("x.toml", text), class_names, "x.toml|127.0.0.1|class"
        )


@family
def plans() -> Iterator[HostileInput]:
    """Plans and results that name what is not there."""
    for name, text in {**RICH, **MARKUP}.items():
        quoted = _quoted(text)
        yield hostile(
            f"toml_files/plan-names/zoo-{name}", content("x.toml", f'name = "{quoted}"\n'), zoo, "x.toml", OWN
        )
        yield hostile(
            f"toml_files/plan-names/bench-{name}", content("x.toml", f'name = "{quoted}"\n'), bench, "x.toml", OWN
        )
    for name, data in {
        "empty": b"",
        "null": b"null",
        "list": b"[]",
        "object": b"{}",
        "nested": b"[" * 100_000,
        "number": b"9" * 100_000,
        "nan": b'{"rows": NaN}',
        "not-utf8": b'{"\xff": 1}',
    }.items():
        yield hostile(f"toml_files/results/{name}", content("r.json", data), results, "r.json", frozenset({1, 2, 3}))
        yield hostile(
            f"toml_files/results-report/{name}",
            content("r.json", data),
            lambda place, made: ["report", made, "--out", str(place.root / "r.html")],
            "r.json",
            frozenset({1, 2, 3}),
        )


@family
def damage() -> Iterator[HostileInput]:
    """Whole files with damage."""
    for kind, (command, whole, exits) in COMMANDS.items():
        yield from damaged(
            f"toml_files/damaged-{kind}", "x.toml", lambda place, whole=whole: whole, command, 2, ANY | exits
        )
