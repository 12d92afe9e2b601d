"""ONNX files: graphs without an end, that want all memory, read other files, or call what nobody knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, REFUSED, Command, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import onnx_model

FILE = "m.onnx"
SOON = ("--timeout", "5")
AT_ONCE = ("--timeout", "0.5")  # of what never ends
VERIFY = verify(*SOON)
Node = onnx.NodeProto
node = helper.make_node
FLAT = node("Flatten", ["x"], ["f"])
MATMUL = node("MatMul", ["f", "w"], ["y"])
W = {"w": np.ones((4, 3), np.float32)}


def saved(build: Callable[[], onnx.ModelProto]) -> Callable[[Place], bytes]:
    """The file of a model, built when it is made."""
    return lambda place: build().SerializeToString()


def case(
    name: str,
    build: Callable[[], onnx.ModelProto],
    says: str = "m.onnx",
    exits: frozenset[int] = REFUSED,
    *,
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """One model."""
    return hostile(f"onnx_files/{name}", content(FILE, saved(build)), command, says, exits, quick=quick)


def loop(body: list[Node], rounds: int, state: str = "f") -> onnx.ModelProto:
    """A loop over a body that turns `v` into `w`."""
    graph = helper.make_graph(
        [node("Identity", ["c"], ["d"]), *body],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.FLOAT, None),
        ],
    )
    return onnx_model(
        [FLAT, node("Loop", ["rounds", "go", state], ["y"], body=graph)],
        {"rounds": np.array(rounds), "go": np.array(True)},
    )


@family
def endless() -> Iterator[HostileInput]:
    """Much time from few bytes."""

    def forever(rounds: int = 2**62) -> Callable[[], onnx.ModelProto]:
        return lambda: loop([node("Sin", ["v"], ["w"])], rounds)

    def sines() -> onnx.ModelProto:
        chain = [node("Sin", [f"s{n}" if n else "f"], [f"s{n + 1}"]) for n in range(20_000)]
        return onnx_model([FLAT, *chain, node("Identity", ["s20000"], ["y"])])

    yield case("endless/loop", forever(), command=verify(*AT_ONCE), quick=True)
    yield case("endless/loop-of-10-9-rounds", forever(10**9), command=verify(*AT_ONCE))
    yield case("endless/loop-of-minus-one-round", forever(-1), "m.onnx", ANY)
    yield case("endless/loop-that-grows", lambda: loop([node("Concat", ["v", "v"], ["w"], axis=0)], 2**40))
    yield case("endless/loop-by-record", forever(), command=lambda place, made: [*record(place, made), *AT_ONCE])
    yield case("endless/loop-by-identify", forever(), command=lambda place, made: [*identify(place, made), *AT_ONCE])
    yield case("endless/chain", sines, "m.onnx", ANY)


@family
def greedy() -> Iterator[HostileInput]:
    """Much memory from few bytes."""
    one = numpy_helper.from_array(np.ones(1, np.float32))
    huge = np.array([1, 3, 2**30], np.int64)
    fill = [node("ConstantOfShape", ["size"], ["o"], value=one), node("ReduceSum", ["o", "axes"], ["y"], keepdims=0)]
    wide = {"axes": np.array([1], np.int64)}
    yield case("greedy/fill", lambda: onnx_model(fill, {"size": np.array([4, 2**33], np.int64), **wide}), quick=True)
    matmul = [FLAT, node("MatMul", ["f", "w"], ["y"])]
    for batch in (2**28, 2**62):
        yield case(
            f"greedy/batch-{batch}",
            lambda batch=batch: onnx_model(matmul, {"w": np.ones((4, 3), np.float32)}, shape=(batch, 1, 2, 2)),
            "inputs at a time",
            quick=batch == 2**28,
        )
    yield case("greedy/fill-overflow", lambda: onnx_model(fill, {"size": np.array([2**62, 2**62], np.int64), **wide}))
    yield case("greedy/fill-negative", lambda: onnx_model(fill, {"size": np.array([-1, 4], np.int64), **wide}))
    yield case(
        "greedy/expand",
        lambda: onnx_model(
            [node("Expand", ["c", "size"], ["o"]), node("Exp", ["o"], ["e"]), node("ReduceSum", ["e", "axes"], ["y"])],
            {"size": huge, "c": np.ones(1, np.float32), **wide},
        ),
    )
    yield case(
        "greedy/tile",
        lambda: onnx_model([FLAT, node("Tile", ["f", "size"], ["y"])], {"size": np.array([1, 2**32], np.int64)}),
    )
    yield case(
        "greedy/pad",
        lambda: onnx_model([FLAT, node("Pad", ["f", "size"], ["y"])], {"size": np.array([0, 2**33, 0, 0], np.int64)}),
    )
    yield case(
        "greedy/resize",
        lambda: onnx_model(
            [node("Resize", ["x", "", "scales"], ["y"], mode="nearest")],
            {"scales": np.array([1, 1, 3e4, 3e4], np.float32)},
        ),
    )
    yield case(
        "greedy/one-hot",
        lambda: onnx_model(
            [FLAT, node("Cast", ["f"], ["i"], to=TensorProto.INT64), node("OneHot", ["i", "d", "v"], ["y"])],
            {"d": np.array(2**32, np.int64), "v": np.array([0, 1], np.float32)},
        ),
    )
    yield case(
        "greedy/range",
        lambda: onnx_model(
            [node("Range", ["a", "b", "c"], ["y"])],
            {"a": np.array(0, np.float32), "b": np.array(1e12, np.float32), "c": np.array(1, np.float32)},
        ),
    )
    yield case(
        "greedy/eye-like",
        lambda: onnx_model(
            [node("ConstantOfShape", ["size"], ["o"], value=one), node("EyeLike", ["o"], ["y"])],
            {"size": np.array([10**5, 10**5], np.int64)},
        ),
    )
    yield case(
        "greedy/conv-of-huge-stride",
        lambda: onnx_model(
            [node("Conv", ["x", "k"], ["y"], pads=[2**20] * 4)], {"k": np.ones((1, 1, 1, 1), np.float32)}
        ),
    )
    yield case(
        "greedy/wide-answers",
        lambda: onnx_model([FLAT, node("Tile", ["f", "size"], ["y"])], {"size": np.array([1, 10**6], np.int64)}),
        "m.onnx|classes",
    )


@family
def claims() -> Iterator[HostileInput]:
    """Tensors that are not as they say."""

    def with_tensor(**changes: object) -> Callable[[], onnx.ModelProto]:
        def build() -> onnx.ModelProto:
            model = onnx_model([FLAT, MATMUL], W)
            tensor = model.graph.initializer[0]
            for name, value in changes.items():
                if name in ("dims",):
                    del tensor.dims[:]
                    tensor.dims.extend(value)  # type: ignore[arg-type]
                else:
                    setattr(tensor, name, value)
            return model

        return build

    cases: dict[str, dict[str, object]] = {
        "dims-huge": {"dims": [2**40, 2**20]},
        "dims-overflow": {"dims": [2**62, 2**62]},
        "dims-negative": {"dims": [-4, 3]},
        "dims-zero": {"dims": [0, 3]},
        "dims-more": {"dims": [4, 4]},
        "dims-many": {"dims": [1] * 5000},
        "type-unknown": {"data_type": 99},
        "type-string": {"data_type": 8},
        "type-zero": {"data_type": 0},
        "no-data": {"raw_data": b""},
        "short-data": {"raw_data": b"abc"},
        "nan": {"raw_data": np.full((4, 3), np.nan, np.float32).tobytes()},
        "infinite": {"raw_data": np.full((4, 3), np.inf, np.float32).tobytes()},
        "name-empty": {"name": ""},
        "name-of-the-input": {"name": "x"},
    }
    for name, changes in cases.items():
        yield case(f"claims/{name}", with_tensor(**changes), "m.onnx|finite|NaN|scores")


@family
def outside() -> Iterator[HostileInput]:
    """Weights that are said to lie in other files."""

    def pointing(location: str, **more: str) -> Callable[[], onnx.ModelProto]:
        def build() -> onnx.ModelProto:
            model = onnx_model([FLAT, MATMUL], W)
            tensor = model.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in {"location": location, **more}.items():
                entry = tensor.external_data.add()
                entry.key, entry.value = key, value
            return model

        return build

    cases = {
        "absolute": pointing("/etc/passwd"),
        "up": pointing("../secret"),
        "up-deep": pointing("a/../../secret"),
        "device": pointing("/dev/zero"),
        "proc": pointing("/proc/self/environ"),
        "missing": pointing("w.bin"),
        "itself": pointing(FILE),
        "empty": pointing(""),
        "folder": pointing("."),
        "offset-huge": pointing("w4.bin", offset=str(2**62)),
        "offset-negative": pointing("w4.bin", offset="-1"),
        "offset-text": pointing("w4.bin", offset="x"),
        "length-huge": pointing("w4.bin", length=str(2**62)),
        "length-short": pointing("w4.bin", length="1"),
        "short-file": pointing("w4.bin"),
        "link": pointing("link.bin"),
        "link-to-device": pointing("zero.bin"),
        "fifo": pointing("fifo.bin"),
        "nul": pointing("a\x00b"),
        "escape": pointing("\x1b[2Jw.bin"),
        "url": pointing("http://example.invalid/w"),
        "backslash": pointing("..\\secret"),
        "long": pointing("w" * 5000),
        "tag": pointing("*/_ORT_MEM_ADDR_/*", offset="4096", length="48"),
    }
    for name, build in cases.items():

        def make(place: Place, build: Callable[[], onnx.ModelProto] = build) -> str:
            place.file("w4.bin", bytes(4))
            (place.root / "link.bin").symlink_to(place.secret)
            (place.root / "zero.bin").symlink_to("/dev/zero")
            os.mkfifo(place.root / "fifo.bin")
            return place.file(FILE, build().SerializeToString())

        exits = ANY if name == "itself" else REFUSED  # bytes of its own
        yield hostile(
            f"onnx_files/outside/{name}", make, verify(*SOON), "m.onnx", exits, quick=name in ("absolute", "fifo")
        )


@family
def graphs() -> Iterator[HostileInput]:
    """Graphs that cannot run, or answer nothing of use."""
    none: dict[str, np.ndarray] = {}
    cases: dict[str, Callable[[], onnx.ModelProto]] = {
        "unknown-operator": lambda: onnx_model([node("Teleport", ["x"], ["y"])]),
        "unknown-domain": lambda: onnx_model([node("Run", ["x"], ["y"], domain="evil.example")]),
        "python-operator": lambda: onnx_model(
            [node("PyOp", ["x"], ["y"], domain="ai.onnx.contrib", module="os", compute="system")]
        ),
        "cycle": lambda: onnx_model(
            [node("Add", ["x", "b"], ["a"]), node("Add", ["a", "x"], ["b"]), node("Identity", ["b"], ["y"])]
        ),
        "own-input": lambda: onnx_model([node("Add", ["y", "x"], ["y"])]),
        "nothing": lambda: onnx_model([]),
        "no-output": lambda: onnx_model([FLAT], outputs=()),
        "no-input": lambda: onnx_model([FLAT], inputs=()),
        "two-inputs": lambda: onnx_model([node("Add", ["x", "z"], ["y"])], inputs=("x", "z")),
        "dangling": lambda: onnx_model([node("Identity", ["nowhere"], ["y"])]),
        "future-opset": lambda: onnx_model([FLAT, MATMUL], W, opset=9999),
        "opset-zero": lambda: onnx_model([FLAT, MATMUL], W, opset=0),
        "scalar": lambda: onnx_model([node("ReduceSum", ["x"], ["y"], keepdims=0)]),
        "one-row": lambda: onnx_model([FLAT, node("ReduceMean", ["f"], ["y"], axes=[0])]),
        "no-classes": lambda: onnx_model([FLAT, node("MatMul", ["f", "w"], ["y"])], {"w": np.ones((4, 0), np.float32)}),
        "one-class": lambda: onnx_model([FLAT, node("MatMul", ["f", "w"], ["y"])], {"w": np.ones((4, 1), np.float32)}),
        "many-classes": lambda: onnx_model(
            [FLAT, node("MatMul", ["f", "w"], ["y"])], {"w": np.ones((4, 10_000), np.float32)}
        ),
        "input-of-strings": lambda: _typed(TensorProto.STRING),
        "input-of-sequences": lambda: _typed(TensorProto.INT64),
        "input-huge": lambda: onnx_model([FLAT, MATMUL], W, shape=("n", 1, 2**31 - 1, 2**31 - 1)),
        "input-negative": lambda: onnx_model([FLAT, MATMUL], W, shape=("n", 1, -2, -2)),
        "input-of-nothing": lambda: onnx_model([FLAT, MATMUL], W, shape=()),
        "input-of-many": lambda: onnx_model([FLAT, MATMUL], W, shape=("n",) + (1,) * 40),
        "division-by-zero": lambda: onnx_model(
            [FLAT, node("Sub", ["f", "f"], ["z"]), node("Div", ["z", "z"], ["y"])], none
        ),
        "random": lambda: onnx_model([node("RandomNormalLike", ["x"], ["r"]), node("Flatten", ["r"], ["y"])]),
        "random-labels": lambda: onnx_model([FLAT, node("ArgMax", ["f"], ["y"], axis=1)]),
        "gather-out": lambda: onnx_model(
            [FLAT, node("Gather", ["f", "i"], ["y"], axis=1)], {"i": np.array([10**9], np.int64)}
        ),
        "reshape-impossible": lambda: onnx_model(
            [node("Reshape", ["x", "s"], ["y"])], {"s": np.array([7, 7], np.int64)}
        ),
        "split-million": lambda: onnx_model(
            [FLAT, node("Split", ["f"], [f"o{n}" for n in range(50_000)], axis=1), node("Identity", ["o0"], ["y"])]
        ),
        "function-recursion": _recursive,
        "if-deep": lambda: onnx_model([_deep_if(20)], {"go": np.array(True)}),
    }
    harmless = {
        "random",
        "scalar",
        "one-row",
        "random-labels",
        "many-classes",
        "one-class",
        "input-of-many",
        "if-deep",
        "opset-zero",
        "division-by-zero",
        "input-negative",
    }
    for name, build in cases.items():
        yield case(f"graphs/{name}", build, "m.onnx|classes|finite|scores", ANY if name in harmless else REFUSED)


def _typed(kind: int) -> onnx.ModelProto:
    model = onnx_model([FLAT, MATMUL], W)
    model.graph.input[0].type.tensor_type.elem_type = kind
    return model


def _recursive() -> onnx.ModelProto:
    model = onnx_model([node("F", ["x"], ["y"], domain="own")])
    model.functions.append(
        helper.make_function(
            "own",
            "F",
            ["a"],
            ["b"],
            [node("F", ["a"], ["b"], domain="own")],
            [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
        )
    )
    model.opset_import.append(helper.make_opsetid("own", 1))
    return model


def _deep_if(depth: int) -> Node:
    """Ifs within ifs."""
    result = helper.make_tensor_value_info("o", TensorProto.FLOAT, None)
    simple = helper.make_graph([node("Flatten", ["x"], ["o"])], "g", [], [result])
    yes = node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True)))
    inner = simple
    for _ in range(depth):
        branch = node("If", ["c"], ["o"], then_branch=inner, else_branch=simple)
        inner = helper.make_graph([yes, branch], "g", [], [result])
    return node("If", ["go"], ["y"], then_branch=inner, else_branch=simple)


@family
def names() -> Iterator[HostileInput]:
    """Names with escapes, wherever a file has names."""
    for name, escape in {**ESCAPES, **RICH}.items():

        def renamed(escape: str = escape) -> onnx.ModelProto:
            odd = f"y{escape}"
            model = onnx_model(
                [FLAT, node("MatMul", ["f", "w"], [odd]), node("Teleport", ["f"], ["q"], name=odd)],
                W,
                outputs=(odd, "q"),
            )
            model.producer_name = escape
            return model

        yield case(f"names/{name}", renamed)
    for name, escape in ESCAPES.items():
        yield case(
            f"operator-names/{name}",
            lambda escape=escape: onnx_model([node(f"Op{escape}", ["x"], ["y"], domain=f"d{escape}")]),
        )
        yield case(
            f"input-names/{name}",
            lambda escape=escape: onnx_model([node("Flatten", [f"x{escape}"], ["y"])], inputs=(f"x{escape}",)),
            "",
            ANY,
        )
    for name, text in MARKUP.items():
        yield case(f"markup/{name}", lambda text=text: onnx_model([node(f"Op{text}", ["x"], ["y"])]))


@family
def damage() -> Iterator[HostileInput]:
    """A whole model with damage."""
    yield from damaged("onnx_files/damaged", FILE, lambda place: place.seeds.onnx, verify(*SOON), 6)
