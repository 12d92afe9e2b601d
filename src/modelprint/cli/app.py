"""`modelprint`: the commands, and the edge at which errors become exit codes."""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from cyclopts import App, CycloptsError

import modelprint
from modelprint.cli.console import err, out, plain_logs, results_only, say
from modelprint.core.errors import ModelprintError
from modelprint.core.printable import one_line

INTERRUPTED = 130
_READ_IN_A_CHILD = (
    ".pt", ".pth", ".ckpt", ".bin", ".tar", ".onnx", ".npz",
    ".zip", ".parquet", ".arrow", ".tflite", ".keras", ".h5", ".hdf5", ".xml"
)  # fmt: skip

app = App(
    name="modelprint",
    help="Was this model made from mine? Enroll a classifier, then check suspects, with a stated error rate.\n\n"
    "Results go to stdout, progress to stderr. --debug shows tracebacks. Exit codes: 0 ran, 1 an error you can mend, "
    "2 usage, 3 integrity failure.",
    version=modelprint.__version__,
    suppress_keyboard_interrupt=False,
)
_COMMANDS = {
    "demo": ("demo:demo", "Train, copy, enroll and check on bundled data, in about a minute."),
    "train": ("models:train", "Train a classifier."),
    "attack": ("models:attack", "Make a copy as a thief would: fine-tune, prune, extract ..."),
    "enroll": ("ownership:enroll", "Make the fingerprint of a model."),
    "plan": ("plan:plan", "Say how many calibration models and queries an error rate and a power need."),
    "inspect": ("ownership:inspect", "Show what a fingerprint holds; export its queries as files."),
    "verify": ("ownership:verify", "Check a suspect: derived, not shown, or inconclusive."),
    "identify": ("identify:identify", "Say which of several owners' models a suspect was made from, if any."),
    "ancestors": (
        "ancestors:ancestors",
        "Say from which models a suspect may be made: a set with stated coverage.",
    ),
    "registry": ("screening:registry", "Keep the fingerprints of many owners in one place."),
    "scan": ("screening:scan", "Check many suspects against every fingerprint of a registry."),
    "console": ("console_page:console", "Show a registry as a local web page: add, scan, read, export."),
    "record": ("ownership:record", "Ask a suspect now, judge later."),
    "map-classes": ("classes:map_classes", "Find what an API calls the classes, by asking inputs of known classes."),
    "key": ("evidence:key", "Make a key pair to seal with."),
    "seal": ("evidence:seal", "Commit to a fingerprint before any dispute."),
    "bundle": ("evidence:bundle", "Verify a suspect, and keep all evidence in one signed file."),
    "check": ("evidence:check", "Check a bundle; make its queries again (--rederive); ask a --suspect anew."),
    "serve-model": ("models:serve_model", "Serve a model over the Open Inference Protocol."),
    "data": ("models:data", "Show a data set and its splits."),
    "bench": ("bench:bench", "Judge every scheme on a zoo; show the results beside the published figures."),
    "report": ("report:report", "Make an HTML page of a benchmark's results."),
    "zoo": ("zoo:zoo", "Build a population of copies and independent models; show how far it is."),
}
for _name, (_place, _help) in _COMMANDS.items():
    app.command(f"modelprint.cli.{_place}", name=_name, help=_help)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 ran, 1 an error the user can mend, 2 usage, 3 integrity failure.

    Args:
        arguments: None: those of this process, which is left at once; else SystemExit is raised, as a caller expects.
    """
    code = run(sys.argv[1:] if arguments is None else arguments)
    if arguments is None or code == INTERRUPTED:
        _leave(code)
    sys.exit(code)


def _leave(code: int) -> NoReturn:
    """Exit at once: what must be cleaned up is, but the libraries, which take a second to be taken down, are not."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command; its exit code."""
    _warm(arguments)
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        with results_only(), plain_logs():
            code = app(
                words,
                exit_on_error=False,
                print_error=False,
                console=out,
                result_action="return_value",
            )
    except CycloptsError as error:
        _refuse(f"{error}")
        return 2
    except ModelprintError as error:
        if debug:
            say(traceback.format_exc().rstrip())
        _refuse(f"{error}")
        return error.exit_code
    except KeyboardInterrupt:
        err.print("interrupted: files are whole or absent, and answers already received are kept", markup=False)
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except (Exception, SystemExit) as error:
        if debug:
            say(traceback.format_exc().rstrip())
        _refuse_unforeseen(error)
        return 1
    return code if isinstance(code, int) else 0


def _warm(arguments: Sequence[str]) -> None:
    """Start the process that reads untrusted files while the libraries load, where a file of that kind is named."""
    if any(word.lower().endswith(_READ_IN_A_CHILD) for word in arguments):
        from modelprint.core.sandbox import warm

        warm()


def _refuse_unforeseen(error: Exception | SystemExit) -> None:
    """Say what nobody foresaw; where the system refused (too long a name, a full disk), its own words suffice."""
    if isinstance(error, OSError):
        _refuse(f"{error.strerror or error}: {error.filename}" if error.filename else f"{error}")
        return
    place = _line_of(error)
    if isinstance(error, SystemExit):
        if place is None:
            raise error
        _refuse(f"{place} ended the program: let it return, or raise an error")
        return
    what = f"{type(error).__name__}: {error}"
    _refuse(f"unexpected {what}" if place is None else f"{what} ({place})")
    err.print("run again with --debug for the traceback", style="bold red", markup=False, soft_wrap=True)


def _line_of(error: BaseException) -> str | None:
    """The line of a user's code where an error arose; torch is loaded then, as his code ran."""
    from modelprint.core.own_code import line_of

    return line_of(error)


def _refuse(reason: str) -> None:
    """Say in one line what is wrong."""
    err.print(f"error: {one_line(reason)}", style="bold red", markup=False, soft_wrap=True)
