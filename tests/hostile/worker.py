"""A process that gives hostile inputs to commands, one after another: python -m tests.hostile.worker FOLDER

It reads a name a line, makes that input, runs its command in this process and writes what happened, a line of JSON.
What the command prints goes to files, descriptors and all, so that nothing that a C library prints is missed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from modelprint.cli.app import run
from tests.hostile.corpus import HostileInput, Place, every_input
from tests.hostile.fuzzing import named
from tests.hostile.payloads import BREAKOUT, SECRET, TOKEN
from tests.hostile.seeds import Seeds


class Page(HTMLParser):
    """Whether a name broke out of the text of a page."""

    broken = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag, or a handler of events, of the name's own."""
        if tag == BREAKOUT or any(BREAKOUT in name for name, _ in attrs):
            self.broken = True


def peak(what: str = "VmHWM") -> int:
    """Bytes of memory that this process had at most since `forget_peak`."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def forget_peak() -> None:
    """Begin anew to watch for the peak."""
    Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def printed_to(folder: Path) -> Iterator[None]:
    """Inside, descriptors 1 and 2 are files."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (folder / name).open("wb") as stream:
            os.dup2(stream.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)


def files_with(folder: Path, text: bytes, before: frozenset[Path]) -> list[str]:
    """New files below a folder that hold a text."""
    fresh = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path not in before)
    return [path.name for path in fresh if text in path.read_bytes()]


def one(entry: HostileInput, folder: Path, seeds: Seeds) -> dict[str, Any]:
    """What happened when a command was given an input."""
    for old in folder.glob("input-*"):
        shutil.rmtree(old, ignore_errors=True)
    root = Path(mkdtemp(prefix="input-", dir=folder))  # a new name: nothing that was read before is taken for it
    printed = folder / "printed"
    printed.mkdir(exist_ok=True)
    canary, secret = folder / "canary", folder / "secret"
    canary.unlink(missing_ok=True)
    secret.write_text(SECRET)
    with ExitStack() as stack:
        os.chdir(root)
        made_at = Place(root=root, seeds=seeds, stack=stack, canary=canary, secret=secret)
        words = entry.command(made_at, entry.make(made_at))
        before = frozenset(root.rglob("*"))
        forget_peak()
        held, began = peak("VmRSS"), time.monotonic()
        with printed_to(printed):
            try:
                code: int | str = run(words)
            except BaseException as error:
                code = repr(error)
        seconds, memory = time.monotonic() - began, max(0, peak() - held)
    pages = Page()
    if entry.pages:
        for path in root.glob("*.html"):
            pages.feed(path.read_text())
    return {
        "code": code,
        "seconds": seconds,
        "memory": memory,
        "stdout": (printed / "stdout").read_bytes().decode("utf-8", "replace"),
        "stderr": (printed / "stderr").read_bytes().decode("utf-8", "replace"),
        "canary": canary.exists(),
        "secret": secret.read_text() != SECRET,
        "token": files_with(root, TOKEN.encode(), before),
        "broken": pages.broken,
    }


def main(folder: Path) -> None:
    """Answer names until there are no more."""
    torch.set_num_threads(1)
    inputs, seeds = every_input(), Seeds(folder / "seeds")
    with os.fdopen(os.dup(1), "w") as replies:
        for line in sys.stdin:
            try:
                reply = one(named(json.loads(line), inputs), folder, seeds)
            except Exception as error:  # the input could not be made: a fault of the corpus
                reply = {"broken_input": "".join(traceback.format_exception(error))}
            replies.write(json.dumps(reply) + "\n")
            replies.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
