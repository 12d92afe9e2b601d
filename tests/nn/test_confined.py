"""Checkpoints made to hang their reader, or to take all memory, end in their child; honest ones come out exactly."""

from __future__ import annotations

import io
import pickle
import resource
import struct
import time
import zipfile
from pathlib import Path

import pytest
import torch

from modelprint.core.errors import ModelprintError
from modelprint.core.sandbox import available
from modelprint.nn.pickled import read_checkpoint
from modelprint.nn.weight_files import read_weights

STATES = {
    "floats": {"w": torch.randn(3, 4), "b": torch.zeros(0), "s": torch.tensor(2.5)},
    "half": {"w": torch.randn(2, 3).half(), "v": torch.randn(5).bfloat16(), "d": torch.randn(2).double()},
    "integers": {"n": torch.arange(5), "f": torch.tensor([True, False]), "i": torch.tensor([1, -2], dtype=torch.int16)},
    "transposed": {"w": torch.randn(3, 4).T, "part": torch.randn(6, 6)[1:3, ::2]},
}


@pytest.mark.parametrize("kind", STATES)
def test_what_comes_back_is_what_was_saved(kind: str, tmp_path: Path) -> None:
    torch.save(STATES[kind], tmp_path / "m.pt")
    read = read_weights(tmp_path / "m.pt").state
    here = read_checkpoint((tmp_path / "m.pt").read_bytes(), tmp_path / "m.pt", "raw").state
    assert list(read) == list(here) == list(STATES[kind])
    for name, tensor in STATES[kind].items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def pickled(path: Path, program: bytes) -> Path:
    """A checkpoint of torch whose pickle is a program."""
    stream = io.BytesIO()
    torch.save({}, stream)
    with zipfile.ZipFile(stream) as whole, zipfile.ZipFile(path, "w") as forged:
        for name in whole.namelist():
            forged.writestr(name, program if name.endswith("data.pkl") else whole.read(name))
    return path


def nested_key(depth: int) -> bytes:
    """A dictionary whose key is a tuple of one tuple twice, and so on: its hash takes 2 ** depth steps."""
    body = b"\x80\x02}"  # protocol 2, an empty dictionary
    body += b")"  # the empty tuple
    for place in range(depth):
        body += b"q" + struct.pack("B", place) + b"h" + struct.pack("B", place) + b"\x86"  # memo, get, pair
    return body + b"K\x01s."  # the value 1, set, stop


def test_a_key_that_takes_for_ever_to_hash(tmp_path: Path) -> None:
    """Processor time ends it, so that a busy machine neither waits longer nor refuses good files."""
    if not available():
        pytest.skip("this system cannot confine a child")
    path = pickled(tmp_path / "m.pt", nested_key(60))
    assert path.stat().st_size < 2000
    started = time.monotonic()
    with pytest.raises(ModelprintError, match=r"m\.pt: reading it ended .* more than 1 s of processor time"):
        read_weights(path)
    assert time.monotonic() - started < 6


def test_a_small_file_that_asks_for_four_gigabytes(tmp_path: Path) -> None:
    stream = io.BytesIO()

    class Greedy:
        def __reduce__(self) -> tuple[object, ...]:
            return bytearray, (2**32,)

    pickle.dump({"w": Greedy()}, stream, protocol=2)
    path = pickled(tmp_path / "m.pt", stream.getvalue())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelprintError, match=r"m\.pt"):
        read_weights(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18  # kilobytes
