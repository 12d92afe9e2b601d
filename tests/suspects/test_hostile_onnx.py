"""ONNX files that never end, or want all memory, end in their child."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelprint.core.errors import ModelprintError
from modelprint.core.sandbox import SandboxError, available
from modelprint.suspects.onnx import OnnxSuspect
from tests.core.test_sandbox import gone
from tests.suspects.test_onnx import save

pytestmark = pytest.mark.skipif(not available(), reason="this system cannot confine a child")
IMAGES = np.zeros((2, 1, 4, 4), np.uint8)


def written(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray]) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def endless(path: Path) -> Path:
    """2 ** 62 rounds of a loop."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Sin", ["v"], ["w"])],
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
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Loop", ["rounds", "go", "flat"], ["y"], body=body),
    ]
    return written(path, nodes, {"rounds": np.array(2**62), "go": np.array(True)})


def greedy(path: Path) -> Path:
    """Sixteen GiB of ones, multiplied."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "many"], ["size"], axis=0),
        helper.make_node("ConstantOfShape", ["size"], ["ones"], value=numpy_helper.from_array(np.ones(1, np.float32))),
        helper.make_node("Exp", ["ones"], ["e"]),
        helper.make_node("ReduceSum", ["e", "axes"], ["y"], keepdims=0),
    ]
    return written(
        path,
        nodes,
        {"zero": np.array([0]), "one": np.array([1]), "many": np.array([3, 2**29]), "axes": np.array([2])},
    )


def test_a_loop_without_an_end_is_stopped(tmp_path: Path) -> None:
    suspect = OnnxSuspect(endless(tmp_path / "loop.onnx"), seconds=1.5)
    started = time.monotonic()
    with pytest.raises(SandboxError, match=r"loop\.onnx: it took more than 1\.5 s and was stopped"):
        suspect.ask(IMAGES)
    assert time.monotonic() - started < 6


def test_a_small_file_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    path = greedy(tmp_path / "greedy.onnx")
    assert path.stat().st_size < 3000
    with pytest.raises(ModelprintError, match=r"greedy\.onnx"):
        OnnxSuspect(path).ask(IMAGES)


def test_no_child_is_left_behind(tmp_path: Path) -> None:
    suspect = OnnxSuspect(save(tmp_path / "m.onnx", ["n", 1, 4, 4]))
    labels = suspect.ask(IMAGES).labels
    pid = suspect._session._child._child  # type: ignore[union-attr]
    assert pid != os.getpid()
    suspect.finish()
    assert gone(pid)
    assert (suspect.ask(IMAGES).labels == labels).all()  # made anew
    again = suspect._session._child._child  # type: ignore[union-attr]
    del suspect
    assert gone(again)
