"""However a file is damaged, the answer is an error of ours: never another exception, never code that runs."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from modelprint.core.errors import ModelError
from modelprint.core.sandbox import SandboxError
from modelprint.nn.files import METADATA_KEY, ModelCard, save_model
from modelprint.nn.fitting import unwrapped
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build

SPEC = ModelSpec(arch="mlp", arch_args={"width": 2, "depth": 1}, channels=1, size=2, classes=3)
ARGUMENTS = {"arch": "mlp", "arch_args": {"width": 2, "depth": 1}, "shape": (1, 2, 2), "classes": 3}
some = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The bytes of one model in every format."""
    folder = tmp_path_factory.mktemp("whole")
    model = build(SPEC).eval()
    save_model(folder / "model.safetensors", model, ModelCard(spec=SPEC))
    torch.save({"state_dict": model.body.state_dict()}, folder / "model.pt")
    torch.save(model.body.state_dict(), folder / "model.pth", _use_new_zipfile_serialization=False)
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def survives(path: Path, content: bytes) -> bool:
    """Whether a file of that content still loads; anything but a refusal, or a limit of the child, escapes."""
    path.write_bytes(content)
    try:
        load_model(path, **ARGUMENTS)  # type: ignore[arg-type]
    except (ModelError, SandboxError):  # a changed byte may ask for a tensor that is larger than memory
        return False
    return True


formats = pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])


@formats
@given(data=st.data())
@some
def test_a_truncated_file_is_refused(whole, folder, suffix, data):
    content = whole[suffix]
    length = data.draw(st.integers(0, len(content) - 1))
    assert not survives(folder / f"model{suffix}", content[:length])


@formats
@given(data=st.data())
@some
def test_an_edited_byte_is_refused_or_changes_a_weight(whole, folder, suffix, data):
    content = bytearray(whole[suffix])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    survives(folder / f"model{suffix}", bytes(content))


@formats
@given(content=st.binary(max_size=300))
@some
def test_random_bytes_are_refused(folder, suffix, content):
    assert not survives(folder / f"model{suffix}", content)


@formats
@given(content=st.binary(max_size=300))
@some
def test_random_bytes_after_a_right_beginning_are_refused(whole, folder, suffix, content):
    assert not survives(folder / f"model{suffix}", whole[suffix][:80] + content)


def safetensors(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "content",
    [
        safetensors({"a": tensor([10**12], 0, 4 * 10**12)}),
        safetensors({"a": tensor([2**62, 4], 0, 0)}),
        safetensors({"a": tensor([4], 0, 4)}, bytes(4)),
        safetensors({"a": tensor([-1], 0, 4)}, bytes(4)),
        safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 0, 4)}, bytes(4)),
        safetensors({"a": tensor([1], 4, 0)}, bytes(4)),
        safetensors({"a": tensor([1], 0, 4, "F33")}, bytes(4)),
        safetensors(b"{"),
        safetensors([1, 2]),
        safetensors(b"[" * 100_000),
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40) + b"{}",
    ],
)
def test_headers_that_claim_what_cannot_be_are_refused(content, folder):
    assert not survives(folder / "model.safetensors", content)


def card(**changes: object) -> str:
    return json.dumps({**ModelCard(spec=SPEC).model_dump(mode="json"), **changes})


SPEC_FIELDS = SPEC.model_dump(mode="json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        card(surprise=1),
        card(schema_version=2),
        card(spec=None),
        card(spec={**SPEC_FIELDS, "channels": 10**9}),
        card(spec={**SPEC_FIELDS, "std": [0]}),
        card(spec={**SPEC_FIELDS, "arch_args": {"width": 10**12}}),
    ],
)
def test_metadata_of_another_schema_are_refused(text, folder):
    path = folder / "model.safetensors"
    path.write_bytes(save(build(SPEC).body.state_dict(), metadata={METADATA_KEY: text}))
    with pytest.raises(ModelError, match="carries metadata of modelprint that this version does not understand"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"arch": "nets.py:tiny"}, "names code, nets.py:tiny"),
        ({"arch": "os:system"}, "names code, os:system"),
        ({"arch": "resnet"}, "unknown architecture 'resnet'"),
        ({"arch_args": {"depth": 2}}, "does not fit architecture mlp"),
        ({"arch_args": {"width": 0}}, "mlp with width=0 has layers without numbers"),
        ({"arch_args": {"width": -1}}, "cannot build mlp"),
        ({"arch_args": {"width": "2"}}, "cannot build mlp"),
        ({"arch_args": {"width": 2.5}}, "cannot build mlp"),
        ({"arch_args": {"wide": 2}}, "does not take wide"),
    ],
)
def test_a_card_that_names_another_network_is_refused(changes, what, folder):
    path = folder / "model.safetensors"
    text = card(spec={**SPEC_FIELDS, **changes})
    path.write_bytes(save(build(SPEC).body.state_dict(), metadata={METADATA_KEY: text}))
    with pytest.raises(ModelError, match=what):
        load_model(path)


def test_other_peoples_metadata_are_no_card(folder):
    path = folder / "model.safetensors"
    path.write_bytes(save(build(SPEC).body.state_dict(), metadata={"format": "pt", "note": "mine"}))
    assert load_model(path, **ARGUMENTS).card is None  # type: ignore[arg-type]


names = st.sets(st.sampled_from(["a", "b.c", "module.d", "body.e"]), min_size=1)
wrapping = st.lists(st.sampled_from(["module.", "_orig_mod.", "body."]), max_size=3).map("".join)


@given(names, wrapping)
def test_wrappers_come_off_down_to_the_names_of_the_architecture(expected, prefix):
    found = unwrapped({prefix + name for name in expected}, expected)
    assert set(found.values()) == expected
    assert all(prefix + short == name for name, short in found.items())
