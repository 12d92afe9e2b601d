"""TFLite files: graphs without an end, tensors that are not there, operators that nobody knows."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from tests.formats.layers import Layer, TfliteGraph, tflite_file, tflite_graph
from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, REFUSED, Command, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES

FILE = "m.tflite"
VERIFY = verify("--timeout", "5")
AT_ONCE = verify("--timeout", "0.5")
LAYERS = [
    Layer(kind="mean"),
    Layer(kind="dense", weight=np.ones((3, 1), np.float32), bias=np.arange(3, dtype=np.float32)),
]
SIZE = (2, 2, 1)


def whole(place: Place | None = None) -> bytes:
    """A classifier that fits the fingerprint."""
    return tflite_file(LAYERS, size=SIZE)


def case(
    name: str,
    change: Callable[[TfliteGraph], None],
    says: str = FILE,
    exits: frozenset[int] = REFUSED,
    *,
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """The classifier, changed in one place."""

    def data(place: Place) -> bytes:
        graph = tflite_graph(LAYERS, size=SIZE)
        change(graph)
        return graph.packed()

    return hostile(f"tflite_files/{name}", content(FILE, data), command, says, exits, quick=quick)


def setting(part: str, place: int, **values: Any) -> Callable[[TfliteGraph], None]:
    """Sets fields of one tensor, operator, code or buffer."""

    def change(graph: TfliteGraph) -> None:
        for name, value in values.items():
            setattr(getattr(graph, part)[place], name, value)

    return change


@family
def tensors() -> Iterator[HostileInput]:
    """Shapes, types and buffers that cannot be."""
    if find_spec("ai_edge_litert") is None:
        return
    changes = {
        "shape-huge": setting("tensors", 0, shape=[1, 2**31 - 1, 2**31 - 1, 1]),
        "shape-large": setting("tensors", 0, shape=[1, 2**15, 2**15, 4]),
        "shape-negative": setting("tensors", 0, shape=[1, -2, 2, 1]),
        "shape-zero": setting("tensors", 0, shape=[1, 0, 2, 1]),
        "shape-of-nothing": setting("tensors", 0, shape=[]),
        "shape-of-many": setting("tensors", 0, shape=[1] * 3000),
        "batch-huge": setting("tensors", 0, shape=[2**30, 2, 2, 1]),
        "weights-of-another-shape": setting("tensors", 3, shape=[3000, 1000]),
        "weights-of-another-type": setting("tensors", 3, type=3),
        "type-unknown": setting("tensors", 0, type=127),
        "buffer-out-of-range": setting("tensors", 3, buffer=2**31 - 1),
        "buffer-elsewhere": setting("buffers", 1, offset=2**40, size=2**40, data=None),
        "input-of-text": setting("tensors", 0, type=5),
        "input-of-integers": setting("tensors", 0, type=4),
    }
    for name, change in changes.items():
        exits = (
            ANY if name in ("shape-zero", "buffer-elsewhere", "shape-of-many", "weights-of-another-type") else REFUSED
        )
        yield case(f"tensors/{name}", change, exits=exits, quick=name == "buffer-out-of-range")


@family
def graphs() -> Iterator[HostileInput]:
    """Operators and places that lead nowhere."""
    if find_spec("ai_edge_litert") is None:
        return

    def clear(name: str) -> Callable[[TfliteGraph], None]:
        return lambda graph: setattr(graph, name, [])

    def own(name: str) -> Callable[[TfliteGraph], None]:
        def change(graph: TfliteGraph) -> None:
            graph.codes[0].builtinCode, graph.codes[0].deprecatedBuiltinCode = 32, 32  # an operator of one's own
            graph.codes[0].customCode = name.encode()

        return change

    def twice(graph: TfliteGraph) -> None:
        graph.inputs = [*graph.inputs, *graph.inputs]

    def long(graph: TfliteGraph) -> None:
        graph.operators = graph.operators[:1] * 3000 + graph.operators[1:]

    changes: dict[str, Callable[[TfliteGraph], None]] = {
        "no-inputs": clear("inputs"),
        "no-outputs": clear("outputs"),
        "no-operators": clear("operators"),
        "no-tensors": clear("tensors"),
        "no-buffers": clear("buffers"),
        "no-codes": clear("codes"),
        "inputs-twice": twice,
        "input-out-of-range": lambda graph: setattr(graph, "inputs", [2**31 - 1]),
        "input-negative": lambda graph: setattr(graph, "inputs", [-7]),
        "output-out-of-range": lambda graph: setattr(graph, "outputs", [99]),
        "output-is-the-input": lambda graph: setattr(graph, "outputs", list(graph.inputs)),
        "operator-reads-its-output": setting("operators", 0, inputs=[2, 1], outputs=[2]),
        "operator-reads-nothing": setting("operators", 0, inputs=[]),
        "operator-reads-out-of-range": setting("operators", 0, inputs=[2**30, 1]),
        "code-out-of-range": setting("operators", 0, opcodeIndex=2**31),
        "code-unknown": setting("codes", 0, builtinCode=100_000, deprecatedBuiltinCode=127),
        "version-of-the-future": setting("codes", 0, version=10_000),
        "own-operator": own("RunCommand"),
        "operator-of-tensorflow": own("FlexReadFile"),
        "operator-with-escapes": own("Op\x1b[2J\n"),
        "another-operators-options": setting("operators", 0, builtinOptionsType=2, builtinOptions=None),
        "very-many-operators": long,
    }
    for name, change in changes.items():
        exits = (
            ANY if name in ("another-operators-options", "very-many-operators", "version-of-the-future") else REFUSED
        )
        yield case(f"graphs/{name}", change, exits=exits, quick=name == "operator-of-tensorflow")


@family
def endless() -> Iterator[HostileInput]:
    """Much time or memory from few bytes."""
    if find_spec("ai_edge_litert") is None:
        return

    def forever(graph: TfliteGraph) -> None:
        graph.loop_for_ever()

    def filling(size: int) -> Callable[[TfliteGraph], None]:
        return lambda graph: graph.fill(size)

    yield case("endless/loop", forever, command=AT_ONCE, quick=True)
    yield case(
        "endless/loop-by-record", forever, command=lambda place, made: [*record(place, made), "--timeout", "0.5"]
    )
    yield case(
        "endless/loop-by-identify", forever, command=lambda place, made: [*identify(place, made), "--timeout", "0.5"]
    )
    for power in (28, 33, 40):
        yield case(f"greedy/fill-2-{power}", filling(2**power), exits=ANY if power == 28 else REFUSED)


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes."""
    if find_spec("ai_edge_litert") is None:
        return
    for name, escape in ESCAPES.items():
        odd = escape.encode("utf-8", "surrogatepass")
        yield case(f"names/output-{name}", setting("tensors", -1, name=odd), "", ANY)
        yield case(f"names/input-{name}", setting("tensors", 0, name=odd, type=5))


