"""Structured pruning: whole channels are removed, those with the smallest weights first.

H. Li, A. Kadav, I. Durdanovic, H. Samet, H. P. Graf, "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.

Differs from the paper: the same share goes from every layer, so that the result is the same architecture with a smaller
width; the registered architectures only. Costs accuracy, which fine-tuning on the attacker's images (`finetune_epochs`)
gives back.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor, nn

from modelprint.attacks.base import ATTACKS, AttackResult, Loot
from modelprint.attacks.prune import Prune
from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError
from modelprint.nn.architectures import ARCHITECTURES, Net, Residual
from modelprint.nn.layers import Convolution, Weighted
from modelprint.nn.spec import ModelSpec, build

Kept = Int[Tensor, " channels"]


@ATTACKS.register("prune-channels")
@dataclass(frozen=True, kw_only=True)
class PruneChannels(Prune):
    """Removal of whole channels.

    Attributes:
        rate: the share of channels of every layer that goes, in (0, 1).
        finetune_epochs: training on true labels after it; 0 for none.
    """

    name: ClassVar[str] = "prune-channels"

    rate: float = 0.25

    def _run(self, loot: Loot) -> AttackResult:
        spec = _narrower(loot.spec, self.rate)
        model = build(spec, seed=loot.seed).to(device_of(loot.copy)).eval()
        old, new = loot.copy.body, model.body
        assert isinstance(old, Net)
        assert isinstance(new, Net)
        with torch.no_grad():
            kept = _copy(old.features, new.features, torch.arange(spec.shape[0]))
            _copy_layer(old.head, new.head, kept, torch.arange(spec.classes))
        losses = self._finetuned(loot, model)
        return AttackResult(model=model, spec=spec, report={"losses": losses})


def _narrower(spec: ModelSpec, rate: float) -> ModelSpec:
    """The spec with a smaller width.

    Raises:
        ModelError: no registered architecture, or nothing would go.
    """
    if spec.arch not in ARCHITECTURES:
        raise ModelError(f"removal of channels knows the registered architectures only, not {spec.arch}")
    default = inspect.signature(ARCHITECTURES[spec.arch]).parameters["width"].default
    width = int(spec.arch_args.get("width", default))
    narrow = round(width * (1 - rate))
    if not 1 <= narrow < width:
        raise ModelError(f"of {width} channels, a rate of {rate} leaves {narrow}: choose another rate")
    return spec.model_copy(update={"arch_args": {**spec.arch_args, "width": narrow}})


def _copy(old: nn.Module, new: nn.Module, kept: Kept) -> Kept:
    """Fill a narrower module, given the inputs that are kept; the outputs that are."""
    if isinstance(old, nn.Sequential):
        for before, after in zip(old, new.children(), strict=True):
            kept = _copy(before, after, kept)
        return kept
    if isinstance(old, Residual) and isinstance(new, Residual):
        inner = _copy(old.conv1, new.conv1, kept)
        _copy(old.bn1, new.bn1, inner)
        outer = kept if isinstance(old.shortcut, nn.Identity) else _copy(old.shortcut, new.shortcut, kept)
        _copy_layer(old.conv2, new.conv2, inner, outer)
        return _copy(old.bn2, new.bn2, outer)
    if isinstance(old, Weighted) and isinstance(new, Weighted):
        depthwise = isinstance(old, Convolution) and old.groups > 1
        outputs = kept if depthwise else _largest(old.weight, len(new.weight))
        _copy_layer(old, new, torch.arange(1) if depthwise else kept, outputs)
        return outputs
    for name, tensor in old.state_dict().items():  # BatchNorm's vectors and count; other layers have none
        new.state_dict()[name].copy_(tensor[kept] if tensor.ndim else tensor)
    return kept


def _largest(weight: Tensor, count: int) -> Kept:
    """The outputs with the largest sums of magnitudes, in order."""
    return weight.abs().flatten(1).sum(1).argsort(descending=True)[:count].sort().values.cpu()


def _copy_layer(old: Weighted, new: Weighted, inputs: Kept, outputs: Kept) -> None:
    """After flattening, each input channel stands for a run of columns."""
    run = new.weight.shape[1] // len(inputs)
    columns = (inputs[:, None] * run + torch.arange(run)).flatten()
    new.weight.copy_(old.weight[outputs][:, columns])
    if old.bias is not None and new.bias is not None:
        new.bias.copy_(old.bias[outputs])
