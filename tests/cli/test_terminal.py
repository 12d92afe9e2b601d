"""Nothing that a command prints can move the cursor, be taken for markup, or crash it, whatever things are called."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import logging
import re
import shutil
import tarfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from rich.table import Table

from modelprint.cli import console
from modelprint.cli.app import _COMMANDS
from modelprint.cli.app import run as command
from modelprint.core.suspect import Answers
from modelprint.ownership.seal import seal
from modelprint.sealing.keys import make_key
from modelprint.suspects.recorded import record, write_recording
from tests.sealing.world import SOURCE, fingerprint
from tests.suspects.servers import Reply, Request, Scripted

EVIL = "a:cat:[x][link]\x1b[2J\x9b31m\r\u202e.pt"
CLOSING = "[/x]" + EVIL
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(folder: Path, *words: str) -> tuple[int, str]:
    """A command's exit code and what it printed; fails if a terminal would do something else than show it."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = command(words)
    printed = stdout.getvalue() + stderr.getvalue()
    assert_shown(printed)
    assert "unexpected" not in printed
    return code, printed


def assert_shown(text: str) -> None:
    """Every character is seen, line ends and tabs apart; words between colons are no pictures."""
    assert not [hex(ord(letter)) for letter in text if not letter.isprintable() and letter not in "\n\t"]
    assert "\N{CAT FACE}" not in text
    assert "\N{CAT}" not in text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fingerprint and a suspect whose names are hostile, in files of hostile names, sealed and recorded."""
    folder = tmp_path_factory.mktemp("hostile")
    tame = fingerprint()
    fields = {**tame.manifest.model_dump(), "data_name": CLOSING, "library": EVIL}
    fields["input"]["class_names"] = [f"{EVIL}{number}" for number in range(3)]
    fields["calibration"] = [{**model, "name": f"{CLOSING}{i}"} for i, model in enumerate(fields["calibration"])]
    hostile = type(tame).bind(
        fields,
        queries=tame.queries,
        true_labels=SOURCE,
        source=Answers(labels=SOURCE),
        state={"group": np.zeros(4, dtype=np.int64)},
        calibration=tuple(Answers(labels=(SOURCE + 1 + number % 2) % 3) for number in range(19)),
    )
    hostile.save(folder / EVIL)
    shutil.copytree(folder / EVIL, folder / "fp")
    make_key(folder / "key")
    seal(hostile, folder / "key", out=folder / "commitment")
    answers = record(hostile.queries, Answers(labels=SOURCE), suspect=CLOSING, fingerprint=hostile.identity)
    write_recording(folder / "answers.jsonl", answers)
    write_recording(folder / f"{EVIL}.npz", answers)
    return folder


ARGUMENTS = (
    ("registry", "list", "{}"),
    ("console", "{}", "--port", "0"),
    ("scan", "{}", "{}"),
    ("inspect", EVIL),
    ("inspect", "{}"),
    ("verify", EVIL, "{}"),
    ("verify", "fp", "{}.onnx"),
    ("verify", "fp", "{}.jsonl"),
    ("verify", "fp", "{}.toml"),
    ("verify", "fp", "http://127.0.0.1:9/{}"),
    ("verify", "fp", "answers.jsonl", "--negatives", "{}"),
    ("verify", "fp", "answers.jsonl", "--budget", "{}"),
    ("verify", "fp", "answers.jsonl", "--access", "{}"),
    ("verify", "fp", "answers.jsonl", "--class-names", "{}"),
    ("verify", "fp", "answers.jsonl", "--{}"),
    ("verify", "fp", "{}", "--debug"),
    ("record", "fp", "answers.jsonl", "--out", "{}"),
    ("identify", "answers.jsonl", "{}", "fp"),
    ("ancestors", "answers.jsonl", "{}", "--copies", "fp"),
    ("ancestors", "{}", "fp", "--copies", "fp"),
    ("ancestors", "answers.jsonl", "fp", "--copies", "{}"),
    ("plan", "{}"),
    ("plan", "--alpha", "{}"),
    ("bench", "submit", "{}", "--scheme", "akh", "--budget", "200", "--out", "x"),
    ("bench", "check", "{}"),
    ("map-classes", "{}", "digits", "--out", "x"),
    ("map-classes", "http://127.0.0.1:9", "{}", "--out", "x"),
    ("train", "{}", "--out", "x"),
    ("train", "digits", "--arch", "{}", "--out", "x"),
    ("train", "digits", "--recipe", "{}", "--out", "x"),
    ("attack", "{}", "digits", "--kind", "ftal", "--out", "x"),
    ("enroll", "{}", "digits", "--out", "x"),
    ("enroll", "x", "digits", "--scheme", "{}", "--out", "x"),
    ("enroll", "x", "digits", "--set", "{}", "--out", "x"),
    ("key", "--out", "key/{}"),
    ("seal", "fp", "--key", "{}", "--out", "x"),
    ("bundle", "fp", "answers.jsonl", "--commitment", "{}", "--key", "key", "--out", "x"),
    ("check", "{}"),
    ("serve-model", "{}", "--port", "0"),
    ("data", "{}"),
    ("bench", "plan", "{}"),
    ("bench", "run", "{}"),
    ("bench", "show", "{}"),
    ("bench", "answers", "{}", "--families", "{}"),
    ("bench", "{}"),
    ("report", "{}"),
    ("zoo", "build", "{}"),
    ("zoo", "status", "{}"),
    ("demo", "--{}"),
    ("{}",),
)


@pytest.mark.parametrize("words", ARGUMENTS, ids=" ".join)
def test_names_that_the_user_gives_are_shown_as_they_are(words: tuple[str, ...], place: Path) -> None:
    name = CLOSING.replace("a:", "b:")
    code, printed = run(place, *(word.replace("{}", name) for word in words))
    if any("{}" in word for word in words):
        assert code in (1, 2)
        assert "b:cat" in printed


def test_every_command_has_been_tried() -> None:
    assert {words[0] for words in ARGUMENTS} >= set(_COMMANDS)


def test_nothing_is_printed_past_the_plain_console() -> None:
    """Of the whole package, one module makes consoles; none prints by itself, or reads markup."""
    root = Path(console.__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if {keyword.arg for keyword in node.keywords} >= {"registry", "guard"}:
                continue  # the web page of a registry is called Console, too
            place = f"{path.relative_to(root)}, line {node.lineno}"
            assert called not in ("Console", "from_markup", "from_ansi", "pprint"), place
            assert not (called == "print" and isinstance(node.func, ast.Name)), place
            assert called != "PlainConsole" or path == Path(console.__file__), place


@pytest.mark.parametrize("name", ["digits:train", ":cat:", "a:cat:.pt", "[bold]:warning:[/bold]"])
def test_names_come_out_as_typed(name: str, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = io.StringIO()
    monkeypatch.setattr(console.out, "file", stdout)
    table = Table(name, title=name, caption=name)
    table.add_row(name)
    console.out.print(name)
    console.out.print(f"{name}: {name}", style="bold")
    console.print_table(table)
    console.say(name)
    assert stdout.getvalue().count(name) == 7
    assert name in terminal.getvalue()


@pytest.mark.parametrize("name", _COMMANDS)
def test_help_is_plain_text(name: str, tmp_path: Path) -> None:
    code, printed = run(tmp_path, name, "--help")
    assert code == 0
    assert "Usage: modelprint" in printed


def test_what_strangers_files_say_of_themselves(place: Path, tmp_path: Path) -> None:
    for words in (
        ("inspect", EVIL),
        ("inspect", EVIL, "--format", "json"),
        ("verify", EVIL, "answers.jsonl"),
        ("verify", "fp", f"{EVIL}.npz", "--format", "json"),
        ("verify", "fp", "answers.jsonl", "--report", str(tmp_path / "page.html")),
        ("identify", "answers.jsonl", EVIL),
        ("identify", "answers.jsonl", EVIL, "--format", "json"),
        ("bundle", "fp", "answers.jsonl", "--commitment", "commitment", "--key", "key", "--out", str(tmp_path / EVIL)),
        ("check", str(tmp_path / EVIL)),
        ("check", str(tmp_path / EVIL), "--format", "json"),
    ):
        code, printed = run(place, *words)
        assert code == 0, printed
        if words[0] in ("inspect", "check"):
            assert ":cat:[x][link]" in printed, words
        if "json" in words:
            json.loads(printed.splitlines()[0])


def hostile_file(path: Path, kind: str) -> tuple[str, ...]:
    """A file whose own names are hostile; the words of a command that reads it."""
    if kind == "checkpoint":
        torch.save({CLOSING: torch.zeros(2), f"{EVIL}.weight": torch.zeros(2, 2)}, path / "m.pt")
        return ("verify", "fp", "m.pt", "--arch", "mlp")
    if kind == "checkpoint-wrapped":
        torch.save({"state_dict": {CLOSING: torch.zeros(2)}, EVIL: CLOSING}, path / "m.ckpt")
        return ("verify", "fp", "m.ckpt", "--arch", "mlp")
    if kind == "onnx":
        node = onnx.helper.make_node(EVIL, [CLOSING], [EVIL], name=EVIL, domain=CLOSING)
        shape = onnx.TensorProto.FLOAT, ["n", 1, 2, 2]
        graph = onnx.helper.make_graph(
            [node],
            EVIL,
            [onnx.helper.make_tensor_value_info(CLOSING, *shape)],
            [onnx.helper.make_tensor_value_info(EVIL, *shape)],
        )
        (path / "m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
        return ("verify", "fp", "m.onnx")
    if kind == "ledger":
        header = {"suspect": CLOSING, "endpoint": EVIL, "started": "20260131T235959Z"}
        (path / "l.jsonl").write_text(json.dumps(header) + "\n")
        return ("verify", "fp", "http://127.0.0.1:9/invocations", "--api", "mlflow", "--ledger", "l.jsonl")
    if kind == "bundle":
        with tarfile.open(path / "e.tar", "w") as archive:
            archive.addfile(tarfile.TarInfo(CLOSING), io.BytesIO())
        return ("check", "e.tar")
    if kind == "npz":
        np.savez(path / "t.npz", **{CLOSING: np.zeros(4, int), "ground_truth": np.zeros(4, int)})
        (path / "f.json").write_text(json.dumps({EVIL: CLOSING}))
        return ("bench", "answers", "t.npz", "--families", "f.json")
    if kind == "classes":
        for number in range(2):
            (path / "set" / f"{CLOSING}{number}").mkdir(parents=True)
        (path / "set" / f"{CLOSING}0" / f"{EVIL}.png").write_bytes(b"no picture")
        return ("data", "set")
    if kind == "results":
        (path / "r.json").write_text(json.dumps({CLOSING: EVIL}))
        return ("bench", "show", "r.json")
    text, file, *words = TOML[kind]
    (path / file).parent.mkdir(exist_ok=True)
    (path / file).write_text(text.replace("EVIL", json.dumps(EVIL)).replace("CLOSING", json.dumps(CLOSING)))
    return tuple(words)


RECORDED = ("verify", "fp", "answers.jsonl")
ASKS = ("verify", "fp", "http://127.0.0.1:9/", "--retries", "0")
TOML: dict[str, tuple[str, ...]] = {
    "mapping": ("CLOSING = EVIL\n[request]\nkind = EVIL\n", "m.toml", *ASKS, "--mapping", "m.toml"),
    "mapping-key": ("CLOSING.EVIL = 1\nCLOSING.EVIL = 2\n", "m.toml", *ASKS, "--mapping", "m.toml"),
    "class-names": ("[class_names]\nCLOSING = [EVIL]\n", "c.toml", *ASKS, "--class-names", "c.toml"),
    "spec": ("CLOSING = EVIL\nweights = EVIL\n", "s.toml", "verify", "fp", "s.toml"),
    "models": ("[models.CLOSING]\narch = EVIL\n", "d/models.toml", *RECORDED, "--negatives", "d"),
    "models-key": (
        "[models.m]\nCLOSING = EVIL\n",
        "d/models.toml",
        "verify",
        "fp",
        "answers.jsonl",
        "--negatives",
        "d",
    ),
    "zoo": ("CLOSING = EVIL\n", "z.toml", "zoo", "status", "z.toml"),
    "bench": ("CLOSING = EVIL\n", "b.toml", "bench", "plan", "b.toml"),
}
KINDS = ("checkpoint", "checkpoint-wrapped", "onnx", "ledger", "bundle", "npz", "classes", "results", *TOML)


@pytest.mark.parametrize("kind", KINDS)
def test_names_within_strangers_files(kind: str, place: Path, tmp_path: Path) -> None:
    words = hostile_file(tmp_path, kind)
    for name in ("fp", "answers.jsonl"):
        (tmp_path / name).symlink_to(place / name)
    for debug in ((), ("--debug",)):
        code, printed = run(tmp_path, *words, *debug)
        assert code in (1, 2, 3), printed
        assert printed.count("\n") == 1 or debug


def test_what_a_server_says(place: Path, tmp_path: Path) -> None:
    replies: tuple[Any, ...] = (
        Reply(CLOSING.encode(), status=400),
        Reply({"error": CLOSING}, status=403),
        Reply({"predictions": [CLOSING] * 4}),
        Reply({CLOSING: EVIL}),
        Reply(b"", status=301, headers={"location": "http://h/[/x]:cat:\x1b[2J\x9b31m"}),
        Reply(b"x", headers={"content-encoding": "[/x]:cat:\x1b[2J\x9b31m"}),
    )
    for reply in replies:

        def script(request: Request, number: int, reply: Reply = reply) -> Reply:
            return Reply({}, status=200 if request.path.endswith("/ping") else 404) if number < 0 else reply

        with Scripted(script) as server:
            code, printed = run(
                place, "verify", "fp", server.url, "--retries", "0", "--ledger", str(tmp_path / "l"), "--debug"
            )
        assert code == 1, printed


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal in the place of stderr gets."""
    screen = io.StringIO()
    drawing = console.PlainConsole(file=screen, force_terminal=True, width=200, highlight=False, soft_wrap=True)
    monkeypatch.setattr(console, "err", drawing)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    return screen


