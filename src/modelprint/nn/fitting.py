"""Weights by name, put into an architecture: names brought in line, every misfit named."""

from __future__ import annotations

from collections.abc import Mapping, Set

import torch
from torch import Tensor, nn

from modelprint.core.errors import ModelError

WRAPPERS = ("module.", "_orig_mod.", "body.")  # DataParallel, torch.compile, Normalized
_COUNTER = "num_batches_tracked"  # of BatchNorm; missing in old files, and harmless
_SHOWN = 4


def unwrapped(names: Set[str], expected: Set[str]) -> dict[str, str]:
    """The architecture's name for each name in a file: prefixes that all share are taken off until the names fit best.

    >>> unwrapped({"module.body.head.bias"}, {"head.bias"})
    {'module.body.head.bias': 'head.bias'}
    """
    current = {name: name for name in sorted(names)}
    best = current
    while prefix := next(
        (prefix for prefix in WRAPPERS if all(name.startswith(prefix) for name in current.values())), ""
    ):
        current = {name: short.removeprefix(prefix) for name, short in current.items()}
        if len(expected & set(current.values())) > len(expected & set(best.values())):
            best = current
    return best


def fit_names(
    state: Mapping[str, Tensor], module: nn.Module, *, who: str, arch: str, classes: int | None = None
) -> dict[str, Tensor]:
    """The state under the module's own names, with every shape checked; the module may lie on the meta device.

    Args:
        who, arch: the file and the architecture, for the message.
        classes: how many the architecture was built for, where known.

    Raises:
        ModelError: missing or unexpected names, other shapes, or integers where the architecture has floats.
    """
    expected = module.state_dict()
    names = unwrapped(state.keys(), expected.keys())
    given = {names[name]: tensor for name, tensor in state.items()}
    missing = sorted(name for name in expected.keys() - given.keys() if not name.endswith(_COUNTER))
    unexpected = sorted(given.keys() - expected.keys())
    misshapen = [name for name in given if name in expected and given[name].shape != expected[name].shape]
    if not (missing or unexpected or misshapen):
        _check_types(given, expected, who)
        return given
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
            hint = f"the file tells {counts.pop()} classes apart, {classes} were expected"
    raise ModelError(f"{who} does not fit architecture {arch}: {'; '.join(wrong)}: {hint}")


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
