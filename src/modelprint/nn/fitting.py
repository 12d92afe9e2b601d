"""Weights by name, put into an architecture: names brought in line, every misfit named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.nn.class_count import LISTED, ClassCountError

_TRIED = 50  # names that prefixes are looked for with
_COUNTERS = frozenset({"total_ops", "total_params", "num_batches_tracked", "n_averaged"})  # of profilers and averages
_COUNTER = "num_batches_tracked"  # of BatchNorm; missing in old files, and harmless
_SHOWN = 4


def unwrapped(names: Set[str], expected: Set[str], *, ema: bool = False) -> dict[str, str]:
    """The architecture's name for each name in a file, where one prefix, taken off or put before, makes them fit best.

    Names that the prefix does not explain stay as they are.

    >>> unwrapped({"module.body.head.bias"}, {"head.bias"})
    {'module.body.head.bias': 'head.bias'}
    >>> unwrapped({"model.head.bias", "train_accuracy.total"}, {"head.bias"})
    {'model.head.bias': 'head.bias', 'train_accuracy.total': 'train_accuracy.total'}
    >>> unwrapped({"head.bias"}, {"vit.head.bias"})
    {'head.bias': 'vit.head.bias'}

    Args:
        ema: whether averaged weights are wanted where a file holds both under different prefixes.
    """
    best = {name: name for name in sorted(names)}
    for prefix in sorted(
        _prefixes(names, expected), key=lambda prefix: (("ema" in prefix) != ema, len(prefix), prefix)
    ):
        renamed = {name: name.removeprefix(prefix) if name.startswith(prefix) else name for name in sorted(names)}
        best = _better(renamed, best, expected)
    for prefix in sorted(_prefixes(expected, names)):
        best = _better({name: prefix + name for name in sorted(names)}, best, expected)
    return best


def _prefixes(longer: Set[str], shorter: Set[str]) -> set[str]:
    """What stands before any of the shorter names in any of the longer."""
    prefixes: set[str] = set()
    for short in sorted(shorter)[:_TRIED]:
        prefixes |= {name.removesuffix(short) for name in longer if name.endswith("." + short)}
    return prefixes


def _better(one: dict[str, str], other: dict[str, str], expected: Set[str]) -> dict[str, str]:
    return one if len(expected & set(one.values())) > len(expected & set(other.values())) else other


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Weights under the names of an architecture.

    Attributes:
        state: every tensor that the architecture has, but for those that it computes or shares.
        notes: what a user should know: what was left out.
    """

    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def fit_names(
    state: Mapping[str, Tensor],
    module: nn.Module,
    *,
    who: str,
    arch: str,
    classes: int | None = None,
    ema: bool = False,
) -> Fitting:
    """The state under the module's own names, with every shape checked; the module may lie on the meta device.

    Tensors that belong to no parameter (counters of profilers, states of metrics, modules that the architecture does
    not have) are left out and said, where nothing is missing.

    Args:
        who, arch: the file and the architecture, for the message.
        classes: how many the architecture was built for, where known.
        ema: whether averaged weights are wanted where the file holds both.

    Raises:
        ModelError: missing or unexpected names, other shapes, or integers where the architecture has floats.
    """
    expected = module.state_dict(keep_vars=True)
    names = unwrapped(state.keys(), expected.keys(), ema=ema)
    given: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if names[name] not in given or names[name] != name:  # a name that the prefix explains comes before a bare one
            given[names[name]] = tensor
    shared = _shared(expected)
    missing = sorted(
        name
        for name in expected.keys() - given.keys()
        if not (name.endswith(_COUNTER) or shared[name] & given.keys() or not expected[name].is_floating_point())
    )
    unexpected = sorted(given.keys() - expected.keys())
    misshapen = [name for name in given if name in expected and given[name].shape != expected[name].shape]
    if not missing and not misshapen:
        children = {name for name, _ in module.named_children()}
        foreign = [name for name in unexpected if _belongs_to_nothing(name, given[name], children)]
        if len(foreign) == len(unexpected):
            fitted = {name: tensor for name, tensor in given.items() if name in expected}
            _check_types(fitted, expected, who)
            return Fitting(
                state=_filled(fitted, expected, shared), notes=tuple(_left_out(foreign, who=who, arch=arch, ema=ema))
            )
    wrong = []
    if missing:
        wrong.append(f"it lacks {_listed(missing)}")
    if unexpected:
        wrong.append(f"it has {_listed(unexpected)} which the architecture does not have")
    if misshapen:
        shown = [
            f"{name} is {tuple(given[name].shape)} in the file, {tuple(expected[name].shape)} in the architecture"
            for name in misshapen
        ]
        wrong.append(_listed(shown))
    hint = "give the --arch and --arch-args that it was trained with, and data of its channels, size and classes"
    if classes is not None and not (missing or unexpected):
        counts = {int(given[name].shape[0]) for name in misshapen if given[name].ndim}
        if len(counts) == 1 and all(_other_count(given[name], expected[name], classes) for name in misshapen):
            count = counts.pop()
            raise ClassCountError(
                f"{who} does not fit architecture {arch}: {'; '.join(wrong)}: the file tells {count} classes apart, "
                f"{classes} were expected; {LISTED}",
                classes=count,
            )
    raise ModelError(f"{who} does not fit architecture {arch}: {'; '.join(wrong)}: {hint}")


