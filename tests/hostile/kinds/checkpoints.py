"""Checkpoints of torch: pickles that would run code, hang, or take all memory; tensors that are not there."""

from __future__ import annotations

import io
import os
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Iterator

import numpy as np
import torch

from tests.hostile import pickles
from tests.hostile.commands import identify, negatives, record, verify_weights
from tests.hostile.corpus import ANY, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import DAMAGES, damaged
from tests.hostile.payloads import ESCAPES
from tests.hostile.pickles import archive, call, dictionary, legacy, named, nested_key, number, program, tensor, text

FORMS = {"zip": archive, "legacy": legacy, "bare": lambda pickle: pickle}
SUFFIXES = ("pt", "pth", "th", "ckpt", "bin", "tar")
CALLS = (
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("subprocess", "Popen"),
    ("subprocess", "check_output"),
    ("runpy", "_run_code"),
    ("builtins", "__import__"),
    ("importlib", "import_module"),
    ("pathlib", "Path.write_text"),
    ("builtins", "open"),
    ("shutil", "rmtree"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("numpy", "load"),
    ("builtins", "getattr"),
    ("operator", "attrgetter"),
    ("types", "CodeType"),
    ("torch.serialization", "add_safe_globals"),
    ("torch.utils.model_zoo", "load_url"),
    ("webbrowser", "open"),
    ("socket", "create_connection"),
    ("ctypes", "CDLL"),
    ("code", "interact"),
    ("timeit", "timeit"),
    ("pdb", "run"),
    ("modelprint.core.files", "write_text"),
    ("torch.storage", "_load_from_bytes"),
    ("builtins", "breakpoint"),
)


def calling(form: str, module: str, name: str) -> HostileInput:
    def make(place: Place) -> str:
        argument = text(f"touch {place.canary}" if name != "eval" else f"open({str(place.canary)!r}, 'w')")
        return place.file("m.pt", FORMS[form](program(dictionary(w=call(module, name, argument)))))

    return hostile(
        f"checkpoints/calls-{form}/{module}.{name}", make, verify_weights(), "pickled code|without running code"
    )


@family
def calls() -> Iterator[HostileInput]:
    """Globals that are called as the file is read."""
    for form in ("zip", "legacy"):
        for module, name in CALLS:
            yield calling(form, module, name)
    for suffix in SUFFIXES:
        data = archive(program(dictionary(w=call("os", "system", text("exit")))))
        yield hostile(
            f"checkpoints/calls-by-suffix/{suffix}", content(f"m.{suffix}", data), verify_weights(), "pickled code"
        )
    data = archive(program(dictionary(w=call("os", "system", text("exit")))))
    for name, command in {"record": record, "identify": identify}.items():
        yield hostile(f"checkpoints/calls-by-command/{name}", content("m.pt", data), command, "arch|pickled code")


@family
def tricks() -> Iterator[HostileInput]:
    """Other ways of a pickle to reach code."""
    programs = {
        "build-on-global": named("torch", "FloatStorage") + dictionary(evil=number(1)) + b"b",
        "inst-opcode": b"(" + text("x") + b"ios\nsystem\n",
        "obj-opcode": b"(" + named("os", "system") + text("x") + b"o",
        "newobj": named("subprocess", "Popen") + pickles.EMPTY_TUPLE + b"\x81",
        "newobj-ex": named("subprocess", "Popen") + pickles.EMPTY_TUPLE + b"}\x92",
        "stack-global": text("os") + text("system") + b"\x93",
        "dotted-global": named("torch", "serialization.os.system"),
        "extension": b"\x82\x01",
        "persistent-id-of-text": text("x") + b"Q",
        "persistent-id-old": b"Pevil\n",
        "setattr-tensor": call("torch._utils", "_rebuild_tensor_v2") + dictionary(__class__=number(1)) + b"b",
        "rebuild-parameter-of-text": call("torch._utils", "_rebuild_parameter", text("x"), b"\x88", text("y")),
        "rebuild-from-type": call(
            "torch._tensor", "_rebuild_from_type_v2", named("os", "system"), named("os", "x"), text("x"), b"}"
        ),
        "wrapper-subclass": call("torch._utils", "_rebuild_wrapper_subclass", named("os", "system"), text("x")),
        "numpy-object-array": call(
            "numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray"), b"(K\x00t", text("O")
        ),
        "namespace-with-property": call("argparse", "Namespace") + dictionary(__class__=text("x")) + b"b",
        "ordered-dict-of-text": call("collections", "OrderedDict", text("x")),
        "counter": call("collections", "Counter", text("x" * 100)),
        "escape-in-a-global": named("os\x1b[2J", "system"),
        "newline-free-global": b"cos\n" + b"x" * 10_000,
    }
    for name, body in programs.items():
        for form in ("zip", "legacy"):
            yield hostile(
                f"checkpoints/tricks-{form}/{name}",
                content("m.pt", FORMS[form](program(body))),
                verify_weights(),
                "m.pt",
            )


