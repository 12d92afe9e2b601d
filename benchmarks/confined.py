"""What it costs to read files of others in a confined child: `python benchmarks/confined.py`.

Prints seconds for the first file of a process and the median for later ones, by kind, and seconds and memory until two
files of a few hundred bytes are refused. A folder of pictures is compared with decoding in this process.
"""

from __future__ import annotations

import io
import pickle
import resource
import statistics
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from modelprint.core.errors import ModelprintError
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.folders import read_image_folder
from modelprint.modalities.image.reading import read_picture
from modelprint.nn.weight_files import read_weights

AGAIN = 9
PICTURES, SIDE = 10_000, 32


class _Greedy:
    def __reduce__(self) -> tuple[object, ...]:
        return bytearray, (2**32,)


def checkpoint(path: Path, program: bytes) -> Path:
    """A checkpoint of torch whose pickle is a program."""
    stream = io.BytesIO()
    torch.save({}, stream)
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(path, "w") as forged:
        for name in whole.namelist():
            forged.writestr(name, program if name.endswith("data.pkl") else whole.read(name))
    return path


def nested_key(depth: int = 60) -> bytes:
    """A dictionary whose key takes 2 ** depth steps to be hashed."""
    body = b"\x80\x02})"
    for place in range(depth):
        body += b"q" + struct.pack("B", place) + b"h" + struct.pack("B", place) + b"\x86"
    return body + b"K\x01s."


def seconds(work: Callable[[], object]) -> float:
    """What one piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def refused(path: Path) -> str:
    """The message of the error that reading ends in, and what it cost."""
    began = time.perf_counter()
    try:
        read_weights(path)
    except ModelprintError as error:
        return f"{time.perf_counter() - began:.1f} s ({str(error).removeprefix(str(path))[:60]} ...)"
    raise AssertionError("it was read")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(torch.nn.Linear(64, 64).state_dict(), folder / "m.pt")
        np.savez_compressed(folder / "a.npz", x=np.arange(1000))
        kinds: dict[str, Callable[[], object]] = {
            "checkpoint of 18 kB": lambda: read_weights(folder / "m.pt"),
            "npz of 2 kB": lambda: read_npz_arrays(folder / "a.npz"),
        }
        try:
            kinds["ONNX of 17 kB, opened and run"] = _onnx(folder / "m.onnx")
        except ImportError as error:
            print(f"no ONNX: {error}", file=sys.stderr)
        for kind, work in kinds.items():
            first, later = seconds(work), [seconds(work) for _ in range(AGAIN)]
            print(f"{kind}: first {first:.2f} s, later {statistics.median(later):.3f} s (median of {AGAIN})")
        print("nested key:", refused(checkpoint(folder / "key.pt", nested_key())))
        stream = io.BytesIO()
        pickle.dump({"w": _Greedy()}, stream, protocol=2)
        print("4 GiB:", refused(checkpoint(folder / "greedy.pt", stream.getvalue())))
        print(f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most")
        _pictures(folder / "pictures")


def _onnx(path: Path) -> Callable[[], object]:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from modelprint.suspects.onnx import OnnxSuspect

    weights = numpy_helper.from_array(np.eye(64, dtype=np.float32), "w")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    ends = [
        helper.make_tensor_value_info(label, TensorProto.FLOAT, shape)
        for label, shape in (("x", ["n", 1, 8, 8]), ("y", ["n", 64]))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    images = np.zeros((4, 1, 8, 8), np.uint8)
    return lambda: OnnxSuspect(str(path)).ask(images)


def _pictures(folder: Path) -> None:
    draw = np.random.default_rng(0)
    for number in range(PICTURES):
        place = folder / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(draw.integers(0, 255, (5, 5, 3), dtype=np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BILINEAR).save(place / f"{number:05d}.png")
    files = sorted(folder.rglob("*.png"))
    confined = [seconds(lambda: read_image_folder(folder)) for _ in range(3)]
    here = [seconds(lambda: [read_picture(file) for file in files]) for _ in range(3)]
    print(f"{PICTURES} PNGs of {SIDE} x {SIDE}: {min(confined):.2f} s in a child, {min(here):.2f} s here (least of 3)")


if __name__ == "__main__":
    main()
