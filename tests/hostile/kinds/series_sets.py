"""Series and sound: .ts files, WAV files, JSON lines, tables and arrays; what their values, rates and lengths claim."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator

import numpy as np

from modelprint.modalities.series.wav import write_wav
from tests.hostile import commands, other_kinds
from tests.hostile.corpus import ANY, READ, HostileInput, Make, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import npz

RATE, LENGTH = 1000, 16
DIGITS = "9" * 5000
TS = "@problemName Taps\n@timeStamps false\n@classLabel true a b\n@data\n"
TS_ROWS = "".join(f"{n},{n}.5,-3:1,2,{n % 3}:{'ab'[n % 2]}\n" for n in range(10))
LINES = "".join(json.dumps({"series": [n, 1, -1], "label": "ab"[n % 2], "rate": 50}) + "\n" for n in range(10))
TABLE = "t0,t1,t2,class\n" + "".join(f"{n},1,-1,{'ab'[n % 2]}\n" for n in range(10))
as_series = commands.data_as("--modality", "series")


def sound(*, length: int = LENGTH, loud: float = 0.5, turns: float = 1.0) -> np.ndarray:
    """A short tone, int16 (1, length)."""
    wave = loud * np.sin(np.arange(length) * turns)
    return np.rint(wave.clip(-1, 0.999) * 2**15).astype(np.int16)[None]


def wav(samples: np.ndarray | None = None, rate: int = RATE) -> bytes:
    """A WAV file of a short tone."""
    return write_wav(sound() if samples is None else samples, rate)


def chunked(layout: bytes, body: bytes, *, claimed: int | None = None) -> bytes:
    """A WAV file of that format chunk and those samples."""
    size = len(body) if claimed is None else claimed
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", size) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def layout(kind: int, channels: int, rate: int, bits: int) -> bytes:
    """A format chunk."""
    return struct.pack("<HHIIHH", kind, channels, rate, 2 * channels * rate % 2**32, channels * bits // 8 % 2**16, bits)


def floats(*values: float) -> bytes:
    """A WAV file of floats."""
    return chunked(layout(3, 1, RATE, 32), np.array(values, "<f4").tobytes())


def sounds(*more: tuple[str, bytes | Callable[[], bytes]]) -> Callable[[Place], str]:
    """A folder of good sounds in two classes, and further files."""

    def make(place: Place) -> str:
        for number in range(6):
            place.file(f"s/{'ab'[number % 2]}/{number}.wav", wav(sound(turns=1 + number)))
        for name, data in more:
            place.file(f"s/{name}", data() if callable(data) else data)
        return str(place.root / "s")

    return make


@family
def wav_files() -> Iterator[HostileInput]:
    """WAV files that are none, lie about themselves, or are odd to the ear."""
    plain = layout(1, 1, RATE, 16)
    refused: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
        "empty": (b"", "a/x.wav is empty"),
        "text": (b"no sound", "a/x.wav is no WAV file"),
        "flac": (b"fLaC" + bytes(100), "a/x.wav is FLAC"),
        "mp3": (b"ID3\x04" + bytes(100), "a/x.wav is MP3"),
        "head-alone": (b"RIFF\x00\x00\x00\x00WAVE", "it has no format"),
        "no-samples": (chunked(plain, b""), "a/x.wav holds no samples"),
        "half-a-sample": (chunked(plain, b"\x01"), "a/x.wav holds no samples"),
        "no-data": (b"RIFF\x00\x00\x00\x00WAVEfmt " + struct.pack("<I", 16) + plain, "it has no samples"),
        "data-first": (b"RIFF\x00\x00\x00\x00WAVEdata" + struct.pack("<I", 4) + bytes(4), "before their format"),
        "short-format": (chunked(plain[:8], bytes(32)), "its format has 8 bytes"),
        "no-channels": (chunked(layout(1, 0, RATE, 16), bytes(32)), "0 channels"),
        "channels-65535": (chunked(layout(1, 65535, RATE, 16), bytes(32)), "holds no samples|channels"),
        "no-rate": (chunked(layout(1, 1, 0, 16), bytes(32)), "at 0 Hz"),
        "bits-0": (chunked(layout(1, 1, RATE, 0), bytes(32)), "of kind 1 and 0 bits"),
        "bits-12": (chunked(layout(1, 1, RATE, 12), bytes(32)), "of kind 1 and 12 bits"),
        "adpcm": (chunked(layout(2, 1, RATE, 4), bytes(32)), "of kind 2 and 4 bits"),
        "mulaw": (chunked(layout(7, 1, RATE, 8), bytes(32)), "of kind 7 and 8 bits"),
        "nan": (floats(0.0, float("nan"), *[0.1] * 14), "NaN or infinite samples"),
        "infinite": (floats(0.0, float("inf"), *[0.1] * 14), "NaN or infinite samples"),
        "stereo": (wav(np.concatenate([sound(), sound()])), "1 channels|2 channels"),
        "other-rate": (wav(rate=8000), "--rate 1000"),
        "rate-billions": (wav(rate=2**32 // 2 - 1), "samples a second"),
        "longer": (wav(sound(length=17)), "say --length N"),
        "shorter": (wav(sound(length=3)), "say --length N"),
        "million": (lambda: wav(sound(length=10**7)), "say --length N"),
    }
    for name, (data, says) in refused.items():
        yield hostile(f"series/wav/{name}", sounds(("a/x.wav", data)), commands.data, says, seconds=15)
    read: dict[str, tuple[str, bytes | Callable[[], bytes], tuple[str, ...]]] = {
        "silent": ("a/x.wav", wav(np.zeros((1, LENGTH), np.int16)), ()),
        "clipped": ("a/x.wav", wav(sound(loud=9.0)), ()),
        "beyond-full-scale": ("a/x.wav", floats(*[3e38, -3e38] * 8), ()),
        "length-never-filled-in": ("a/x.wav", chunked(plain, sound().tobytes(), claimed=2**32 - 1), ()),
        "a-byte-more": ("a/x.wav", chunked(plain, sound().tobytes() + b"\x01"), ()),
        "resampled": ("a/x.wav", lambda: wav(sound(length=2 * LENGTH), 2 * RATE), ("--rate", "1000")),
        "cut": ("a/x.wav", wav(sound(length=100)), ("--length", "16")),
        "filled-up": ("a/x.wav", wav(sound(length=3)), ("--length", "16")),
        "class-of-one": ("c/x.wav", wav(), ()),
        "skipped": ("a/x.wav", b"RIFF", ("--skip-bad",)),
        "upper-case": ("a/X.WAV", wav(), ()),
        "left-over": ("a/._x.wav", b"resource fork", ()),
    }
    for name, (file, data, options) in read.items():
        yield hostile(f"series/wav/{name}", sounds((file, data)), commands.data_as(*options), exits=READ, seconds=15)
    odd: dict[str, tuple[str, ...]] = {
        "rate-tiny": ("--rate", "0.001"),
        "rate-huge": ("--rate", "1e300"),
        "rate-zero": ("--rate", "0"),
        "rate-negative": ("--rate", "-5"),
        "rate-nan": ("--rate", "nan"),
        "rate-infinite": ("--rate", "inf"),
        "length-zero": ("--length", "0"),
        "length-negative": ("--length", "-1"),
        "length-huge": ("--length", str(10**12)),
    }
    for name, options in odd.items():
        yield hostile(f"series/options/{name}", sounds(), commands.data_as(*options), "", frozenset({1, 2}), seconds=15)
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        called = escape.replace("/", "").replace("\x00", "")
        yield hostile(f"series/wav-names/{name}", sounds((f"a/x{called}.wav", b"x")), commands.data, "wav")
        yield hostile(f"series/class-names/{name}", sounds((f"c{called}/x.wav", wav())), commands.data, "", ANY)

    def special(kind: str) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            root = sounds()(place)
            path = place.root / "s" / "a" / "x.wav"
            if kind == "fifo":
                os.mkfifo(path)
            elif kind == "folder":
                path.mkdir()
            else:
                path.symlink_to({"zero": "/dev/zero", "loop": "x.wav", "secret": str(place.secret)}[kind])
            return root

        return make

    for kind in ("fifo", "folder", "zero", "loop", "secret"):
        yield hostile(f"series/wav-places/{kind}", special(kind), commands.data, "", ANY, quick=kind == "fifo")
    yield from damaged("series/wav-damaged", "s/a/x.wav", lambda place: wav(), _beside_sounds, 3)


def _beside_sounds(place: Place, made: str) -> list[str]:
    """A damaged sound among good ones."""
    return ["data", sounds()(place)]


@family
def ts_files() -> Iterator[HostileInput]:
    """UCR's and UEA's files."""
    refused = {
        "missing": (TS + TS_ROWS + "1,?,3:1,2,3:a\n", "line 15: a value is missing"),
        "nan": (TS + TS_ROWS + "1,NaN,3:1,2,3:a\n", "line 15: the series holds NaN"),
        "infinite": (TS + TS_ROWS + "1,inf,3:1,2,3:a\n", "line 15: the series holds NaN or infinite"),
        "beyond": (TS + TS_ROWS + "1,1e39,3:1,2,3:a\n", "line 15"),
        "digits": (TS + TS_ROWS + f"1,{DIGITS},3:1,2,3:a\n", "line 15"),
        "word": (TS + TS_ROWS + "1,x,3:1,2,3:a\n", "line 15: 'x' is no number"),
        "longer": (TS + TS_ROWS + "1,2,3,4:1,2,3,4:a\n", "say --length N"),
        "channels": (TS + TS_ROWS + "1,2,3:a\n", "line 15 has 1: give all one number of channels"),
        "channels-uneven": (TS + TS_ROWS + "1,2:1,2,3:a\n", "line 15: its channels have 2, 3 values"),
        "no-label": (TS + TS_ROWS + "1;2;3\n", "line 15"),
        "label-empty": (TS + TS_ROWS + "1,2,3:1,2,3:\n", "line 15|label|class"),
        "one-class": (TS + TS_ROWS.replace(":b", ":a"), "all series are of class 'a'"),
        "no-rows": (TS, "holds no series"),
        "no-data": (TS_ROWS, "line 1: expected @data"),
        "stamps": (TS.replace("false", "true") + TS_ROWS, "time stamps"),
        "regression": (TS.replace("@classLabel true a b", "@targetLabel true") + TS_ROWS, "no class labels"),
        "subnormal": (TS + "".join(f"1e-44,0,0:0,0,0:{'ab'[n % 2]}\n" for n in range(10)), "bring all to other units"),
        "largest": (TS + "".join(f"3e38,0,0:0,0,0:{'ab'[n % 2]}\n" for n in range(10)), "bring all to other units"),
        "empty": ("", "no line @data"),
        "nul": ("\x00" * 1000, r"x\.ts"),
        "colons": (TS + ":" * 100_000 + "\n", "line 5"),
        "commas": (TS + "," * 100_000 + ":a\n", "line 5: a value is missing"),
    }
    for name, (text, says) in refused.items():
        yield hostile(f"series/ts/{name}", content("x.ts", text), commands.data, says)
    for name, data in {
        "latin-1": (TS + TS_ROWS).encode() + b"1,2,3:1,2,3:\xe9\n", "utf-16-odd": (TS + TS_ROWS).encode("utf-16")[:-1]
    }.items():  # fmt: skip
        yield hostile(f"series/ts/{name}", content("x.ts", data), commands.data, r"x\.ts")
    read = {
        "label-once": (TS + TS_ROWS + "1,2,3:1,2,3:c\n").encode(),
        "utf-16": (TS + TS_ROWS).encode("utf-16"),
        "upper-case": (TS.upper() + TS_ROWS).encode(),
        "constant": (TS + "".join(f"5,5,5:5,5,5:{'ab'[n % 2]}\n" for n in range(10))).encode(),
        "zeros": (TS + "".join(f"0,0,0:0,0,0:{'ab'[n % 2]}\n" for n in range(10))).encode(),
    }
    for name, data in read.items():
        yield hostile(f"series/ts/{name}", content("x.ts", data), commands.data, exits=READ)

    def pair(test: str | None) -> Callable[[Place], str]:
        def make(place: Place) -> str:
            if test is None:
                (place.root / "x_TEST.ts").symlink_to(place.secret)
            else:
                place.file("x_TEST.ts", test)
            return place.file("x_TRAIN.ts", TS + TS_ROWS)

        return make

    for name, test in {
        "secret": None, "empty": "", "channels": TS + "1,2,3:a\n", "longer": TS + "1,2,3,4:1,2,3,4:a\n"
    }.items():  # fmt: skip
        yield hostile(f"series/ts-pairs/{name}", pair(test), commands.data, "x_T")
    yield hostile("series/ts-pairs/new-class", pair(TS + "1,2,3:1,2,3:c\n"), commands.data, "", ANY)
    yield from damaged("series/ts-damaged", "x.ts", lambda place: (TS + TS_ROWS).encode(), commands.data, 2)


@family
def json_lines() -> Iterator[HostileInput]:
    """JSON lines of series."""
    refused = {
        "cut": ('{"series": [1, 2', "it is no JSON"),
        "list": ("[1, 2, 3]", "expected"),
        "number": ("7", "expected"),
        "no-label": ('{"series": [1, 2, 3]}', "no field 'label'"),
        "no-series": ('{"label": "a"}', "no field 'series'"),
        "uneven": ('{"series": [[1], [1, 2]], "label": "a"}', "no list of numbers"),
        "texts": ('{"series": ["a"], "label": "a"}', "no list of numbers"),
        "null": ('{"series": [null, 1, 2], "label": "a"}', "line 11"),
        "nan": ('{"series": [NaN, 1, 2], "label": "a", "rate": 50}', "line 11"),
        "infinite": ('{"series": [Infinity, 1, 2], "label": "a", "rate": 50}', "line 11"),
        "beyond": ('{"series": [1e999, 1, 2], "label": "a", "rate": 50}', "line 11"),
        "digits": (f'{{"series": [{DIGITS}, 1, 2], "label": "a"}}', "line 11"),
        "empty": ('{"series": [], "label": "a"}', "expected a list of numbers"),
        "object": ('{"series": {"a": 1}, "label": "a"}', "no list of numbers"),
        "deep": (f'{{"series": {"[" * 5000}1{"]" * 5000}, "label": "a"}}', "line 11"),
        "deeper": (f'{{"series": {"[" * 100_000}, "label": "a"}}', "line 11"),
        "rate-zero": ('{"series": [1, 2, 3], "label": "a", "rate": 0}', "the rate '0'"),
        "rate-text": ('{"series": [1, 2, 3], "label": "a", "rate": "fast"}', "the rate 'fast'"),
        "rate-nan": ('{"series": [1, 2, 3], "label": "a", "rate": NaN}', "the rate 'nan'"),
        "rate-huge": ('{"series": [1, 2, 3], "label": "a", "rate": 1e300}', "the rate"),
        "rate-other": ('{"series": [1, 2, 3], "label": "a", "rate": 60}', "say --rate 50"),
        "rate-none": ('{"series": [1, 2, 3], "label": "a"}', "line 11|samples a second"),
        "length": ('{"series": [1, 2], "label": "a", "rate": 50}', "say --length N"),
        "label-list": ('{"series": [1, 2, 3], "label": ["a"], "rate": 50}', "label"),
        "label-object": ('{"series": [1, 2, 3], "label": {}, "rate": 50}', "label"),
        "label-empty": ('{"series": [1, 2, 3], "label": "", "rate": 50}', "label"),
        "part-unknown": ('{"series": [1, 2, 3], "label": "a", "rate": 50, "split": "x"}', "no part of a set"),
    }
    for name, (line, says) in refused.items():
        yield hostile(f"series/lines/{name}", content("x.jsonl", LINES + line + "\n"), as_series, says)
    for name, data in {
        "label-once": LINES + '{"series": [1, 2, 3], "label": "c", "rate": 50}\n',
        "booleans": LINES + '{"series": [true, false, true], "label": "a", "rate": 50}\n',
        "rate-resampled": LINES.replace('"rate": 50', '"rate": 60', 1),
    }.items():
        options = ("--rate", "50", "--length", "3") if name == "rate-resampled" else ()
        yield hostile(
            f"series/lines/{name}", content("x.jsonl", data), commands.data_as("--modality", "series", *options),
            exits=READ,
        )  # fmt: skip
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        line = json.dumps({"series": [1, 2, 3], "label": f"c{escape}", "rate": 50})
        yield hostile(f"series/lines-labels/{name}", content("x.jsonl", LINES + line + "\n"), as_series, "", ANY)
        other = json.dumps({f"x{escape}": 1})
        yield hostile(f"series/lines-fields/{name}", content("x.jsonl", LINES + other + "\n"), as_series, "no field")
    yield from damaged("series/lines-damaged", "x.jsonl", lambda place: LINES.encode(), as_series, 2)


@family
def tables_and_arrays() -> Iterator[HostileInput]:
    """CSV files and arrays of series."""
    series, labels = np.linspace(-1, 1, 60).reshape(10, 6), np.arange(10) % 2
    refused = {
        "missing": (TABLE + ",1,2,a\n", "line 12: a value is missing"),
        "nan": (TABLE + "nan,1,2,a\n", "line 12"),
        "word": (TABLE + "x,1,2,a\n", "line 12: 'x' is no number"),
        "short": (TABLE + "1,2,a\n", "line 12: 3 columns"),
        "no-label": (TABLE.replace("class", "sort"), "no column of labels"),
        "labels-twice": (TABLE.replace("t2", "label"), "several columns of labels"),
        "label-alone": ("class\na\nb\n", r"x\.csv"),
        "empty": ("", r"x\.csv"),
    }
    for name, (text, says) in refused.items():
        yield hostile(f"series/tables/{name}", content("x.csv", text), as_series, says)
    arrays: dict[str, dict[str, object]] = {
        "nan": {"x_train": np.where(series > 0.9, np.nan, series), "y_train": labels},
        "infinite": {"x_train": np.where(series > 0.9, np.inf, series), "y_train": labels},
        "counts": {"x_train": series, "y_train": labels[:4]},
        "four-dimensions": {"x_train": series.reshape(10, 1, 2, 3), "y_train": labels},
        "texts": {"x_train": series.astype("U9"), "y_train": labels},
        "complex": {"x_train": series.astype(complex), "y_train": labels},
        "empty": {"x_train": series[:0], "y_train": labels[:0]},
        "no-samples": {"x_train": series[:, :0], "y_train": labels},
        "rate-zero": {"x_train": series, "y_train": labels, "rate": np.array(0.0)},
        "rate-nan": {"x_train": series, "y_train": labels, "rate": np.array(np.nan)},
        "rate-empty": {"x_train": series, "y_train": labels, "rate": np.array([])},
        "rate-text": {"x_train": series, "y_train": labels, "rate": np.array("fast")},
        "beyond-float32": {"x_train": series * 1e300, "y_train": labels},
        "test-longer": {"x_train": series, "y_train": labels, "x_test": np.ones((2, 9)), "y_test": labels[:2]},
        "names-few": {"x_train": series, "y_train": labels, "class_names": np.array(["a"])},
    }
    for name, parts in arrays.items():
        yield hostile(
            f"series/arrays/{name}", lambda place, parts=parts: place.file("x.npz", npz(**parts)), as_series, r"x\.npz"
        )


@family
def against_a_model() -> Iterator[HostileInput]:
    """Series that a model cannot be given, and models that a fingerprint of series cannot be asked."""
    give = commands.quantise("series")

    def lines(*, length: int = LENGTH, rate: float = RATE, loud: float = 0.5, channels: int = 1) -> str:
        return "".join(
            json.dumps({
                "series": (sound(length=length, loud=loud, turns=1 + n) / 2**15).repeat(channels, 0).tolist(),
                "label": "ab"[n % 2], "rate": rate,
            }) + "\n" for n in range(40)
        )  # fmt: skip

    refused = {
        "longer": (lines(length=LENGTH + 1), "17|samples"),
        "channels": (lines(channels=2), "channel"),
        "slower": (lines(rate=RATE / 2), "shape|samples"),
        "faster": (lines(length=2 * LENGTH, rate=2 * RATE), "16 samples .* at 1000 Hz.* 32 samples"),
        "of-three-classes": (lines().replace('"a"', '"c"', 2), "classes differ|no class called 'c'"),
    }
    for name, (text, says) in refused.items():
        yield hostile(f"series/models/{name}", content("x.jsonl", text), give, says)
    louder = "".join(
        json.dumps({"series": [5.0] * LENGTH, "label": "ab"[n % 2], "rate": RATE}) + "\n" for n in range(9)
    )
    yield hostile("series/models/louder", content("x.jsonl", louder), give, "values run to 5")
    yield hostile("series/models/fits", content("x.jsonl", lines()), give, exits=READ)
    resampling = commands.quantise("series", "--rate", str(RATE))
    twice = lines(length=2 * LENGTH, rate=2 * RATE)
    yield hostile("series/models/resampled", content("x.jsonl", twice), resampling, exits=READ)
    spec = other_kinds.SPECS["series"]

    def suspect(changes: dict[str, object]) -> Make:
        return content("m.safetensors", lambda place: other_kinds.model("series", spec.model_copy(update=changes)))

    suspects: dict[str, tuple[dict[str, object], str]] = {
        "longer": ({"length": 20}, "20 samples"),
        "channels": ({"channels": 2}, "2 channels|channel"),
        "three-classes": ({"class_names": ("a", "b", "c")}, "3|classes"),
    }
    for name, (changes, says) in suspects.items():
        yield hostile(f"series/suspects/{name}", suspect(changes), commands.verify_kind("series"), says)
    yield hostile("series/suspects/faster", suspect({"rate": 8000.0}), commands.verify_kind("series"), "", ANY)
    yield hostile(
        "series/suspects/of-texts", content("m.safetensors", lambda place: other_kinds.model("text")), commands.verify_kind("series"),
        "texts|series",
    )  # fmt: skip
