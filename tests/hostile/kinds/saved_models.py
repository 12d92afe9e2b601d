"""SavedModels: graphs that touch files, never end or take all memory; folders with parts missing, damaged or elsewhere."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.hostile.commands import identify, record, verify
from tests.hostile.corpus import ANY, GIB, READ, REFUSED, Command, HostileInput, Place, family, hostile
from tests.hostile.mutation import DAMAGES
from tests.hostile.payloads import ESCAPES, MARKUP
from tests.hostile.saved_models import ENDLESS, make_all

VERIFY = verify("--timeout", "20")
SECONDS = 30.0  # each child loads TensorFlow
GRAPH = "saved_model.pb"
Change = Callable[[Place, Path], object]


def model(place: Place, name: str, change: Change | None = None) -> str:
    """The folder `m`: a SavedModel of that name, changed."""
    seeds = place.seeds.folder / "saved-models"
    make_all(seeds, canary=place.canary, secret=place.secret)
    path = place.root / "m"
    shutil.copytree(seeds / name, path)
    if change is not None:
        change(place, path)
    return str(path)


def case(
    name: str,
    seed: str,
    says: str = "/m",
    exits: frozenset[int] = REFUSED,
    *,
    change: Change | None = None,
    command: Command = VERIFY,
    quick: bool = False,
) -> HostileInput:
    """One folder."""

    def make(place: Place) -> str:
        return model(place, seed, change)

    return hostile(
        f"saved_models/{name}", make, command, says, exits, seconds=SECONDS, memory=7 * GIB, quick=quick
    )  # fmt: skip


def there() -> bool:
    return find_spec("tensorflow") is not None


@family
def programs() -> Iterator[HostileInput]:
    """Graphs that touch files, as they answer or as they are restored."""
    if not there():
        return
    yield case("programs/whole", "whole", exits=READ)
    for name in ("reads", "lists-files", "reads-lines", "writes", "prints", "python"):
        yield case(f"programs/{name}", name, "operators that touch files|is not a SavedModel", quick=name == "writes")
    for name, command in {"record": record, "identify": identify}.items():
        yield case(f"programs/writes-by-{name}", "writes", "operators that touch files", command=command)
    yield case("programs/start-writes", "start-writes", "is not a SavedModel that TensorFlow restores")
    yield case("programs/start-saves", "start-saves", "is not a SavedModel that TensorFlow restores")
    yield case("programs/start-reads", "start-reads", exits=ANY)


@family
def graphs() -> Iterator[HostileInput]:
    """Graphs that never end, take all memory, or answer what is no score."""
    if not there():
        return
    endless = verify("--timeout", "3")
    yield case("graphs/endless", ENDLESS, "took more than 3 s", command=endless)
    harmless = {"deep", "random", "one-row", "half", "integers", "booleans"}
    for name in (
        "deep", "asserts", "large-zeros", "large-range", "large-tile", "not-a-number", "infinite", "random", "one-class",
        "no-classes", "many-classes", "one-row", "no-rows", "a-number", "a-picture", "text", "integers", "complex", "half",
        "booleans", "two-inputs", "input-of-text", "input-of-bytes", "input-of-any-shape", "input-huge", "batch-huge",
        "nothing",
    ):  # fmt: skip
        exits = ANY if name in harmless or name.startswith("input-of") else REFUSED
        yield case(f"graphs/{name}", name, exits=exits)
    for name in (
        "operator-unknown", "operator-escapes", "function-in-itself", "function-twice", "functions-none",
        "functions-many", "input-of-a-node-missing", "nodes-none", "variable-huge", "variable-negative",
        "variable-zero", "variable-type", "child-beyond", "child-negative", "child-itself", "objects-none",
        "no-object-graph", "no-signatures", "no-tags", "tag-other", "version-future", "asset-elsewhere",
        "graphs-alike", "graphs-none",
    ):  # fmt: skip
        yield case(f"edited/{name}", name, exits=ANY)


@family
def names() -> Iterator[HostileInput]:
    """Outputs whose names hold escapes and markup."""
    if not there():
        return
    for group, listed in {"names": ESCAPES, "markup": MARKUP}.items():
        for name in listed:
            yield case(f"{group}/output-{name}", f"output-{name}", exits=ANY)


@family
def folders() -> Iterator[HostileInput]:
    """Parts that are missing, damaged, too many, or elsewhere."""
    if not there():
        return
    data, index = "variables/variables.data-00000-of-00001", "variables/variables.index"

    def put(name: str, content: bytes) -> Change:
        def change(place: Place, path: Path) -> None:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)

        return change

    def instead(name: str, make: Callable[[Place, Path], object]) -> Change:
        def change(place: Place, path: Path) -> None:
            (path / name).unlink(missing_ok=True)
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            make(place, path / name)

        return change

    def many(place: Place, path: Path) -> None:
        for number in range(600):
            put(f"assets/{number}", b"x")(place, path)

    def large(place: Place, path: Path) -> None:
        os.truncate(path / GRAPH, 2**36)

    changes: dict[str, Change] = {
        "no-variables": lambda place, path: shutil.rmtree(path / "variables"),
        "no-index": lambda place, path: (path / index).unlink(),
        "no-data": lambda place, path: (path / data).unlink(),
        "data-empty": put(data, b""),
        "data-short": put(data, b"xx"),
        "index-empty": put(index, b""),
        "index-of-text": put(index, b"text" * 100),
        "graph-empty": put(GRAPH, b""),
        "graph-of-text": put(GRAPH, b"derived\n" * 100),
        "graph-of-zeros": put(GRAPH, bytes(1000)),
        "graph-large": large,
        "graph-link-to-device": instead(GRAPH, lambda place, path: path.symlink_to("/dev/zero")),
        "graph-link-to-secret": instead(GRAPH, lambda place, path: path.symlink_to(place.secret)),
        "graph-link-to-itself": instead(GRAPH, lambda place, path: path.symlink_to(GRAPH)),
        "graph-fifo": instead(GRAPH, lambda place, path: os.mkfifo(path)),
        "data-link-to-secret": instead(data, lambda place, path: path.symlink_to(place.secret)),
        "data-fifo": instead(data, lambda place, path: os.mkfifo(path)),
        "asset-link-to-secret": instead("assets/a", lambda place, path: path.symlink_to(place.secret)),
        "asset-link-to-device": instead("assets/a", lambda place, path: path.symlink_to("/dev/zero")),
        "asset-fifo": instead("assets/a", lambda place, path: os.mkfifo(path)),
        "many-files": many,
        "name-with-escapes": put("assets/\x1b[2J\n<script>", b"x"),
        "debug-of-text": put("fingerprint.pb", b"\xff\xfe" * 100),
        "python-beside": put("assets/sitecustomize.py", b"raise SystemExit"),
    }
    harmless = {"name-with-escapes", "debug-of-text", "python-beside"}
    for name, change in changes.items():
        yield case(
            f"folders/{name}", "whole", exits=ANY if name in harmless else REFUSED, change=change,
            quick=name == "graph-fifo",
        )  # fmt: skip


@family
def damage() -> Iterator[HostileInput]:
    """A whole model whose graph or index is damaged."""
    if not there():
        return
    for file, count in {GRAPH: 4, "variables/variables.index": 2}.items():
        for kind in DAMAGES:
            for number in range(count):
                yield _damaged(file, kind, f"saved_models {file} {kind} {number}", number)


def _damaged(file: str, kind: str, draw: str, number: int) -> HostileInput:
    def change(place: Place, path: Path) -> None:
        honest = (path / file).read_bytes()
        (path / file).write_bytes(DAMAGES[kind](honest, random.Random(draw)))

    return case(f"damaged/{Path(file).stem}-{kind}-{number}", "whole", exits=ANY, change=change)