def _left_out(names: list[str], *, who: str, arch: str, ema: bool) -> Iterator[str]:
    """What is said of tensors that were not used."""
    averaged = [name for name in names if "ema" in name.split(".", 1)[0]]
    if averaged and not ema:
        yield f"{who} holds averaged weights, too: raw ones are taken; --weights ema takes the averaged ones"
        names = [name for name in names if name not in averaged]
    if names:
        yield f"{who}: left out {_listed(names)}, which belong to no layer of {arch}"


def _belongs_to_nothing(name: str, tensor: Tensor, children: Set[str]) -> bool:
    """Whether a tensor that the architecture lacks is harmless: a counter, an index table, or of a part that is absent.

    Extra weights inside a layer that is there may change what the model computes, so that these are refused.
    """
    parts = name.split(".")
    return parts[-1] in _COUNTERS or not tensor.is_floating_point() or parts[0] not in children


def _shared(expected: Mapping[str, Tensor]) -> dict[str, set[str]]:
    """For each name, the names of the same tensor: weights that an architecture ties together."""
    same: dict[int, set[str]] = defaultdict(set)
    for name, tensor in expected.items():
        same[id(tensor)].add(name)
    return {name: same[id(tensor)] for name, tensor in expected.items()}


def _filled(
    given: dict[str, Tensor], expected: Mapping[str, Tensor], shared: Mapping[str, set[str]]
) -> dict[str, Tensor]:
    """The state with tied tensors under all of their names, and with the architecture's own tables of integers."""
    for name, tensor in expected.items():
        if name in given or name.endswith(_COUNTER):
            continue
        tied = next((given[other] for other in sorted(shared[name]) if other in given), None)
        if tied is not None:
            given[name] = tied
        elif not tensor.is_meta:
            given[name] = tensor.detach()
    return given


def _other_count(given: Tensor, expected: Tensor, classes: int) -> bool:
    """Whether two tensors differ in the number of classes alone, the first axis of a last layer."""
    return given.shape[1:] == expected.shape[1:] and expected.shape[:1] == (classes,)


def _check_types(given: Mapping[str, Tensor], expected: Mapping[str, Tensor], who: str) -> None:
    for name, tensor in given.items():
        if expected[name].is_floating_point() and not tensor.is_floating_point():
            raise ModelError(
                f"{who}: {name} is {tensor.dtype} where the architecture has {expected[name].dtype}: "
                "quantised weights need their scales; save them as floats"
            )


def check_finite(module: nn.Module, *, who: str) -> None:
    """Refuse weights that cannot be meant.

    Raises:
        ModelError: NaN in any tensor, or infinite values in a parameter; the first such tensor is named.
    """
    parameters = dict(module.named_parameters())
    for name, tensor in [*parameters.items(), *module.named_buffers()]:
        values = tensor.detach()
        bad = int((~torch.isfinite(values) if name in parameters else torch.isnan(values)).sum())
        if bad:
            raise ModelError(
                f"{who}: {name} holds NaN or infinite values ({bad} of {values.numel()}): "
                "training diverged, or the file is damaged; use an earlier checkpoint"
            )


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
