"""The weights inside a checkpoint: training scripts nest them under many keys, and keep averaged ones (EMA) beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modelprint.core.errors import ModelError
from modelprint.nn.inert import Inert, state_of_network
from modelprint.nn.kinds import WAYS_ROUND
from modelprint.nn.options import EMA, RAW
from modelprint.nn.quantised import unpacked

RAW_KEYS = (
    "state_dict", "model_state_dict", "model", "net", "network", "module", "params", "weights", "student", "teacher",
    "classifier", "model_state", "net_state_dict", "state",
)  # fmt: skip
EMA_KEYS = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "params_ema", "ema_model", "model_ema_state_dict",
    "averaged_model", "swa_state_dict",
)  # fmt: skip
GENERATING = frozenset(
    {"generator", "discriminator", "critic", "netG", "netD", "G", "D", "g", "d", "G_state_dict", "D_state_dict",
     "generator_state_dict", "discriminator_state_dict", "g_ema", "G_ema"}
)  # fmt: skip
SAVE_AGAIN = f"give its state dict as a .safetensors file, or {WAYS_ROUND}"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The weights that were taken from a checkpoint.

    Attributes:
        state: tensors by name, as stored.
        notes: what a user should know of the choice.
    """

    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def weights_in(loaded: Any, *, which: str = RAW, who: str) -> Chosen:
    """The tensors of a checkpoint, from under the keys where training scripts put them.

    >>> list(weights_in({"epoch": 3, "model": {"head.bias": torch.zeros(2)}}, who="x").state)
    ['head.bias']
    >>> both = {"model": {"b": torch.zeros(2)}, "model_ema": {"b": torch.ones(2)}}
    >>> weights_in(both, which="ema", who="x").state["b"].tolist()
    [1.0, 1.0]

    Args:
        which: "raw", "ema", or the key that the weights lie under.

    Raises:
        ModelError: no tensors by name, none of the kind that was asked for, or sparse or complex ones.
    """
    notes: tuple[str, ...] = ()
    loaded = _plain(loaded)
    while isinstance(loaded, Mapping):
        named = {key: _plain(loaded.get(key)) for key in (*RAW_KEYS, *EMA_KEYS)}
        inner = [key for key, value in named.items() if isinstance(value, Mapping)]
        if which not in (RAW, EMA) and isinstance(_plain(loaded.get(which)), Mapping):
            inner = [which]
        if not inner:
            break
        key = _preferred(inner, which)
        others = [other for other in inner if other != key and named[other]]
        if others:
            notes = (_both(key, others, who=who),)
        if key == which or (which == EMA and key in EMA_KEYS):
            which = RAW
        loaded = _plain(loaded[key])
    if which == EMA and isinstance(loaded, Mapping) and any("ema" in str(name).split(".", 1)[0] for name in loaded):
        which = RAW  # averaged weights lie under a prefix of their own, which the loader looks for
    if which != RAW:
        keys = ", ".join(map(str, list(loaded)[:8])) if isinstance(loaded, Mapping) else type(loaded).__name__
        raise ModelError(f"{who} holds no weights under {which!r}: it has {keys}; give --weights raw, or one of these")
    return Chosen(state=_tensors(loaded, who=who), notes=notes)


def _plain(value: Any) -> Any:
    """The state dict of a network that was saved whole; anything else as it is."""
    if not isinstance(value, Inert):
        return value
    state = state_of_network(value)
    return value if state is None else state


def _both(key: str, others: list[str], *, who: str) -> str:
    averaged = [other for other in others if other in EMA_KEYS]
    choice = "--weights ema takes the averaged ones" if averaged else f"--weights {others[0]} takes the other"
    return f"{who} holds weights under {key} and {', '.join(others)}: {key} is taken; {choice}"


def _preferred(keys: list[str], which: str) -> str:
    averaged = [key for key in keys if key in EMA_KEYS]
    plain = [key for key in keys if key not in EMA_KEYS]
    order = [*averaged, *plain] if which == EMA else [*plain, *averaged]
    return order[0]


def _tensors(loaded: Any, *, who: str) -> dict[str, Tensor]:
    if not isinstance(loaded, Mapping):
        raise ModelError(f"{who} holds a {type(loaded).__name__} where a state dict was expected: {SAVE_AGAIN}")
    _refuse_generators(loaded, who=who)
    plain = {name: _tensor(value) for name, value in unpacked(loaded).items()}
    state = {name: value for name, value in plain.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        keys = ", ".join(map(str, list(loaded)[:5])) or "none"
        raise ModelError(f"{who} holds no weights by name (its keys: {keys}): {SAVE_AGAIN}")
    for name, value in state.items():
        if value.layout != torch.strided or value.is_complex() or value.is_meta:
            raise ModelError(f"{who}: {name} is sparse, complex or empty of data: save plain float weights")
    return state


def _tensor(value: object) -> object:
    """An array of numbers as a tensor: some scripts save weights as arrays of numpy."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.dtype.isnative:
        return torch.from_numpy(value.copy())
    return value


def _refuse_generators(loaded: Mapping[Any, Any], *, who: str) -> None:
    """Of a file that holds networks which make images and judge them, none is a classifier."""
    parts = {str(name).split(".", 1)[0] for name, value in loaded.items() if isinstance(value, Tensor | Mapping)}
    present = sorted(parts & GENERATING)
    nested = any(isinstance(loaded.get(part), Mapping) for part in present)
    if present and (nested or parts <= GENERATING):
        raise ModelError(
            f"{who} holds {', '.join(present)}: networks that make images, or tell made ones from real ones, and no "
            "classifier; if one of them is a classifier all the same, name its key with --weights"
        )
