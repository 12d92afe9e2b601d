"""A model file that runs in a confined child; the child lives while it is asked, and is made anew when asked again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from modelprint.core.errors import ModelError
from modelprint.core.files import write_bytes
from modelprint.core.sandbox import Limits, Room, Unconfined, available, room
from modelprint.suspects.engines import ONNX, Engine

MEMORY_PER_BYTE = 8  # of the child, for each byte of a large file


@dataclass(frozen=True, kw_only=True)
class End:
    """An input or output: its name, its type as onnxruntime spells it, its shape; None for a size left open."""

    name: str
    type: str
    shape: tuple[int | None, ...]


class ConfinedSession:
    """Inputs and outputs of a file, and its outputs for inputs.

    Args:
        path: the file, or the folder of a SavedModel.
        engine: what runs it.
        threads: of the library that runs it.
        seconds: for each run, of wall time.

    Raises:
        ModelError: the library is not installed, the file is missing or broken, or it is a program and this system
            cannot confine it.
        SandboxError: opening it takes too much memory or time.
    """

    def __init__(self, path: Path, *, engine: Engine = ONNX, threads: int, seconds: float) -> None:
        self._child: Room | Unconfined | None = None
        self.path, self.engine, self.threads, self.seconds = path, engine, threads, seconds
        for package in engine.packages:
            if find_spec(package) is None:
                raise ModelError(
                    f"reading {engine.title} files needs {package}: pip install 'modelprint[{engine.extra}]'"
                )
        if engine.is_program and not available():
            raise ModelError(
                f"{path} is a {engine.title}, a program that may write files, and this system cannot confine it: "
                "export it to ONNX, or check it on Linux"
            )
        self.file = engine.read(path, self._names)
        ends = self._open()
        self.inputs, self.outputs = (tuple(_end(entry) for entry in ends[side]) for side in ("inputs", "outputs"))

    def run(self, output: str, name: str, tensor: np.ndarray) -> np.ndarray:
        """One output for one input.

        Raises:
            ModelError: the model fails on such an input; the message is the library's.
            SandboxError: it takes too much memory or time.
        """
        if self._child is None:
            self._open()
        assert self._child is not None
        _, arrays = self._child.call({"do": "run", "output": output}, {name: tensor})
        return arrays["output"]

    def close(self) -> None:
        """End the child; a later run makes another."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def __del__(self) -> None:
        """A suspect that nobody holds leaves no child behind."""
        self.close()

    def _names(self, data: bytes) -> list[str]:
        with room(self.engine.handler, who=str(self.path), limits=self._limits(len(data))) as child:
            answer, _ = child.call({"do": "names", "who": str(self.path)}, {"file": np.frombuffer(data, np.uint8)})
        return [str(name) for name in answer["names"]]

    def _open(self) -> Mapping[str, Any]:
        """Make a child that has the file open; what it says of inputs and outputs."""
        size = len(self.file.data) + sum(map(len, self.file.outside.values()))
        child = room(self.engine.handler, who=str(self.path), limits=self._limits(size))
        child.__enter__()
        self._child = child
        with tempfile.TemporaryDirectory() as place:  # where a library looks for files: what was hashed lies there
            outside = dict(self.file.outside)
            if self.engine.file_name is not None:
                outside[self.engine.file_name(self.file.data)] = self.file.data
            for name, data in outside.items():
                (Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
                write_bytes(Path(place) / name, data)
            order = {"do": "open", "who": str(self.path), "threads": self.threads, "place": place}
            try:
                ends, _ = child.call(order, {"file": np.frombuffer(self.file.data, np.uint8)})
            except BaseException:
                self.close()
                raise
        return ends

    def _limits(self, size: int) -> Limits:
        return Limits(memory=max(self.engine.memory, MEMORY_PER_BYTE * size), seconds=self.seconds)


def _end(entry: Mapping[str, Any]) -> End:
    return End(name=entry["name"], type=entry["type"], shape=tuple(entry["shape"]))
