"""Pickles put together by hand, and the two forms of file in which torch keeps them."""

from __future__ import annotations

import io
import struct
import zipfile

import torch

PROTO, STOP, MARK = b"\x80\x02", b".", b"("
EMPTY_DICT, EMPTY_TUPLE, REDUCE, BUILD, SETITEM = b"}", b")", b"R", b"b", b"s"
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def text(value: str) -> bytes:
    """A string."""
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """An integer of any size."""
    data = value.to_bytes((value.bit_length() // 8) + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def named(module: str, name: str) -> bytes:
    """A global."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    """A global, called."""
    return named(module, name) + MARK + b"".join(arguments) + b"t" + REDUCE


def dictionary(**values: bytes) -> bytes:
    """A dictionary of programs."""
    return EMPTY_DICT + b"".join(text(name) + value + SETITEM for name, value in values.items())


def program(body: bytes) -> bytes:
    """A whole pickle."""
    return PROTO + body + STOP


def tensor(shape: tuple[int, ...], stride: tuple[int, ...], *, size: int, offset: int = 0, key: str = "0") -> bytes:
    """A tensor as torch pickles it, over a storage that says that it has `size` floats."""
    storage = MARK + text("storage") + named("torch", "FloatStorage") + text(key) + text("cpu") + number(size) + b"tQ"
    sizes, steps = (MARK + b"".join(map(number, values)) + b"t" for values in (shape, stride))
    hooks = call("collections", "OrderedDict")
    return call("torch._utils", "_rebuild_tensor_v2", storage, number(offset), sizes, steps, b"\x89", hooks)


def archive(
    pickle: bytes, storages: dict[str, bytes] | None = None, *, others: dict[str, bytes] | None = None
) -> bytes:
    """A checkpoint in torch's zip form."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("archive/data.pkl", pickle)
        packed.writestr("archive/byteorder", b"little")
        for name, data in (storages or {}).items():
            packed.writestr(f"archive/data/{name}", data)
        packed.writestr("archive/version", b"3\n")
        for name, data in (others or {}).items():
            packed.writestr(name, data)
    return stream.getvalue()


def legacy(pickle: bytes) -> bytes:
    """A checkpoint in torch's old form: magic number, protocol, system, the pickle, keys of storages."""
    import pickle as standard

    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    heads = [standard.dumps(value, 2) for value in (LEGACY_MAGIC, 1001, system)]
    return b"".join(heads) + pickle + standard.dumps([], 2)


def nested_key(depth: int) -> bytes:
    """A dictionary whose key is a tuple of one tuple twice, and so on: its hash takes 2 ** depth steps."""
    body = EMPTY_DICT + EMPTY_TUPLE
    for place in range(depth):
        body += b"q" + bytes([place]) + b"h" + bytes([place]) + b"\x86"
    return body + b"K\x01" + SETITEM


def saved(value: object) -> bytes:
    """As torch saves it."""
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def repacked(whole: bytes, changes: dict[str, bytes | None], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive with some members changed, or left out where None; names are matched by their ends."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w", method) as new:
        for name in old.namelist():
            end = next((end for end in changes if name.endswith(end)), None)
            data = old.read(name) if end is None else changes[end]
            if data is not None:
                new.writestr(name, data)
    return stream.getvalue()
