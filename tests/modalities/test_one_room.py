"""What is known about images lies in modalities/image: nothing else in the package counts levels or unpacks sides."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import modelprint

PACKAGE = Path(modelprint.__file__).parent
ROOM = PACKAGE / "modalities" / "image"
SIDES = {"channels", "height", "width"}

# Where something of it is said all the same, and why that is right.
ALLOWED: dict[str, dict[str, str]] = {
    "core/unfinished.py": {"uint8": "the bytes of a generator's state, kept until an enrollment goes on"},
    "suspects/csv_table.py": {"uint8": "the bytes of a file, handed to a child process"},
    "suspects/foreign/ends.py": {"uint8": "a type of the numbers that a quantised program takes and gives"},
    "suspects/foreign/skops_child.py": {"uint8": "texts are sent to a pipeline as bytes of UTF-8"},
    "bench/records.py": {"uint8": "the bytes of what an npz file says of itself"},
    "core/identity.py": {"uint8": "the bytes of any array, to be hashed"},
    "modalities/wire.py": {"uint8": "the name of a number in mapping files, which every modality may be asked for"},
    "nn/bodies.py": {"sides": "architectures of images take channels, height and width"},
    "nn/configs.py": {
        "sides": "preprocessing files of image models name their input size",
        "255": "preprocessing files name the factor that bytes are multiplied by",
    },
    "nn/quantised.py": {"uint8": "a type of quantised weights"},
    "report/drawing/pictures.py": {
        "255": "the levels of a colour of the palette",
        "uint8": "the palette's numbers in a map of decision regions",
        "PIL": "draws that map",
    },
    "modalities/series/picture.py": {
        "255": "the grey levels of a spectrogram",
        "uint8": "the type of these levels",
        "PIL": "draws it",
    },
    "sealing/keys.py": {"255": "the prime of Curve25519"},
    "nn/confined.py": {"uint8": "the bytes of a file and of its tensors, handed to and from a child process"},
    "core/sandbox/frames.py": {"uint8": "the bytes of any array, handed to and from a child process"},
    "lineage/onnx_tensors.py": {"uint8": "the bytes of a file, and a type of quantised weights"},
    "modalities/text/modality.py": {"uint8": "texts are stored as bytes of UTF-8"},
    "modalities/text/storage.py": {"uint8": "texts are stored as bytes of UTF-8"},
    "schemes/message.py": {"uint8": "the bytes of a hash, unpacked into the bits of a message"},
    "schemes/fit_lime.py": {"uint8": "which cells are shown, 0 or 1"},
    "schemes/lime.py": {"uint8": "the bytes of which segments are shown"},
    "schemes/zest.py": {"uint8": "which segments are shown, 0 or 1"},
    "screening/registry.py": {"255": "a mask of the result codes of SQLite"},
    "suspects/onnx_session.py": {"uint8": "the bytes of a file, handed to a child process"},
}


def traces(source: str) -> Iterator[str]:
    """What of images a module's code mentions; comments and docstrings may."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=255 | 255.0):
                yield "255"
            case ast.Attribute(attr="uint8") | ast.Constant(value="uint8") | ast.alias(name="uint8"):
                yield "uint8"
            case ast.Import(names=names) if any(name.name.split(".")[0] == "PIL" for name in names):
                yield "PIL"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "PIL":
                yield "PIL"
            case ast.Tuple(elts=parts, ctx=ast.Store()):
                if len(SIDES & {part.id for part in parts if isinstance(part, ast.Name)}) > 1:
                    yield "sides"


def found() -> dict[str, set[str]]:
    modules = [path for path in PACKAGE.rglob("*.py") if ROOM not in path.parents]
    traced = {str(path.relative_to(PACKAGE)): set(traces(path.read_text())) for path in modules}
    return {module: what for module, what in sorted(traced.items()) if what}


def test_traces_are_seen() -> None:
    code = (
        "import numpy as np\nfrom PIL import Image\nchannels, height, width = a.shape\nb = a.astype(np.uint8) / 255.0\n"
    )
    assert set(traces(code)) == {"PIL", "sides", "uint8", "255"}
    assert set(traces('"""uint8, 255"""\nheight = 255.5\n')) == set()


def test_nothing_else_knows_images() -> None:
    allowed = {module: set(reasons) for module, reasons in ALLOWED.items()}
    assert found() == allowed