@family
def bombs() -> Iterator[HostileInput]:
    """Few bytes that take much time or memory."""

    def nested(opcode: bytes, depth: int, close: bytes) -> bytes:
        return opcode * depth + close * (depth - 1)

    def doubled(depth: int) -> bytes:
        body = b"]"
        for place in range(depth):
            body += b"q" + bytes([place]) + b"]h" + bytes([place]) + b"ah" + bytes([place]) + b"a"
        return body

    programs = {
        "bytearray": call("builtins", "bytearray", number(2**32)),
        "bytearray-many": dictionary(**{f"w{n}": call("builtins", "bytearray", number(2**29)) for n in range(40)}),
        "nested-lists": nested(b"]", 200_000, b"a"),
        "nested-dictionaries": b"}" + text("a") + b"}" * 1 + text("b") * 100_000,
        "billion-laughs": doubled(60),
        "long-integer": b"\x8b" + struct.pack("<i", 2**31 - 1),
        "long-text": b"X" + struct.pack("<I", 2**32 - 1),
        "long-bytes": b"\x8e" + struct.pack("<Q", 2**62),
        "big-frame": b"\x95" + struct.pack("<Q", 2**62),
        "memo-far-away": b"Nr" + struct.pack("<I", 2**31 - 2),
        "memo-missing": b"h\x09",
        "marks": b"(" * 1_000_000,
        "pops": b"0" * 1000,
        "storage-huge": dictionary(w=tensor((2**33,), (1,), size=2**33)),
        "storage-negative": dictionary(w=tensor((4,), (1,), size=-4)),
        "shape-huge": dictionary(w=tensor((2**40, 2**20), (0, 0), size=1)),
        "shape-overflows": dictionary(w=tensor((2**62, 4), (0, 0), size=1)),
        "shape-negative": dictionary(w=tensor((-1, 4), (4, 1), size=4)),
        "stride-huge": dictionary(w=tensor((2, 2), (2**60, 1), size=4)),
        "stride-zero-expanded": dictionary(w=tensor((2**14, 2**14), (0, 0), size=1)),
        "stride-negative": dictionary(w=tensor((2, 2), (-1, 1), size=4)),
        "offset-beyond": dictionary(w=tensor((4,), (1,), size=4, offset=2**40)),
        "offset-negative": dictionary(w=tensor((4,), (1,), size=4, offset=-1)),
        "storage-missing": dictionary(w=tensor((4,), (1,), size=4, key="9")),
        "storage-name-leads-out": dictionary(w=tensor((4,), (1,), size=4, key="../../secret")),
        "many-tensors-one-storage": dictionary(**{f"w{n}": tensor((2**20,), (0,), size=1) for n in range(1500)}),
        "dimensions": dictionary(w=tensor((1,) * 3000, (1,) * 3000, size=4)),
    }
    for name, body in programs.items():
        yield hostile(
            f"checkpoints/bombs/{name}",
            content("m.pt", archive(program(body), {"0": bytes(16)})),
            verify_weights(),
            "m.pt",
        )
        if not name.startswith(("storage", "stride")):
            yield hostile(
                f"checkpoints/bombs-legacy/{name}", content("m.pth", legacy(program(body))), verify_weights(), "m.pth"
            )
    for depth in (30, 60, 200):
        body = program(nested_key(depth))
        yield hostile(
            f"checkpoints/endless-key/{depth}",
            content("m.pt", archive(body)),
            verify_weights(),
            "m.pt",
            quick=depth == 60,
        )
    big = struct.pack("<q", 2**33)

    def claiming(place: Place) -> bytes:
        whole, count = (
            place.seeds.legacy_checkpoint,
            struct.pack("<q", place.seeds.state["0.weight"].numel())
            if "0.weight" in place.seeds.state
            else struct.pack("<q", 8),
        )
        at = whole.rfind(count)
        return whole[:at] + big + whole[at + 8 :]

    yield hostile(
        "checkpoints/bombs-legacy/storage-claims-32-gib", content("m.pth", claiming), verify_weights(), "m.pth"
    )


