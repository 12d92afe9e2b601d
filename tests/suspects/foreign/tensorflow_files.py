"""Models that TensorFlow saves, made in a process of their own: `python -m tests.suspects.foreign.tensorflow_files`."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.layers import Layer


def save(path: Path, layers: list[Layer], *, by: str, size: tuple[int, int, int] = (8, 8, 1)) -> None:
    """A SavedModel, by `model.export` or by `tf.saved_model.save`."""
    _elsewhere("save", path, layers=layers, by=by, size=size)


def save_touching(path: Path, target: Path, *, what: str) -> None:
    """A SavedModel that reads, writes or prints into a file as it answers."""
    _elsewhere("touching", path, target=str(target), what=what)


def convert(folder: Path, path: Path, *, integers: bool) -> None:
    """The TFLite file of a SavedModel."""
    _elsewhere("convert", path, folder=str(folder), integers=integers)


def _elsewhere(task: str, path: Path, **arguments: Any) -> None:
    order = pickle.dumps({"task": task, "path": str(path), **arguments})
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
    subprocess.run(
        [sys.executable, "-m", __name__], input=order, env={**os.environ, **quiet}, check=True, capture_output=True
    )


def _run(task: str, path: str, **arguments: Any) -> None:
    import keras
    import tensorflow

    if task == "save":
        model = _model(keras, arguments["layers"], arguments["size"])
        model.export(path, verbose=False) if arguments["by"] == "export" else tensorflow.saved_model.save(model, path)
    elif task == "touching":
        tensorflow.saved_model.save(_touching(tensorflow, arguments["target"], arguments["what"]), path)
    else:
        converter = tensorflow.lite.TFLiteConverter.from_saved_model(arguments["folder"])
        if arguments["integers"]:
            images = np.random.default_rng(0).random((50, 1, 8, 8, 1)).astype(np.float32)
            converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([image] for image in images)
            converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tensorflow.int8
        Path(path).write_bytes(converter.convert())


def _model(keras: Any, layers: list[Layer], size: tuple[int, int, int]) -> Any:
    inputs = values = keras.Input(size)
    for layer in layers:
        if layer.kind == "conv":
            made = keras.layers.Conv2D(len(layer.bias), 3, padding="same", activation="relu")
            values = made(values)
            made.set_weights([layer.weight.transpose(2, 3, 1, 0), layer.bias])
        elif layer.kind == "dense":
            made = keras.layers.Dense(len(layer.bias))
            values = made(values)
            made.set_weights([layer.weight.T, layer.bias])
        else:
            pools = {"pool": keras.layers.MaxPooling2D, "mean": keras.layers.GlobalAveragePooling2D}
            values = pools[layer.kind]()(values)
    return keras.Model(inputs, values)


def _touching(tensorflow: Any, target: str, what: str) -> Any:
    class Touching(tensorflow.Module):
        @tensorflow.function(input_signature=[tensorflow.TensorSpec((None, 8, 8, 1), tensorflow.float32)])
        def serving_default(self, images: Any) -> dict[str, Any]:
            scores = tensorflow.reduce_mean(images, axis=[1, 2]) * tensorflow.ones((1, 5))
            if what == "read":
                size = tensorflow.cast(
                    tensorflow.strings.length(tensorflow.io.read_file("/etc/hostname")), scores.dtype
                )
                return {"scores": scores + tensorflow.cast(size, scores.dtype)}
            if what == "write":
                tensorflow.io.write_file(target, "x")
            else:
                tensorflow.print(scores, output_stream=f"file://{target}")
            return {"scores": scores}

    return Touching()


if __name__ == "__main__":
    _run(**pickle.loads(sys.stdin.buffer.read()))
