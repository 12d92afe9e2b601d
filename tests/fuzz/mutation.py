"""Whole things, damaged: bytes, archives with damaged members, JSON values of any kind."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from hypothesis import strategies as st

SPICE = (
    b"\x00" * 8,
    b"\xff" * 8,
    b"9" * 20,
    b"-1",
    b"null",
    b"NaN",
    b"1e999",
    b"../../x",
    b"[" * 50,
    b'"',
    b"\n",
    b"\x80",
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with a few flips, cuts, repeats and insertions."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(["flip", "cut", "drop", "repeat", "insert", "spice"])):
            case "flip" if data:
                data[place] ^= draw(st.integers(1, 255))
            case "cut":
                del data[place:]
            case "drop":
                del data[place : place + draw(st.integers(1, 64))]
            case "repeat":
                data[place:place] = data[place : place + draw(st.integers(1, 64))]
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=16))
            case _:
                data[place:place] = draw(st.sampled_from(SPICE))
    return bytes(data)


@st.composite
def repacked(draw: st.DrawFn, whole: bytes) -> bytes:
    """A zip archive whose members are damaged, with right checksums; or the archive itself damaged."""
    if draw(st.integers(0, 3)) == 0:
        return draw(damaged(whole))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w") as new:
        names = old.namelist()
        victim = draw(st.sampled_from(names))
        for name in names:
            data = old.read(name)
            new.writestr(name, draw(damaged(data)) if name == victim else data)
    return stream.getvalue()


numbers = st.integers() | st.floats() | st.integers(-2, 12) | st.floats(0, 1)
words = st.text(max_size=5) | st.sampled_from(["cat", "dog", "label", "score", "LABEL_1", "9" * 400, "\ud7ff"])
values = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["label", "score", "scores", "data", "class", "predictions"]) | words, inner)
    ),
    max_leaves=12,
)


def as_json(value: Any) -> bytes:
    """The value as servers may write it, NaN and infinity included."""
    return json.dumps(value).encode("utf-8", "surrogatepass")
