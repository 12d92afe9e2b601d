"""magika's networks (Apache-2.0) as models of texts: file types from bytes, of two releases, trained by other people.

E. Bursztein et al., "Magika: AI-Powered Content-Type Detection", ICSE 2025; the packages on PyPI bring the weights.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modelprint.data.labelled import LabelledSet
from modelprint.modalities.text import TEXT
from modelprint.modalities.text.storage import stored_texts

LENGTH = 1024  # bytes that magika reads at the beginning, and at the end
PADDING = 256
SUFFIXES = {"c": ".h", "cmake": ".cmake", "css": ".css", "html": ".html", "javascript": ".js", "json": ".json",
            "markdown": ".md", "python": ".py", "shell": ".sh", "yaml": ".yaml"}  # fmt: skip


def places() -> Iterator[Path]:
    """Where files of many types lie on any machine with this package."""
    yield Path(sysconfig.get_path("stdlib"))
    yield Path(sysconfig.get_path("purelib"))


def snippets(class_names: tuple[str, ...], count: int, *, size: int = 400, seed: int = 0) -> LabelledSet:
    """Stretches of files, as many of each type where there are so many, cut at line breaks.

    Args:
        class_names: magika's, more than there are files of here.
    """
    draw = np.random.default_rng(seed)
    texts: dict[str, int] = {}
    listed = sorted(file for place in places() for file in place.rglob("*.*") if file.suffix in SUFFIXES.values())
    for name, suffix in SUFFIXES.items():
        files = [file for file in listed if file.suffix == suffix]
        own = 0
        for number in draw.permutation(len(files)):
            text = _stretch(files[number], size, draw)
            if text is not None and text not in texts:
                texts[text] = class_names.index(name)
                own += 1
            if own == count:
                break
    order = draw.permutation(len(texts))
    kept, labels = list(texts), list(texts.values())
    return LabelledSet(
        name="file types",
        stored=stored_texts([kept[place] for place in order], LENGTH),
        labels=np.array([labels[place] for place in order], dtype=np.int64),
        class_names=class_names,
        modality=TEXT,
    )


def with_its_features(model: Path, to: Path) -> None:
    """The network with the making of its features put in front, as one file of ONNX.

    It takes bytes (n, 1024), zeros behind the end. Its features are the text from its first byte on, filled up behind
    it, and the text up to its last byte, filled up before it; the texts here begin and end with no space.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(model)
    given = graph.graph.input[0].name
    constants = {
        "zero": np.array(0, np.int64), "padding": np.array(PADDING, np.int64), "one_axis": np.array([1], np.int64),
        "places": np.arange(LENGTH, dtype=np.int64)[None], "length": np.array(LENGTH, np.int64),
    }  # fmt: skip
    node = helper.make_node
    before = [
        node("Equal", ["text", "zero"], ["blank"]),
        node("Where", ["blank", "padding", "text"], ["beginning"]),
        node("Not", ["blank"], ["written"]),
        node("Cast", ["written"], ["counted"], to=TensorProto.INT64),
        node("ReduceSum", ["counted", "one_axis"], ["size"], keepdims=1),
        node("Sub", ["size", "length"], ["moved"]),
        node("Add", ["places", "moved"], ["from_place"]),
        node("Less", ["from_place", "zero"], ["outside"]),
        node("Max", ["from_place", "zero"], ["inside"]),
        node("GatherElements", ["text", "inside"], ["shifted"], axis=1),
        node("Where", ["outside", "padding", "shifted"], ["ending"]),
        node("Concat", ["beginning", "ending"], ["features"], axis=1),
        node("Cast", ["features"], [given], to=TensorProto.INT32),
    ]
    merged = helper.make_graph(
        [*before, *graph.graph.node],
        "magika",
        [helper.make_tensor_value_info("text", TensorProto.INT64, ["n", LENGTH])],
        list(graph.graph.output),
        [*graph.graph.initializer, *(numpy_helper.from_array(value, name) for name, value in constants.items())],
    )
    whole = helper.make_model(merged, opset_imports=graph.opset_import, ir_version=graph.ir_version)
    onnx.checker.check_model(whole)
    onnx.save(whole, to)


def _stretch(file: Path, size: int, draw: np.random.Generator) -> str | None:
    try:
        lines = file.read_text("utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError):
        return None
    text = ""
    for line in lines[int(draw.integers(max(1, len(lines) // 2))) :]:
        if len((text + line).encode()) > size:
            break
        text += line
    text = text.strip()
    printable = all(one.isprintable() or one in "\n\t" for one in text)
    return text if printable and len(text) >= size // 4 else None