@family
def archives() -> Iterator[HostileInput]:
    """What only begins as such a file."""
    if find_spec("ai_edge_litert") is None:
        return
    cases = {
        "magic-alone": bytes(4) + b"TFL3",
        "magic-and-zeros": bytes(4) + b"TFL3" + bytes(10_000),
        "root-far-away": struct.pack("<I", 2**31) + b"TFL3" + bytes(100),
        "root-negative": struct.pack("<i", -8) + b"TFL3" + bytes(100),
        "ones": b"\xff" * 4 + b"TFL3" + b"\xff" * 10_000,
        "old-magic": bytes(4) + b"TFL2" + bytes(100),
        "empty": b"",
        "text": b"derived\n" * 100,
        "elf": b"\x7fELF" + bytes(200),
    }
    for name, data in cases.items():
        yield hostile(f"tflite_files/archives/{name}", content(FILE, data), VERIFY, FILE)
    yield hostile("tflite_files/archives/called-pt", content("m.pt", cases["ones"]), VERIFY, "m.pt")


@family
def damage() -> Iterator[HostileInput]:
    """A whole file with damage."""
    if find_spec("ai_edge_litert") is None:
        return
    for entry in damaged("tflite_files/damaged", FILE, whole, VERIFY, 6):
        yield dataclasses.replace(entry, seconds=8.0)
