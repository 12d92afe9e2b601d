"""SavedModels for the corpus, made by TensorFlow in a process of its own: `python -m tests.hostile.saved_models`.

Two libraries of protocol buffers do not share one process, so TensorFlow is never loaded by who only asks for a folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.payloads import ESCAPES, MARKUP

ENDLESS = "endless"  # the model that never answers
Tensor = Any
Answer = Callable[[Tensor], Tensor]


def make_all(folder: Path, *, canary: Path, secret: Path) -> None:
    """Write every SavedModel of this module into a folder of its name, once.

    Args:
        folder: where they go; left alone if it is there.
        canary: a file that some models would make.
        secret: a file that some models would read.
    """
    if folder.exists():
        return
    order = json.dumps({"folder": str(folder), "canary": str(canary), "secret": str(secret)})
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=order, env={**os.environ, **quiet}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def _answers(tf: Any, canary: str, secret: str) -> dict[str, Answer]:
    """What is done with float32 images (n, 2, 2, 1): a name, and the function that answers."""

    def scores(images: Tensor) -> Tensor:
        return tf.reshape(images, (-1, 4)) @ tf.ones((4, 3))

    def length_of(text: Tensor) -> Tensor:
        return tf.cast(tf.strings.length(text), tf.float32)

    def writes(images: Tensor) -> Tensor:
        tf.io.write_file(canary, "x")
        return scores(images)

    def prints(images: Tensor) -> Tensor:
        tf.print(images, output_stream=f"file://{canary}")
        return scores(images)

    def asserts(images: Tensor) -> Tensor:
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_sum(images) < -1.0, ["\x1b[2Jno\nsuch"])]):
            return scores(images)

    def reads_lines(images: Tensor) -> Tensor:
        names = tf.raw_ops.FIFOQueueV2(component_types=[tf.string])
        _, line = tf.raw_ops.ReaderReadV2(reader_handle=tf.raw_ops.TextLineReaderV2(), queue_handle=names)
        return scores(images) + length_of(line)

    def python(images: Tensor) -> Tensor:
        return tf.ensure_shape(tf.numpy_function(lambda values: values, [scores(images)], tf.float32), (None, 3))

    def endless(images: Tensor) -> Tensor:
        total = tf.while_loop(lambda value: value < 2.0, lambda value: value * 0.5 + 0.25, [tf.reduce_sum(images) * 0])
        return scores(images) + total[0]

    def deep(images: Tensor) -> Tensor:
        values = scores(images)
        for _ in range(3000):
            values = tf.identity(values)
        return values

    return {
        "whole": scores,
        "reads": lambda images: scores(images) + length_of(tf.io.read_file(secret)),
        "lists-files": lambda images: scores(images) + length_of(tf.io.matching_files("/etc/*")[0]),
        "reads-lines": reads_lines,
        "writes": writes,
        "prints": prints,
        "asserts": asserts,
        ENDLESS: endless,
        "deep": deep,
        "python": python,
        "large-zeros": lambda images: scores(images) + tf.reduce_sum(tf.zeros((2**18, 2**17)) + images[0, 0, 0, 0]),
        "large-range": lambda images: scores(images) + tf.reduce_sum(tf.range(images[0, 0, 0, 0] + 3e9)),
        "large-tile": lambda images: scores(images) + tf.reduce_sum(tf.tile(images, (1, 2**15, 2**15, 1))),
        "not-a-number": lambda images: scores(images) / 0.0 * 0.0,
        "infinite": lambda images: scores(images) / 0.0,
        "random": lambda images: scores(images) + tf.random.normal((1, 3)),
        "one-class": lambda images: scores(images)[:, :1],
        "no-classes": lambda images: scores(images)[:, :0],
        "many-classes": lambda images: tf.tile(scores(images), (1, 2**18)),
        "one-row": lambda images: scores(images)[:1],
        "no-rows": lambda images: scores(images)[:0],
        "a-number": tf.reduce_sum,
        "a-picture": lambda images: images,
        "text": lambda images: tf.strings.as_string(scores(images)),
        "integers": lambda images: tf.cast(scores(images), tf.int64),
        "complex": lambda images: tf.cast(scores(images), tf.complex64),
        "half": lambda images: tf.cast(scores(images), tf.float16),
        "booleans": lambda images: scores(images) > 0,
    }  # fmt: skip


def _make(folder: str, canary: str, secret: str) -> None:
    """In the process that has TensorFlow."""
    import tensorflow as tf

    images = tf.TensorSpec((None, 2, 2, 1), tf.float32)
    answers = _answers(tf, canary, secret)

    def save(name: str, answer: Callable[..., Tensor], *specs: Any, key: str = "scores") -> None:
        module = tf.Module()
        module.weight = tf.Variable(tf.zeros((4, 3)))  # a file of variables belongs to a whole model
        module.serve = tf.function(lambda *tensors: {key: answer(*tensors)}, input_signature=specs or [images])
        tf.saved_model.save(module, f"{folder}/{name}", signatures={"serving_default": module.serve})

    for name, answer in answers.items():
        save(name, answer)
    whole = answers["whole"]
    save("two-inputs", lambda one, two: whole(one) + whole(two), images, tf.TensorSpec((None, 2, 2, 1), name="second"))
    save("input-of-text", lambda text: whole(tf.reshape(tf.strings.to_number(text), (-1, 2, 2, 1))),
         tf.TensorSpec((None,), tf.string))  # fmt: skip
    save("input-of-bytes", lambda bytes_: whole(tf.cast(bytes_, tf.float32)), tf.TensorSpec((None, 2, 2, 1), tf.uint8))
    save("input-of-any-shape", lambda any_: whole(tf.reshape(any_, (-1, 2, 2, 1))), tf.TensorSpec(None))
    save("input-huge", lambda huge: whole(huge[:, :2, :2]), tf.TensorSpec((None, 2**20, 2**20, 1)))
    save("batch-huge", whole, tf.TensorSpec((2**30, 2, 2, 1)))
    for name, text in {**ESCAPES, **MARKUP}.items():
        save(f"output-{name}", whole, key=f"y{text}")
    tf.saved_model.save(tf.Module(), f"{folder}/nothing")
    _with_start(tf, folder, canary, secret)
    _edited(folder)


def _with_start(tf: Any, folder: str, canary: str, secret: str) -> None:
    """Models that do something when they are restored."""
    v1 = tf.compat.v1
    starts = {
        "start-writes": lambda kept: tf.io.write_file(canary, "x"),
        "start-reads": lambda kept: kept.assign(tf.cast(tf.strings.length(tf.io.read_file(secret)), tf.float32)),
        "start-saves": lambda kept: tf.raw_ops.SaveV2(
            prefix=canary, tensor_names=["kept"], shape_and_slices=[""], tensors=[kept.read_value()]
        ),
    }
    for name, start in starts.items():
        with tf.Graph().as_default(), v1.Session() as session:
            entry = v1.placeholder(tf.float32, (None, 2, 2, 1))
            kept = v1.get_variable("kept", (), use_resource=True)
            scores = tf.reshape(entry, (-1, 4)) @ tf.ones((4, 3)) + kept
            operation = start(kept)
            session.run(kept.initializer)
            builder = v1.saved_model.Builder(f"{folder}/{name}")
            signature = v1.saved_model.predict_signature_def({"images": entry}, {"scores": scores})
            builder.add_meta_graph_and_variables(
                session, ["serve"], {"serving_default": signature},
                main_op=operation.op if hasattr(operation, "op") else operation,
            )  # fmt: skip
            builder.save()


def _edited(folder: str) -> None:
    """The whole model with one thing changed in its graph."""
    from tensorflow.core.protobuf import saved_model_pb2

    data = (Path(folder) / "whole" / "saved_model.pb").read_bytes()

    def functions(graph: Any) -> Any:
        return graph.graph_def.library.function

    def nodes(graph: Any) -> Any:
        return [node for function in functions(graph) for node in function.node_def]

    def objects(graph: Any) -> Any:
        return graph.object_graph_def.nodes

    def variables(graph: Any) -> Any:
        return [one.variable for one in objects(graph) if one.HasField("variable")]

    def itself(graph: Any) -> None:
        for function in functions(graph):
            for node in function.node_def:
                if "PartitionedCall" in node.op:
                    node.attr["f"].func.name = function.signature.name

    def each(listed: Any, change: Callable[[Any], object]) -> None:
        for one in listed:
            change(one)

    def shape(size: int) -> Callable[[Any], None]:
        def change(graph: Any) -> None:
            for variable in variables(graph):
                for dim in variable.shape.dim:
                    dim.size = size

        return change

    def children(number: int) -> Callable[[Any], None]:
        return lambda graph: each(objects(graph)[0].children, lambda child: setattr(child, "node_id", number))

    changes: dict[str, Callable[[Any], object]] = {
        "operator-unknown": lambda graph: each(nodes(graph), lambda node: setattr(node, "op", "Teleport")),
        "operator-escapes": lambda graph: each(nodes(graph), lambda node: setattr(node, "op", "Tele\x1b[2J\nport")),
        "function-in-itself": itself,
        "function-twice": lambda graph: functions(graph).extend([*functions(graph)]),
        "functions-none": lambda graph: graph.graph_def.library.ClearField("function"),
        "functions-many": lambda graph: functions(graph).extend([functions(graph)[0]] * 20_000),
        "input-of-a-node-missing": lambda graph: each(nodes(graph), lambda node: node.input.append("nowhere:0")),
        "nodes-none": lambda graph: each(functions(graph), lambda function: function.ClearField("node_def")),
        "variable-huge": shape(2**40),
        "variable-negative": shape(-5),
        "variable-zero": shape(0),
        "variable-type": lambda graph: each(variables(graph), lambda variable: setattr(variable, "dtype", 7)),
        "child-beyond": children(10**6),
        "child-negative": children(-3),
        "child-itself": children(0),
        "objects-none": lambda graph: graph.object_graph_def.ClearField("nodes"),
        "no-object-graph": lambda graph: graph.ClearField("object_graph_def"),
        "no-signatures": lambda graph: graph.ClearField("signature_def"),
        "no-tags": lambda graph: graph.meta_info_def.ClearField("tags"),
        "tag-other": lambda graph: graph.meta_info_def.tags.extend(["train"]),
        "version-future": lambda graph: setattr(graph.graph_def.versions, "min_consumer", 10**6),
        "asset-elsewhere": lambda graph: graph.asset_file_def.add(filename="../../secret"),
    }
    for name, change in changes.items():
        saved = saved_model_pb2.SavedModel.FromString(data)
        change(saved.meta_graphs[0])
        _write(folder, name, saved.SerializeToString())
    saved = saved_model_pb2.SavedModel.FromString(data)
    saved.meta_graphs.extend([saved.meta_graphs[0]] * 3)
    _write(folder, "graphs-alike", saved.SerializeToString())
    _write(folder, "graphs-none", saved_model_pb2.SavedModel(saved_model_schema_version=1).SerializeToString())


def _write(folder: str, name: str, graph: bytes) -> None:
    import shutil

    shutil.copytree(f"{folder}/whole", f"{folder}/{name}")
    (Path(folder) / name / "saved_model.pb").write_bytes(graph)


if __name__ == "__main__":
    _make(**json.loads(sys.stdin.read()))
