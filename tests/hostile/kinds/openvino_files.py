"""OpenVINO models: XML that grows or leads elsewhere, weights that are not there, operators that nobody knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, REFUSED, Command, HostileInput, Place, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP

FILE = "m.xml"
VERIFY = verify("--timeout", "5")
WEIGHTS = np.array([-1, 4], np.int64).tobytes() + np.ones((4, 3), np.float32).tobytes()
MODEL = """<?xml version="1.0"?>
<net name="m" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="?,1,2,2" element_type="f32"/><output>
<port id="0" precision="FP32" names="x"><dim>-1</dim><dim>1</dim><dim>2</dim><dim>2</dim></port></output></layer>
<layer id="1" name="s" type="Const" version="opset1"><data element_type="i64" shape="2" offset="0" size="16"/><output>
<port id="0" precision="I64"><dim>2</dim></port></output></layer>
<layer id="2" name="f" type="Reshape" version="opset1"><data special_zero="true"/><input>
<port id="0" precision="FP32"><dim>-1</dim><dim>1</dim><dim>2</dim><dim>2</dim></port>
<port id="1" precision="I64"><dim>2</dim></port></input><output>
<port id="2" precision="FP32"><dim>-1</dim><dim>4</dim></port></output></layer>
<layer id="3" name="w" type="Const" version="opset1"><data element_type="f32" shape="4,3" offset="16" size="48"/><output>
<port id="0" precision="FP32"><dim>4</dim><dim>3</dim></port></output></layer>
<layer id="4" name="y" type="MatMul" version="opset1"><data transpose_a="false" transpose_b="false"/><input>
<port id="0" precision="FP32"><dim>-1</dim><dim>4</dim></port>
<port id="1" precision="FP32"><dim>4</dim><dim>3</dim></port></input><output>
<port id="2" precision="FP32" names="y"><dim>-1</dim><dim>3</dim></port></output></layer>
<layer id="5" name="r" type="Result" version="opset1"><input>
<port id="0" precision="FP32"><dim>-1</dim><dim>3</dim></port></input></layer>
</layers><edges>
<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/><edge from-layer="1" from-port="0" to-layer="2" to-port="1"/>
<edge from-layer="2" from-port="2" to-layer="4" to-port="0"/><edge from-layer="3" from-port="0" to-layer="4" to-port="1"/>
<edge from-layer="4" from-port="2" to-layer="5" to-port="0"/>
</edges></net>
"""


def there() -> bool:
    return find_spec("openvino") is not None


def case(
    name: str,
    graph: str | bytes | Callable[[Place], str],
    exits: frozenset[int] = REFUSED,
    *,
    says: str = FILE,
    weights: bytes | None = WEIGHTS,
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """One model, with its weights beside it."""

    def make(place: Place) -> str:
        if weights is not None:
            place.file("m.bin", weights)
        return place.file(FILE, graph(place) if callable(graph) else graph)

    return hostile(f"openvino_files/{name}", make, command, says, exits, seconds=8.0, quick=quick)


def swapped(old: str, new: str) -> str:
    """The model with something else in one place."""
    assert old in MODEL, old
    return MODEL.replace(old, new, 1)


@family
def texts() -> Iterator[HostileInput]:
    """XML that is a bomb, names other files, or is none."""
    if not there():
        return
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
    bomb = f'<!DOCTYPE net [<!ENTITY l0 "ha">{laughs}]>'

    def entity(place: Place) -> str:
        declared = f'<!DOCTYPE net [<!ENTITY e SYSTEM "file://{place.secret}">]>'
        return MODEL.replace("?>\n", f"?>\n{declared}", 1).replace('name="y"', 'name="&e;"', 1)

    yield case("texts/entity", entity, ANY, quick=True)
    yield case(
        "texts/billion-laughs", MODEL.replace("?>\n", f"?>\n{bomb}", 1).replace('name="y"', 'name="&l29;"', 1), ANY
    )
    cases = {
        "no-net": "<?xml version='1.0'?><net name='m' version='11'></net>",
        "old-version": swapped('version="11"', 'version="4"'),
        "future-version": swapped('version="11"', 'version="99999999999999999999"'),
        "version-of-text": swapped('version="11"', 'version="x"'),
        "not-closed": MODEL[:-20],
        "half": MODEL[: len(MODEL) // 2],
        "deep": "<?xml version='1.0'?><net name='m' version='11'>" + "<layers>" * 100_000,
        "long-attribute": swapped('name="m"', f'name="{"m" * 5_000_000}"'),
        "nul": MODEL.replace("MatMul", "Mat\0Mul"),
        "no-edges": MODEL[: MODEL.index("<edges>")] + "</net>",
        "no-layers": MODEL[: MODEL.index("<layer ")] + "</layers><edges></edges></net>",
        "html": "<!doctype html><script>alert(1)</script>",
        "empty": "",
        "text": "derived\n" * 100,
        "not-utf-8": b"<?xml version='1.0'?><net name='\xff\xfe' version='11'/>",
        "utf-16": MODEL.encode("utf-16"),
    }
    for name, text in cases.items():
        yield case(
            f"texts/{name}",
            text,
            ANY if name in ("long-attribute", "old-version", "future-version", "utf-16") else REFUSED,
        )


@family
def weights() -> Iterator[HostileInput]:
    """Weights that lie elsewhere or are not there."""
    if not there():
        return
    sizes = {
        "offset-beyond": ('offset="16"', 'offset="4096"'),
        "offset-huge": ('offset="16"', f'offset="{2**62}"'),
        "offset-overflows": ('offset="16"', f'offset="{2**64 - 8}"'),
        "offset-negative": ('offset="16"', 'offset="-16"'),
        "offset-of-text": ('offset="16"', 'offset="x"'),
        "size-beyond": ('size="48"', 'size="4096"'),
        "size-huge": ('size="48"', f'size="{2**63}"'),
        "size-zero": ('size="48"', 'size="0"'),
        "size-negative": ('size="48"', 'size="-1"'),
        "size-short": ('size="48"', 'size="4"'),
        "shape-huge": ('shape="4,3"', f'shape="{2**40},{2**22}"'),
        "shape-overflows": ('shape="4,3"', f'shape="{2**63},4"'),
        "shape-negative": ('shape="4,3"', 'shape="-4,-3"'),
        "shape-of-text": ('shape="4,3"', 'shape="a,b"'),
        "type-unknown": ('element_type="f32" shape="4,3"', 'element_type="f99" shape="4,3"'),
        "type-of-text": ('element_type="f32" shape="4,3"', 'element_type="string" shape="4,3"'),
    }
    for name, (old, new) in sizes.items():
        yield case(f"weights/{name}", swapped(old, new), quick=name == "offset-overflows")
    yield case("weights/missing", MODEL, weights=None)
    yield case("weights/empty", MODEL, weights=b"")
    yield case("weights/short", MODEL, weights=WEIGHTS[:20])
    yield case("weights/not-a-number", MODEL, weights=WEIGHTS[:16] + b"\xff" * 48, says="finite|m.xml")

    def beside(build: Callable[[Place, Path], None], name: str) -> HostileInput:
        def make(place: Place) -> str:
            build(place, place.root / "m.bin")
            return place.file(FILE, MODEL)

        return hostile(f"openvino_files/beside/{name}", make, VERIFY, FILE, seconds=8.0, quick=name == "fifo")

    yield beside(lambda place, path: path.symlink_to(place.secret), "link")
    yield beside(lambda place, path: path.symlink_to("/dev/zero"), "link-to-device")
    yield beside(lambda place, path: path.symlink_to("m.bin"), "link-to-itself")
    yield beside(lambda place, path: os.mkfifo(path), "fifo")
    yield beside(lambda place, path: path.mkdir(), "folder")


@family
def graphs() -> Iterator[HostileInput]:
    """Graphs that cannot run, run for ever, or take all memory."""
    if not there():
        return
    kept = "?,1,2,2"
    cases = {
        "unknown-operator": swapped('type="MatMul"', 'type="Teleport"'),
        "unknown-set": swapped('type="MatMul" version="opset1"', 'type="MatMul" version="evil"'),
        "extension": swapped('type="MatMul" version="opset1"', 'type="Run" version="extension"'),
        "port-missing": swapped('to-layer="4" to-port="1"', 'to-layer="4" to-port="7"'),
        "layer-missing": swapped('from-layer="3"', 'from-layer="77"'),
        "layer-negative": swapped('from-layer="3"', 'from-layer="-3"'),
        "own-output": swapped('from-layer="3" from-port="0"', 'from-layer="4" from-port="2"'),
        "same-number-twice": swapped('layer id="3"', 'layer id="1"'),
        "no-result": swapped('type="Result"', 'type="Abs"'),
        "two-inputs": swapped('type="Const" version="opset1"><data element_type="f32" shape="4,3" offset="16" size="48"/>',
                              'type="Parameter" version="opset1"><data element_type="f32" shape="4,3"/>'),
        "input-huge": swapped(kept, f"?,1,{2**31},{2**31}"),
        "input-large": swapped(kept, f"{2**20},1,{2**10},{2**10}"),
        "input-negative": swapped(kept, "?,1,-5,2"),
        "input-of-nothing": swapped(kept, ""),
        "input-of-many": swapped(kept, ",".join(["1"] * 3000)),
        "input-of-text": swapped('shape="?,1,2,2" element_type="f32"', 'shape="?,1,2,2" element_type="string"'),
        "transposed": swapped('transpose_b="false"', 'transpose_b="true"'),
        "broadcast": swapped('type="Reshape" version="opset1"><data special_zero="true"/>',
                             'type="Broadcast" version="opset3"><data mode="bidirectional"/>'),
        "tile": swapped('type="Reshape" version="opset1"><data special_zero="true"/>', 'type="Tile" version="opset1">'),
    }  # fmt: skip
    for name, text in cases.items():
        huge = np.array([2**40, 2**20], np.int64).tobytes() + WEIGHTS[16:]
        data = huge if name in ("broadcast", "tile") else WEIGHTS
        exits = ANY if name in ("input-large", "same-number-twice") else REFUSED
        yield case(f"graphs/{name}", text, exits, weights=data, quick=name == "broadcast")
    for name, command in {"record": record, "identify": identify}.items():
        yield case(f"graphs/by-{name}", cases["unknown-operator"], command=command)


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes and markup."""
    if not there():
        return

    def quoted(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")

    for group, listed in {"names": ESCAPES, "markup": MARKUP}.items():
        for name, text in listed.items():
            yield case(f"{group}/operator-{name}", swapped('type="MatMul"', f'type="Mat{quoted(text)}"'))
            yield case(f"{group}/output-{name}", swapped('names="y"', f'names="y{quoted(text)}"'), ANY)


@family
def damage() -> Iterator[HostileInput]:
    """A whole model with damage."""
    if not there():
        return
    yield case("whole", MODEL, frozenset({0}))

    def data(place: Place) -> bytes:
        place.file("m.bin", WEIGHTS)
        return MODEL.encode()

    yield from damaged("openvino_files/damaged", FILE, data, VERIFY, 6)