@family
def archives() -> Iterator[HostileInput]:
    """Zip archives that are no checkpoints, or lead elsewhere."""
    good = program(dictionary(w=tensor((4,), (1,), size=4)))

    def deflated(place: Place) -> bytes:
        return pickles.repacked(archive(good, {"0": bytes(2**27)}), {}, method=zipfile.ZIP_DEFLATED)

    def many(place: Place) -> bytes:
        return archive(good, {str(number): b"" for number in range(20_000)})

    twice = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(twice, "w") as packed:
        warnings.simplefilter("ignore")
        packed.writestr("archive/data.pkl", good)
        packed.writestr("archive/data.pkl", program(call("os", "system", text("x"))))
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as packed_tar:
        entry = tarfile.TarInfo("../../evil")
        entry.size = 4
        packed_tar.addfile(entry, io.BytesIO(b"evil"))
    cases: dict[str, bytes | Callable[[Place], bytes]] = {
        "zip-of-zeros": deflated,
        "many-members": many,
        "pickle-twice": twice.getvalue(),
        "leads-out": archive(good, others={"../../evil": b"x"}),
        "absolute": archive(good, others={"/etc/evil": b"x"}),
        "backslashes": archive(good, others={"..\\evil": b"x"}),
        "torchscript": archive(
            good, others={"archive/constants.pkl": program(b")"), "archive/code/x.py": b"import os"}
        ),
        "no-pickle": archive(b"").replace(b"data.pkl", b"dota.pkl"),
        "empty-pickle": archive(b""),
        "empty-zip": b"PK\x05\x06" + bytes(18),
        "two-directories": archive(good) + archive(good),
        "comment": archive(good)[:-2] + struct.pack("<H", 65535),
        "tar": tarred.getvalue(),
        "gzip": b"\x1f\x8b" + bytes(40),
        "elf": b"\x7fELF" + bytes(200),
        "keras": b"\x89HDF\r\n\x1a\n" + bytes(200),
        "html": b"<!doctype html><script>alert(1)</script>",
        "lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "empty": b"",
        "one-byte": b"\x80",
        "zeros": bytes(4096),
        "text": b"derived\n" * 100,
    }
    for name, data in cases.items():
        yield hostile(f"checkpoints/archives/{name}", content("m.pt", data), verify_weights(), "m.pt")


@family
def contents() -> Iterator[HostileInput]:
    """Honest pickles of what are no weights."""

    def of(value: object) -> bytes:
        return pickles.saved(value() if callable(value) else value)

    deep: dict[str, object] = {"w": torch.zeros(1)}
    for _ in range(300):
        deep = {"state_dict": deep}

    def quantised() -> dict[str, object]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {"w": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)}

    cases: dict[str, object] = {  # functions are called when the input is made
        "number": 3,
        "none": None,
        "list": [1, 2],
        "text": "x" * 100_000,
        "empty": {},
        "tensor": torch.zeros(3),
        "integer-keys": {1: torch.zeros(2)},
        "no-tensors": {"a": 1, "b": "x"},
        "deep": deep,
        "sparse": {"w": torch.eye(3).to_sparse()},
        "complex": {"w": torch.zeros(3, dtype=torch.complex64)},
        "nan": {"w": torch.full((3,), float("nan"))},
        "meta": {"w": torch.zeros(3, device="meta")},
        "ema-missing": {"model_ema": {}},
        "self-named": {"state_dict": {"state_dict": 3}},
        "strings-of-tensors": {"state_dict": {"a" * 100_000: torch.zeros(1)}},
        "very-many": {f"w{n}": torch.zeros(0) for n in range(5000)},
        "zero-sized": {"w": torch.zeros(0, 5)},
        "uint16": {"w": torch.zeros(3, dtype=torch.uint16)},
        "float8": {"w": torch.zeros(3).to(torch.float8_e4m3fn)},
        "bool": {"w": torch.zeros(3, dtype=torch.bool)},
        "numpy": {"w": np.zeros(3)},
        "quantised": quantised,
        "alias": {"w": torch.zeros(1).expand(2**22)},
    }
    for name, value in cases.items():
        yield hostile(
            f"checkpoints/contents/{name}",
            lambda place, value=value: place.file("m.pt", of(value)),
            verify_weights(),
            "m.pt|architecture|weights",
        )
    for name, escape in ESCAPES.items():
        yield hostile(
            f"checkpoints/names/{name}",
            lambda place, escape=escape: place.file(
                "m.pt", of({f"w{escape}": torch.zeros(2), f"{escape}": torch.zeros(1)})
            ),
            verify_weights(),
            "m.pt|architecture|weights",
        )

    def changed(place: Place, **changes: object) -> bytes:
        state = dict(place.seeds.state)
        first = next(iter(state))
        for what, value in changes.items():
            if what == "nan":
                state[first] = torch.full_like(state[first], float("nan"))
            elif what == "infinite":
                state[first] = torch.full_like(state[first], float("inf"))
            elif what == "largest":
                state[first] = torch.full_like(state[first], torch.finfo(torch.float32).max)
            elif what == "shape":
                state[first] = torch.zeros(7, 7)
            elif what == "absent":
                del state[first]
            elif what == "more":
                state["surplus"] = torch.zeros(3)
            else:
                state[first] = state[first].to(value)  # type: ignore[arg-type]
        return of(state)

    for what in ("nan", "infinite", "largest", "shape", "absent", "more"):
        exits = ANY if what in ("largest", "more") else frozenset({1, 3})
        yield hostile(
            f"checkpoints/weights/{what}",
            content("m.pt", lambda place, what=what: changed(place, **{what: True})),
            verify_weights(),
            "m.pt|finite|scores|nan",
            exits,
        )
    for kind in ("float64", "float16", "bfloat16", "int64", "uint8", "bool"):
        yield hostile(
            f"checkpoints/weights/as-{kind}",
            content("m.pt", lambda place, kind=kind: changed(place, dtype=getattr(torch, kind))),
            verify_weights(),
            "",
            ANY,
        )


