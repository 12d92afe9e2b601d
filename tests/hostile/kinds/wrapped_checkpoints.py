"""Checkpoints as training programs write them, with something wrong: wrappers, prefixes, averages, what stands beside."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import numpy as np
import torch

from tests.hostile.commands import identify, negatives, record, verify_weights
from tests.hostile.corpus import ANY, READ, REFUSED, Command, HostileInput, Place, content, family, hostile
from tests.hostile.payloads import ESCAPES
from tests.hostile.pickles import archive, call, dictionary, program, text

State = dict[str, torch.Tensor]
Wrap = Callable[[State], object]
SAYS = r"m\.\w+|architecture|weights"


def case(
    name: str, wrap: Wrap, exits: frozenset[int] = REFUSED, *, file: str = "m.ckpt", command: Command | None = None
) -> HostileInput:
    """The weights that fit, as `wrap` writes them."""

    def data(place: Place) -> bytes:
        stream = io.BytesIO()
        torch.save(wrap(dict(place.seeds.state)), stream)
        return stream.getvalue()

    return hostile(f"checkpoints/{name}", content(file, data), command or verify_weights(), SAYS, exits)


def lightning(state: State, **more: object) -> dict[str, object]:
    """What Lightning's Trainer saves."""
    return {
        "epoch": 3,
        "global_step": 12,
        "pytorch-lightning_version": "2.6.6",
        "state_dict": {f"model.{name}": value for name, value in state.items()},
        "loops": {"fit_loop": {"state_dict": {}}},
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": []}],
        "lr_schedulers": [],
        "hyper_parameters": {"lr": 0.1},
        **more,
    }


def prefixed(state: State, prefix: str) -> State:
    """Each name behind a prefix."""
    return {f"{prefix}{name}": value for name, value in state.items()}


def half_prefixed(state: State, prefix: str) -> State:
    """Every second name behind a prefix."""
    return {(prefix if place % 2 else "") + name: value for place, (name, value) in enumerate(state.items())}


def filled(state: State, value: float) -> State:
    """Every number the same."""
    return {name: torch.full_like(one, value) for name, one in state.items()}


@family
def trainers() -> Iterator[HostileInput]:
    """Lightning's files: whole, and with something wrong in each part."""
    yield case("lightning/whole", lightning, READ)
    for name, command in {"record": record, "identify": identify}.items():
        with_code = _lightning_with_code()
        yield hostile(f"checkpoints/lightning/code-by-{name}", with_code, _with_arch(command), SAYS)
    yield hostile("checkpoints/lightning/code-in-hyper-parameters", _lightning_with_code(), verify_weights(), SAYS)
    broken: dict[str, dict[str, object]] = {
        "no-weights": {"state_dict": {}},
        "weights-of-text": {"state_dict": "model.pt"},
        "weights-of-a-list": {"state_dict": [torch.zeros(3)]},
        "weights-in-weights": {"state_dict": {"state_dict": {"state_dict": {}}}},
    }
    for name, parts in broken.items():
        yield case(f"lightning/{name}", lambda state, parts=parts: lightning(state, **parts))
    beside: dict[str, dict[str, object]] = {
        "epoch-huge": {"epoch": 2**80},
        "epoch-of-text": {"epoch": "\x1b[2J"},
        "numpy-scalars": {"best": np.float64(0.5), "scores": [np.int64(3)], "flag": np.bool_(True)},
        "random-state": {"rng": torch.get_rng_state(), "numpy": np.random.RandomState(0).get_state()},
        "very-many-callbacks": {"callbacks": {f"c{number}": {"best": torch.tensor(1.0)} for number in range(3000)}},
        "optimiser-of-tensors": {"optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(500, 500)}}}]},
    }
    for name, parts in beside.items():
        yield case(f"lightning/{name}", lambda state, parts=parts: lightning(state, **parts), ANY)


def _with_arch(command: Command) -> Command:
    return lambda place, made: [*command(place, made), *verify_weights()(place, made)[3:]]


def _lightning_with_code() -> Callable[[Place], str]:
    """Hyper-parameters that are an object of a class that would run something."""

    def make(place: Place) -> str:
        run = call("os", "system", text(f"touch {place.canary}"))
        return place.file("m.ckpt", archive(program(dictionary(epoch=text("3"), hyper_parameters=run))))

    return make


@family
def averages() -> Iterator[HostileInput]:
    """Raw and averaged weights in one file."""
    for key in ("model_ema", "ema", "state_dict_ema", "teacher", "student", "params_ema"):
        yield case(f"averages/{key}-alone", lambda state, key=key: {key: state}, ANY)
        yield case(
            f"averages/{key}-not-a-number", lambda state, key=key: {"model": state, key: filled(state, np.nan)}, ANY
        )
        yield case(
            f"averages/{key}-asked-for",
            lambda state, key=key: {"model": state, key: filled(state, np.nan)},
            ANY,
            command=verify_weights("--weights", "ema"),
        )
    yield case("averages/ema-of-text", lambda state: {"model": state, "ema": "x"}, ANY)
    yield case("averages/unknown-key", lambda state: {"model": state}, command=verify_weights("--weights", "\x1b[2Jx"))
    yield case("averages/generator", lambda state: {"G": state, "D": state, "G_ema": state})
    yield case("averages/ten-models", lambda state: {f"model{number}": state for number in range(10)}, ANY)


@family
def prefixes() -> Iterator[HostileInput]:
    """Names behind prefixes, some or all of them, and tensors that belong to no parameter."""
    for prefix in ("model.", "module.", "_orig_mod.", "net.", "backbone.", "module.model.net."):
        yield case(f"prefixes/{prefix}whole", lambda state, prefix=prefix: prefixed(state, prefix), READ, file="m.pt")
        yield case(
            f"prefixes/{prefix}half", lambda state, prefix=prefix: half_prefixed(state, prefix), READ, file="m.pt"
        )
    yield case("prefixes/long", lambda state: prefixed(state, "x." * 50_000), ANY, file="m.bin")
    yield case("prefixes/dots", lambda state: prefixed(state, "." * 1000), ANY, file="m.bin")
    yield case("prefixes/two", lambda state: {**prefixed(state, "a."), **prefixed(filled(state, 0.0), "b.")}, ANY)
    for name, escape in ESCAPES.items():
        yield case(f"prefixes/{name}", lambda state, escape=escape: prefixed(state, f"{escape}."), ANY)
    extra: dict[str, dict[str, object]] = {
        "operations": {"total_ops": torch.zeros(1), "total_params": torch.zeros(1)},
        "metrics": {"val_acc.correct": torch.tensor(3), "val_acc.total": torch.tensor(4)},
        "huge": {"queue": torch.zeros(1).expand(2**24)},
        "not-a-number": {"metric": torch.tensor(float("nan"))},
        "numpy-array": {"steps": np.arange(3)},
    }
    for name, more in extra.items():
        yield case(f"extra/{name}", lambda state, more=more: {**state, **more}, ANY, file="m.pth")


@family
def folders_of_checkpoints() -> Iterator[HostileInput]:
    """A judge's folder that holds such a file beside a good one."""

    def make(place: Place) -> str:
        place.file("models/a.safetensors", place.seeds.safetensors)
        _lightning_with_code()(Place(**{**vars(place), "root": place.root / "models"}))
        return str(place.root / "models")

    yield hostile(
        "checkpoints/lightning/code-in-a-folder", make, lambda place, made: [*negatives(place, made), "--arch", "mlp"],
        SAYS,
    )  # fmt: skip
