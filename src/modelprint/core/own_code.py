"""A user's own code - a network, a recipe, a callable: where it failed, and what it may not do to the program."""

from __future__ import annotations

import os
import random
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from modelprint.core.errors import ModelError, ModelprintError, first_line

_OURS = Path(__file__).resolve().parents[1]
_NOT_THE_USER_S = ("torch", "numpy", "cyclopts")
_LIBRARIES = tuple({Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")})
_PYTHON = Path(sysconfig.get_path("stdlib")).resolve()


@contextmanager
def running(
    what: str,
    *,
    error: type[ModelprintError] = ModelError,
    function: Callable[..., object] | None = None,
    hint: str = "",
) -> Iterator[None]:
    """Inside, a user's code runs: what it raises becomes one line with its own file and line.

    It may not end the program, nor go on as a second process: a child that it forked ends here.

    Args:
        what: what failed, in the message: "net.py:tiny failed".
        error: what is raised.
        function: that was called; where no line of the user's is known, its own is named.
        hint: what to do.

    Raises:
        ModelprintError: the code failed, or would have ended the program.
    """
    process = os.getpid()
    try:
        yield
    except ModelprintError:
        raise
    except SystemExit as ended:
        place = _place(ended, function)
        raise error(f"{what}: it ended the program: let it return, or raise an error{place}") from ended
    except Exception as failure:  # a user's code may raise anything
        raise error(f"{what}: {in_words(failure, function)}{hint}") from failure
    finally:
        if os.getpid() != process:
            sys.stderr.write("a process that your code forked came back from it, and ends here\n")
            sys.stderr.flush()
            os._exit(1)


@contextmanager
def generators_kept() -> Iterator[None]:
    """Inside, the global generators of torch, NumPy and Python may be seeded; afterwards they go on as before."""
    numbers, python, tensors = np.random.get_state(), random.getstate(), torch.get_rng_state()
    try:
        yield
    finally:
        np.random.set_state(numbers)
        random.setstate(python)
        torch.set_rng_state(tensors)


def in_words(error: BaseException, function: Callable[..., object] | None = None) -> str:
    """An error's kind and first line, and the file and line of the user's code where it arose.

    >>> in_words(ValueError("no such class"))
    'ValueError: no such class'
    """
    return f"{type(error).__name__}: {first_line(error)}{_place(error, function)}"


def line_of(error: BaseException) -> str | None:
    """The file and line of a user's code where an error arose: "net.py, line 12"; None where none had a part in it.

    The innermost line that belongs to no installed library counts; of a user's own library, which is installed, the
    innermost line that is not torch's or NumPy's, nor that of the library by which the command line calls us.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{_shown(Path(error.filename))}, line {error.lineno}"
    own = installed = None
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if frame.lineno is None or not path.is_file():
            continue
        path = path.resolve()
        if path.is_relative_to(_OURS):
            continue
        library = next((place for place in _LIBRARIES if path.is_relative_to(place)), None)
        if library is not None:
            if path.relative_to(library).parts[0] not in _NOT_THE_USER_S:
                installed = f"{_shown(path)}, line {frame.lineno}"
        elif not path.is_relative_to(_PYTHON):
            own = f"{_shown(path)}, line {frame.lineno}"
    return own or installed


def _place(error: BaseException, function: Callable[..., object] | None) -> str:
    place = line_of(error)
    code = getattr(function, "__code__", None)
    if place is None and code is not None:
        place = f"{_shown(Path(code.co_filename))}, line {code.co_firstlineno}"
    return "" if place is None else f" ({place})"


def _shown(path: Path) -> str:
    """A file as its user names it: from the working folder where it lies there."""
    path = path.resolve()
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