def test_bars_show_the_names_of_their_stages(terminal: io.StringIO) -> None:
    with console.progress() as report:
        report(CLOSING, 1, 2)
        console.err.print("")  # draws the bars
    drawn = terminal.getvalue()
    assert ":cat:[x][link]\\u001b[2J\\u009b31m" in drawn
    assert "\x1b[2J\x9b" not in drawn
    assert "\x9b" not in drawn
    assert "\u202e" not in drawn


def test_colours_are_the_only_escape_sequences_of_a_message(terminal: io.StringIO) -> None:
    console.err.print(f"error: {CLOSING}", style="bold red")
    console.say(CLOSING)
    assert_shown(COLOURS.sub("", terminal.getvalue()))
    assert "\x1b[1;31m" in terminal.getvalue()


def test_logs_and_warnings_are_shown_as_other_text_is(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with warnings.catch_warnings(), console.plain_logs():
        warnings.simplefilter("always")
        logging.getLogger("modelprint.any").warning("%s at http://me:hush@host/x?key=hush", CLOSING)
        warnings.warn(CLOSING, stacklevel=1)
    shown = COLOURS.sub("", terminal.getvalue())
    assert_shown(shown)
    assert shown.count(":cat:[x][link]\\u001b[2J") == 2
    assert "hush" not in shown
    assert "http://host/x?..." in shown