@family
def places() -> Iterator[HostileInput]:
    """Things that are no files, and links."""

    def link(target: str, name: str = "m.pt"):
        def make(place: Place) -> str:
            path = place.root / name
            path.symlink_to(target.replace("SECRET", str(place.secret)))
            return str(path)

        return make

    def fifo(place: Place) -> str:
        os.mkfifo(place.root / "m.pt")
        return str(place.root / "m.pt")

    def folder(place: Place) -> str:
        (place.root / "m.pt").mkdir()
        return str(place.root / "m.pt")

    def socket_file(place: Place) -> str:
        import socket

        server = socket.socket(socket.AF_UNIX)
        place.stack.callback(server.close)
        server.bind("m.pt")
        return str(place.root / "m.pt")

    cases = {
        "fifo": fifo,
        "folder": folder,
        "socket": socket_file,
        "zero-device": link("/dev/zero"),
        "random": link("/dev/urandom"),
        "full-device": link("/dev/full"),
        "loop": link("m.pt"),
        "dangling": link("nothing"),
        "proc-mem": link("/proc/self/mem"),
        "secret": link("SECRET"),
        "terminal": link("/dev/tty"),
        "stdin": link("/dev/stdin"),
        "long-name": lambda place: str(place.root / ("x" * 300 + ".pt")),
        "missing": lambda place: str(place.root / "m.pt"),
    }
    for name, make in cases.items():
        yield hostile(
            f"checkpoints/places/{name}", make, verify_weights(), "m.pt|x.pt", quick=name in ("fifo", "zero-device")
        )


@family
def folders() -> Iterator[HostileInput]:
    """Folders of a judge's models with one bad file."""
    bad = {
        "code.pt": archive(program(call("os", "system", text("x")))),
        "empty.pt": b"",
        "key.pt": archive(program(nested_key(60))),
    }
    for name, data in bad.items():

        def make(place: Place, name: str = name, data: bytes = data) -> str:
            place.file("models/a.safetensors", place.seeds.safetensors)
            place.file(f"models/{name}", data)
            return str(place.root / "models")

        yield hostile(
            f"checkpoints/folders/{name[:-3]}",
            make,
            lambda place, made: [*negatives(place, made), "--arch", "mlp"],
            name,
        )


@family
def damage() -> Iterator[HostileInput]:
    """Whole checkpoints with damage."""
    yield from damaged("checkpoints/damaged-zip", "m.pt", lambda place: place.seeds.checkpoint, verify_weights())
    yield from damaged(
        "checkpoints/damaged-legacy", "m.pth", lambda place: place.seeds.legacy_checkpoint, verify_weights()
    )

    def member(name: str):
        def whole(place: Place) -> bytes:
            with zipfile.ZipFile(io.BytesIO(place.seeds.checkpoint)) as packed:
                return packed.read(next(entry for entry in packed.namelist() if entry.endswith(name)))

        return whole

    for kind in DAMAGES:
        for place_of in range(3):

            def data(place: Place, kind: str = kind, place_of: int = place_of) -> bytes:
                broken = DAMAGES[kind](member("data.pkl")(place), random.Random(f"{kind} {place_of}"))
                return pickles.repacked(place.seeds.checkpoint, {"data.pkl": broken})

            yield hostile(
                f"checkpoints/damaged-pickle/{kind}-{place_of}", content("m.pt", data), verify_weights(), "", ANY
            )
