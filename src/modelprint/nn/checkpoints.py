"""The weights inside a checkpoint: training scripts nest them under many keys, and keep averaged ones (EMA) beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modelprint.core.errors import ModelError
from modelprint.nn.options import EMA, RAW
from modelprint.nn.quantised import unpacked

RAW_KEYS = ("state_dict", "model_state_dict", "model", "net", "module", "params", "weights", "student", "teacher")
EMA_KEYS = ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "params_ema")
SAVE_AGAIN = "save the state dict alone, torch.save(model.state_dict(), FILE), or better a .safetensors file"


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
    while isinstance(loaded, Mapping):
        inner = [key for key in (*RAW_KEYS, *EMA_KEYS) if isinstance(loaded.get(key), Mapping)]
        if which not in (RAW, EMA) and isinstance(loaded.get(which), Mapping):
            inner = [which]
        if not inner:
            break
        key = _preferred(inner, which)
        others = [other for other in inner if other != key and loaded[other]]
        if others:
            notes = (f"{who} holds weights under {key} and {', '.join(others)}: {key} is taken (--weights KEY)",)
        if key == which or (which == EMA and key in EMA_KEYS):
            which = RAW
        loaded = loaded[key]
    if which == EMA and isinstance(loaded, Mapping) and any("ema" in str(name).split(".", 1)[0] for name in loaded):
        which = RAW  # averaged weights lie under a prefix of their own, which the loader looks for
    if which != RAW:
        keys = ", ".join(map(str, list(loaded)[:8])) if isinstance(loaded, Mapping) else type(loaded).__name__
        raise ModelError(f"{who} holds no weights under {which!r}: it has {keys}; give --weights raw, or one of these")
    return Chosen(state=_tensors(loaded, who=who), notes=notes)


def _preferred(keys: list[str], which: str) -> str:
    averaged = [key for key in keys if key in EMA_KEYS]
    plain = [key for key in keys if key not in EMA_KEYS]
    order = [*averaged, *plain] if which == EMA else [*plain, *averaged]
    return order[0]


def _tensors(loaded: Any, *, who: str) -> dict[str, Tensor]:
    if not isinstance(loaded, Mapping):
        raise ModelError(f"{who} holds a {type(loaded).__name__} where a state dict was expected: {SAVE_AGAIN}")
    plain = unpacked(loaded)
    state = {name: value for name, value in plain.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not state:
        keys = ", ".join(map(str, list(loaded)[:5])) or "none"
        raise ModelError(f"{who} holds no weights by name (its keys: {keys}): {SAVE_AGAIN}")
    for name, value in state.items():
        if value.layout != torch.strided or value.is_complex() or value.is_meta:
            raise ModelError(f"{who}: {name} is sparse, complex or empty of data: save plain float weights")
    return state
