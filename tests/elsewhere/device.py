"""A device that is not the CPU, for machines without a GPU.

Its tensors hide CPU tensors, and an operation on both is an error, as on CUDA: what forgets to move a tensor fails
here, too. It takes torch's experimental hooks for back ends in Python, of which a process has one: `install` is for
scripts, never for the process of the tests.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = "elsewhere"
_HIDDEN: dict[int, torch.Tensor] = {}
_KEPT: list[torch.library.Library] = []
_INDEXING = ("aten::index", "aten::index_put", "aten::_index_put_impl_", "aten::index_put_", "aten::_unsafe_index")
_AS_THEY_ARE = frozenset({"copy_", "_to_copy", "_copy_from", "to", "detach", "detach_", "alias", "lift", "lift_fresh"})
_MAKERS = frozenset({"arange", "eye", "linspace", "randperm"})  # which ask for an empty tensor, and give it a size
_KEYS = ("CompositeExplicitAutogradNonFunctional", "CompositeExplicitAutograd")


def is_elsewhere(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == DEVICE


def hidden(value: torch.Tensor) -> torch.Tensor:
    """The CPU tensor behind a tensor of the device: each has a storage of its own, which detaching keeps."""
    return _HIDDEN[value.untyped_storage()._cdata]


def wrapped(value: Any, known: dict[int, torch.Tensor]) -> Any:
    """A tensor of the device that hides a CPU tensor; the one that hides it already, if there is one."""
    if not isinstance(value, torch.Tensor):
        return value
    if id(value) in known:
        return known[id(value)]
    empty = torch._C._acc.create_empty_tensor(tuple(value.shape), value.dtype)
    _HIDDEN[empty.untyped_storage()._cdata] = value
    return empty


def fallback(op: Any, *args: Any, **kwargs: Any) -> Any:
    """Compute on the hidden tensors.

    Raises:
        RuntimeError: one of the tensors lies on the CPU; indices may, as on CUDA.
    """
    flat, _ = tree_flatten((args, kwargs))
    tensors = [value for value in flat if isinstance(value, torch.Tensor)]
    strays = [value for value in tensors if not is_elsewhere(value) and value.dim()]
    if strays and op is not torch.ops.aten.copy_.default and op._schema.name not in _INDEXING:
        raise RuntimeError(f"{op}: a tensor of shape {tuple(strays[0].shape)} lies on the CPU, others on {DEVICE}")
    known = {id(hidden(value)): value for value in tensors if is_elsewhere(value)}
    args, kwargs = tree_map(lambda value: hidden(value) if is_elsewhere(value) else value, (args, kwargs))
    kwargs = {name: torch.device("cpu") if name == "device" else value for name, value in kwargs.items()}
    if op is torch.ops.aten.view.default:
        op = torch.ops.aten.reshape.default  # the strides of what is hidden are not shown
    return tree_map(lambda value: wrapped(value, known), op(*args, **kwargs))


def _empty(size: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return wrapped(torch.empty(size, dtype=dtype), {})


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return wrapped(torch.empty_strided(size, stride, dtype=dtype), {})


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
    values = hidden(source) if is_elsewhere(source) else source
    (hidden(target) if is_elsewhere(target) else target).copy_(values)
    return target


def _convolution(*args: Any) -> Any:
    return fallback(torch.ops.aten.convolution.default, *args)


def _convolution_backward(gradient: Any, inputs: Any, weight: Any, *settings: Any) -> Any:
    return fallback(torch.ops.aten.convolution_backward.default, gradient, inputs, weight, None, *settings)


def _deepcopy(usual: Any, value: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
    copied: torch.Tensor = (
        memo.setdefault(id(value), value.detach().clone()) if is_elsewhere(value) else usual(value, memo)
    )
    return copied


def install() -> torch.device:
    """Bring the device into this process; before modelprint is imported."""
    from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

    _setup_privateuseone_for_python_backend(DEVICE)
    torch.inference_mode = torch.no_grad  # such back ends cannot make inference tensors
    usual = torch.Tensor.__deepcopy__
    torch.Tensor.__deepcopy__ = lambda value, memo: _deepcopy(usual, value, memo)
    everything, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
    everything.fallback(fallback, "PrivateUse1")
    for name, function in {
        "empty.memory_format": _empty,
        "empty_strided": _empty_strided,
        "convolution_overrideable": _convolution,
        "convolution_backward_overrideable": _convolution_backward,
        "_copy_from": _copy_from,
    }.items():
        aten.impl(name, function, "PrivateUse1")
    for name in torch._C._dispatch_get_all_op_names():  # torch's own kernels of these would read strides
        packet, _, overload = name.removeprefix("aten::").partition(".")
        if not name.startswith("aten::") or packet in _AS_THEY_ARE:
            continue
        if any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in _KEYS):
            op = getattr(getattr(torch.ops.aten, packet), overload or "default", None)
            if op is None:
                continue
            takes = any("Tensor" in str(argument.type) for argument in op._schema.arguments)
            if takes or packet in _MAKERS:
                aten.impl(name.removeprefix("aten::"), partial(fallback, op), "PrivateUse1")
    _KEPT.extend([everything, aten])
    return torch.device(f"{DEVICE}:0")
