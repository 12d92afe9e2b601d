"""Checkpoints with objects of unknown classes, or of whole networks: tensors come out exactly, no code is run."""

from __future__ import annotations

import collections
import functools
import io
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.inert import Inert, InertContents, state_of_network
from modelprint.nn.pickled import read_checkpoint
from tests.hostile import pickles

FORMS = pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that was there when the file was saved, whose classes say so if ever they are made again."""
    module = types.ModuleType("training_library")
    exec(
        "import torch\n"
        "MADE = []\n"
        "class Settings(dict):\n"
        "    def __setstate__(self, state): MADE.append(self)\n"
        "class Net(torch.nn.Sequential):\n"
        "    def __setstate__(self, state): MADE.append(self)\n",
        module.__dict__,
    )
    monkeypatch.setitem(sys.modules, "training_library", module)
    return module


def saved(content: object, *, legacy: bool) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of source code that it cannot save
        torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def network(module: types.ModuleType) -> nn.Module:
    net: nn.Module = module.Net(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3))
    net.register_buffer("passing", torch.ones(2), persistent=False)
    return net


def same(state: dict[str, Tensor], net: nn.Module) -> bool:
    wanted = net.state_dict()
    return state.keys() == wanted.keys() and all(torch.equal(state[name], wanted[name]) for name in wanted)


@FORMS
@pytest.mark.parametrize(
    "content",
    [
        lambda net, kind: net,
        lambda net, kind: {"model": net, "epoch": 3},
        lambda net, kind: {
            "state_dict": net.state_dict(),
            "hyper_parameters": kind(lr=0.1),
            "device": net[0].weight.device,
        },
        lambda net, kind: {"model": kind(net.state_dict())},
        lambda net, kind: {
            "state_dict": net.state_dict(),
            "callbacks": collections.defaultdict(list, a=[1]),
            "partial": functools.partial(kind, a=1),
            "counts": collections.Counter("aab"),
        },
    ],
    ids=["network", "network-under-a-key", "settings", "state-in-a-dictionary-of-ones-own", "library-objects"],
)
def test_tensors_come_out_exactly_and_no_class_is_made(
    content: Callable[[nn.Module, type], object], legacy: bool, maker: types.ModuleType
) -> None:
    net = network(maker)
    data = saved(content(net, maker.Settings), legacy=legacy)
    chosen = read_checkpoint(data, Path("m.pt"), "raw")
    assert same(chosen.state, net)
    assert maker.MADE == []
    assert "only tensors were read, no code of the file was run" in chosen.notes[-1]


def test_the_note_names_the_classes(maker: types.ModuleType) -> None:
    (note,) = read_checkpoint(saved(network(maker), legacy=False), Path("m.pt"), "raw").notes
    assert note.startswith("m.pt holds objects of training_library.Net, ")


@FORMS
@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("__builtin__", "exec"), ("torch.hub", "load"), ("runpy", "_run_code")],
)
def test_what_was_put_there_to_run_is_refused_though_weights_lie_beside(module: str, name: str, legacy: bool) -> None:
    body = pickles.dictionary(
        state_dict=pickles.dictionary(w=pickles.tensor((4,), (1,), size=4)),
        evil=pickles.call(module, name, pickles.text("x")),
    )
    data = pickles.archive(pickles.program(body), {"0": bytes(16)})
    if legacy:
        data = pickles.legacy(pickles.program(pickles.dictionary(evil=pickles.call(module, name, pickles.text("x")))))
    with pytest.raises(
        ModelError, match=r"m.pt holds pickled code \(it asks for .*\), which could do anything: refused"
    ):
        read_checkpoint(data, Path("m.pt"), "raw")


def test_a_newer_protocol_of_pickle_is_read(maker: types.ModuleType) -> None:
    stream, net = io.BytesIO(), network(maker)
    torch.save({"state_dict": net.state_dict()}, stream, pickle_protocol=4)
    chosen = read_checkpoint(stream.getvalue(), Path("m.pt"), "raw")
    assert same(chosen.state, net)
    assert chosen.notes == ()


def test_messages_advise_nobody_to_unpickle(maker: types.ModuleType) -> None:
    with pytest.raises(ModelError) as caught:
        read_checkpoint(saved({"settings": maker.Settings()}, legacy=False), Path("m.pt"), "raw")
    message = str(caught.value)
    assert "torch." not in message
    assert "ONNX file, at an http address, as a Python callable (modelprint.verify), or by its answers" in message


@pytest.mark.parametrize("opcode", [b"b", b"}b"])
def test_a_pickle_cannot_change_the_makers_of_tensors(opcode: bytes) -> None:
    """Built upon, the table's functions keep what they are."""
    before = torch._utils._rebuild_tensor_v2.__defaults__
    state = b"N" + pickles.dictionary(__defaults__=pickles.text("x")) + b"\x86"
    body = pickles.named("torch._utils", "_rebuild_tensor_v2") + state + b"b"
    contents = InertContents(pickles.archive(pickles.program(body)))
    assert not isinstance(contents.loaded, Tensor)
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_a_network_that_contains_itself_ends() -> None:
    inner = Inert()
    inner.attributes = {"_parameters": {}, "_buffers": {}, "_modules": {"again": inner}}
    assert state_of_network(inner) == {}
    assert state_of_network(Inert()) is None
