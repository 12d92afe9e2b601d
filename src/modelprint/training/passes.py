"""Forward and backward over one batch: in half precision on CUDA, in parts where the whole does not fit memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from modelprint.core.devices import autocast, free_memory, half_precision, is_out_of_memory
from modelprint.core.errors import DeviceError, ModelError, first_line

BLOCKED = (
    "the model cannot be trained: no gradient reaches its weights. Its forward blocks gradients (torch.no_grad, "
    "detach, numpy, argmax), or all of its weights are frozen (requires_grad=False)"
)
HALVES = (torch.bfloat16, torch.float16)
Loss = Callable[[Tensor, Tensor], Tensor]


class Backward:
    """Adds the gradients of a batch's mean loss to a model's parameters.

    A batch that does not fit memory goes through in halves from then on, whose gradients add up to the same. A model
    whose BatchNorm learns needs whole batches: its statistics are of all inputs together.

    Args:
        loss: of logits and targets, the mean over a batch.
    """

    def __init__(self, model: nn.Module, loss: Loss, *, device: torch.device) -> None:
        self.model = model
        self.loss = loss
        self.device = device
        self._room: int | None = None  # inputs that fit; None: nothing was too large yet
        self._scaler = torch.amp.GradScaler(device.type) if half_precision(device) is torch.float16 else None

    def __call__(self, inputs: Tensor, targets: Tensor) -> float:
        """The mean loss of a batch, whose gradients are added.

        Raises:
            DeviceError: a batch that does not fit and cannot be split.
            ModelError: the model lets no gradient through.
        """
        while True:
            size = min(self._room or len(inputs), len(inputs))
            try:
                return self._in_parts(inputs, targets, max(1, size))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._check_splits(size, error)
            self._room = size // 2
            self.model.zero_grad(set_to_none=True)
            free_memory()

    def step(self, optimizer: torch.optim.Optimizer, moving: Sequence[nn.Parameter], *, largest: float | None) -> None:
        """Move the parameters; gradients longer than `largest` (L2) are shortened to it."""
        if self._scaler is not None:
            self._scaler.unscale_(optimizer)
        if largest is not None:
            torch.nn.utils.clip_grad_norm_(moving, largest)
        if self._scaler is None:
            optimizer.step()
            return
        self._scaler.step(optimizer)
        self._scaler.update()

    def _in_parts(self, inputs: Tensor, targets: Tensor, size: int) -> float:
        total = 0.0
        for part, target in zip(torch.split(inputs, size), torch.split(targets, size), strict=True):
            with autocast(self.device):
                logits = self.model(part)
            value = self.loss(logits.float() if logits.dtype in HALVES else logits, target)
            if not value.requires_grad:
                raise ModelError(BLOCKED)
            share = value if len(part) == len(inputs) else value * (len(part) / len(inputs))
            (share if self._scaler is None else self._scaler.scale(share)).backward()  # type: ignore[no-untyped-call]
            total += float(share.detach())
        return total

    def _check_splits(self, size: int, error: BaseException) -> None:
        learning = any(
            isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training for module in self.model.modules()
        )
        if size > 1 and not learning:
            return
        why = "its BatchNorm needs whole batches" if learning else "it is one input"
        raise DeviceError(
            f"training runs out of memory on {self.device} with a batch of {size} ({first_line(error)}), and "
            f"{why}: use --set batch_size={max(1, size // 2)}, free memory, or another --device"
        ) from error
