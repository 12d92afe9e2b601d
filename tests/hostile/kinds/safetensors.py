"""safetensors files: headers that claim what is not there, cards that name code, names with escapes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import safetensors.torch
import torch

from modelprint.nn.files import METADATA_KEY, ModelCard
from tests.hostile.commands import identify, negatives, verify, verify_weights
from tests.hostile.corpus import ANY, REFUSED, HostileInput, Place, content, family, hostile
from tests.hostile.mutation import damaged
from tests.hostile.payloads import ESCAPES, MARKUP, RICH
from tests.hostile.seeds import SPEC

FILE = "m.safetensors"
DTYPES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def packed(header: object, body: bytes = b"") -> bytes:
    """A file with that header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(shape: Any, start: Any, end: Any, dtype: Any = "F32") -> dict[str, Any]:
    """A tensor's line in a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@family
def headers() -> Iterator[HostileInput]:
    """Headers that do not fit."""
    cases: dict[str, bytes | Callable[[Place], bytes]] = {
        "huge": packed({"a": entry([10**12], 0, 4 * 10**12)}),
        "overflow": packed({"a": entry([2**62, 4], 0, 0)}),
        "wraps-to-zero": packed({"a": entry([2**32, 2**32], 0, 0)}),
        "too-few-bytes": packed({"a": entry([4], 0, 16)}, bytes(4)),
        "too-many-bytes": packed({"a": entry([1], 0, 4)}, bytes(400)),
        "negative-shape": packed({"a": entry([-1], 0, 4)}, bytes(4)),
        "negative-offset": packed({"a": entry([1], -4, 0)}, bytes(4)),
        "fraction": packed({"a": entry([1.5], 0, 6)}, bytes(6)),
        "overlap": packed({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, bytes(4)),
        "gap": packed({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)),
        "backwards": packed({"a": entry([1], 4, 0)}, bytes(4)),
        "unknown-type": packed({"a": entry([1], 0, 4, "F33")}, bytes(4)),
        "type-is-a-number": packed({"a": entry([1], 0, 4, 32)}, bytes(4)),
        "shape-is-text": packed({"a": entry("1", 0, 4)}, bytes(4)),
        "offsets-of-three": packed({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}}, bytes(8)),
        "no-offsets": packed({"a": {"dtype": "F32", "shape": [1]}}, bytes(4)),
        "tensor-is-a-list": packed({"a": [1, 2]}),
        "empty": packed({}),
        "list": packed([1, 2]),
        "number": packed(3),
        "null": packed(None),
        "cut": packed(b"{"),
        "nested": packed(b"[" * 100_000),
        "nested-objects": packed(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        "nan": packed(b'{"a":NaN}'),
        "not-utf8": packed(b'{"\xff":1}'),
        "lone-surrogate": packed(b'{"\\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        "twice": packed(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "length-2-63": struct.pack("<Q", 2**63) + b"{}",
        "length-2-40": struct.pack("<Q", 2**40) + b"{}",
        "length-100-mb": struct.pack("<Q", 100_000_000) + b"{}",
        "length-zero": bytes(8),
        "spaces": packed(b" " * 10_000_000 + b"{}"),
        "many-empty-tensors": lambda place: packed({f"t{n}": entry([0], 0, 0) for n in range(100_000)}),
        "long-name": packed({"a" * 1_000_000: entry([1], 0, 4)}, bytes(4)),
        "many-dimensions": packed({"a": entry([1] * 10_000, 0, 4)}, bytes(4)),
        "metadata-list": packed({"__metadata__": [1]}),
        "metadata-nested": packed({"__metadata__": {"a": {"b": 1}}}),
        "metadata-huge": packed({"__metadata__": {"a": "x" * 20_000_000}}),
        "metadata-alone": packed({"__metadata__": {"format": "pt"}}),
        "pickle": b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.",
        "zip": b"PK\x03\x04" + bytes(100),
        "empty-file": b"",
        "seven-bytes": bytes(7),
        "text": b"{}" * 100,
    }
    for name, data in cases.items():
        yield hostile(f"safetensors/headers/{name}", content(FILE, data), verify_weights(), "m.safetensors")
    for dtype, size in DTYPES.items():
        data = packed({"a": entry([3], 0, 3 * size + 1, dtype)}, bytes(3 * size + 1))
        yield hostile(f"safetensors/wrong-size/{dtype}", content(FILE, data), verify_weights(), "m.safetensors")
        data = packed({"features.1.weight": entry([2, 4], 0, 8 * size, dtype)}, bytes(8 * size))
        yield hostile(f"safetensors/lacking/{dtype}", content(FILE, data), verify_weights(), "lacks")


def with_card(text: str) -> Callable[[Place], bytes]:
    """Honest weights with that text where the card is."""
    return lambda place: safetensors.torch.save(place.seeds.state, metadata={METADATA_KEY: text})


def card(**changes: object) -> str:
    """A card with other fields."""
    return json.dumps({**ModelCard(spec=SPEC).model_dump(mode="json"), **changes})


@family
def cards() -> Iterator[HostileInput]:
    """Cards that name code, ask for huge networks, or make no sense."""
    fields = SPEC.model_dump(mode="json")

    def spec(**changes: object) -> str:
        return card(spec={**fields, **changes})

    cases = {
        "empty": "",
        "no-json": "not json",
        "null": "null",
        "list": "[]",
        "object": "{}",
        "nested": "[" * 100_000,
        "surplus": card(surprise=1),
        "version": card(schema_version=2),
        "no-spec": card(spec=None),
        "code-file": spec(arch="nets.py:tiny"),
        "code-module": spec(arch="os:system"),
        "code-traversal": spec(arch="../../x.py:f"),
        "hf-folder": spec(arch="hf:/etc"),
        "unknown": spec(arch="resnet"),
        "empty-arch": spec(arch=""),
        "timm-unknown": spec(arch="timm:../../x"),
        "torchvision-unknown": spec(arch="torchvision:os.system"),
        "depth": spec(arch_args={"width": 2, "depth": 2}),
        "depth-bomb": spec(arch_args={"width": 2, "depth": 10_000}),
        "depth-million": spec(arch_args={"width": 1, "depth": 10**6}),
        "width-bomb": spec(arch_args={"width": 10**12}),
        "width-large": spec(arch_args={"width": 10**5, "depth": 10}),
        "width-zero": spec(arch_args={"width": 0}),
        "width-negative": spec(arch_args={"width": -1}),
        "width-text": spec(arch_args={"width": "2"}),
        "width-fraction": spec(arch_args={"width": 2.5}),
        "argument-unknown": spec(arch_args={"wide": 2}),
        "argument-deep": spec(arch_args={"width": [[[2]]]}),
        "channels-huge": spec(channels=10**9),
        "channels-zero": spec(channels=0),
        "size-huge": spec(size=10**9),
        "size-large": spec(size=20_000),
        "classes-huge": spec(classes=10**9),
        "classes-large": spec(classes=10**7),
        "classes-negative": spec(classes=-1),
        "std-zero": spec(std=[0]),
        "std-nan": '{"spec": ' + json.dumps(fields)[:-1] + ', "std": [NaN]}}',
        "mean-long": spec(mean=[0.5] * 10_000),
        "resnet-bomb": spec(arch="resnet20", arch_args={"width": 10**6}),
        "cnn-bomb": spec(arch="cnn", arch_args={"width": 10**7}),
        "thousands-of-blocks": spec(arch="resnet20", arch_args={"depth": 60_002}),
    }
    unknown = "imported|(timm|torchvision) has no classifier"  # as these libraries load beside this torch, or not
    for name, text in cases.items():
        says = (
            unknown
            if name in ("timm-unknown", "torchvision-unknown")
            else "m.safetensors|config.json|imported|does not take"
        )
        yield hostile(f"safetensors/cards/{name}", content(FILE, with_card(text)), verify(), says)
    for blocks in (1000, 10_000):
        for arch, key in (("mlp", "depth"), ("resnet20", "width"), ("cnn", "width"), ("wide", "width")):
            text = spec(arch=arch, arch_args={key: blocks})
            yield hostile(
                f"safetensors/blocks/{arch}-{blocks}",
                content(FILE, with_card(text)),
                verify(),
                "m.safetensors",
                quick=arch == "mlp" and blocks > 1000,
            )
    for name, escape in {**ESCAPES, **RICH, **MARKUP}.items():
        yield hostile(
            f"safetensors/card-names/{name}",
            content(FILE, with_card(spec(arch=f"mlp{escape}"))),
            verify(),
            "m.safetensors",
        )
    for name, escape in ESCAPES.items():
        yield hostile(
            f"safetensors/card-keys/{name}",
            content(FILE, with_card(json.dumps({escape: 1, "spec": fields}))),
            verify(),
            "m.safetensors",
        )


@family
def weights() -> Iterator[HostileInput]:
    """Weights of the right shape that make no sense."""

    def filled(value: float) -> Callable[[Place], bytes]:
        return lambda place: safetensors.torch.save(
            {name: torch.full_like(tensor, value) for name, tensor in place.seeds.state.items()},
            metadata={METADATA_KEY: card()},
        )

    for name, value, exits in (
        ("nan", float("nan"), REFUSED),
        ("infinite", float("inf"), REFUSED),
        ("minus-infinite", -float("inf"), REFUSED),
        ("largest", 3e38, ANY),
        ("denormal", 1e-45, ANY),
        ("zero", 0.0, ANY),
    ):
        yield hostile(f"safetensors/weights/{name}", content(FILE, filled(value)), verify(), "finite|NaN|scores", exits)
        yield hostile(
            f"safetensors/weights-scores/{name}",
            content(FILE, filled(value)),
            verify("--access", "scores"),
            "finite|NaN|scores",
            exits,
        )
        yield hostile(f"safetensors/weights-identify/{name}", content(FILE, filled(value)), identify, "", ANY)

    def judge(place: Place) -> str:
        for number in range(3):
            place.file(f"models/{number}.safetensors", filled(float("nan"))(place))
        return str(place.root / "models")

    yield hostile("safetensors/weights/nan-in-a-judge-s-folder", judge, negatives, "finite|NaN|scores")


@family
def shards() -> Iterator[HostileInput]:
    """Indices of shards that lead elsewhere or round in circles."""
    name = "model.safetensors.index.json"
    cases: dict[str, object] = {
        "out": {"weight_map": {"a": "../secret.safetensors"}},
        "absolute": {"weight_map": {"a": "/etc/passwd"}},
        "itself": {"weight_map": {"a": name}},
        "missing": {"weight_map": {"a": "no.safetensors"}},
        "empty": {"weight_map": {}},
        "list": {"weight_map": ["a"]},
        "numbers": {"weight_map": {"a": 1}},
        "nulls": {"weight_map": {"a": None}},
        "absent": {},
        "text": "x",
        "code": {"weight_map": {"a": "code.pt"}},
        "escape": {"weight_map": {"a": "\x1b[2J.safetensors"}},
        "many": {"weight_map": {f"w{n}": f"{n}.safetensors" for n in range(10_000)}},
        "device": {"weight_map": {"a": "zero.safetensors"}},
        "nul": {"weight_map": {"a": "a\x00.safetensors"}},
        "long": {"weight_map": {"a": "a" * 5000 + ".safetensors"}},
    }
    for case, index in cases.items():

        def make(place: Place, index: object = index) -> str:
            place.file("m/code.pt", b"\x80\x02cos\nsystem\n(X\x01\x00\x00\x00xtR.")
            (place.root / "m" / "zero.safetensors").symlink_to("/dev/zero")
            return place.file(f"m/{name}", json.dumps(index))

        yield hostile(f"safetensors/shards/{case}", make, verify_weights(), "m")
    yield hostile("safetensors/shards/nested", content(f"m/{name}", b"[" * 100_000), verify_weights(), "index")


@family
def damage() -> Iterator[HostileInput]:
    """A whole model with damage."""
    yield from damaged("safetensors/damaged", FILE, lambda place: place.seeds.safetensors, verify(), 6)
