"""Where models compute: a device by its name, on how many threads, in batches that fit its memory.

Generators stay on the CPU, so that the same seed draws the same numbers whatever the device.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import TypeVar

import torch
from torch import nn

from modelprint.core.batches import FORWARD_VALUES, images_at_once
from modelprint.core.errors import DeviceError, UsageError, first_line

T = TypeVar("T")

CPU = "cpu"
_CUDA = re.compile(r"^cuda(?::(?P<number>\d+))?$")
_BYTES_PER_VALUE = 4 * 64  # of a forward pass: 4 bytes for each of some 64 numbers that layers make of one input number
_SMALL = 256  # values on the last two axes of an input: below, threads wait for each other
_FORWARD_SHARE = 0.25  # of the free memory that one batch may take: estimates are rough, and other programs grow


def resolve_device(name: str | torch.device) -> torch.device:
    """The device of a name: auto, cpu, cuda, cuda:N or mps.

    auto takes CUDA where there is one, else Apple's GPU, else the processor; any other name means what it says.

    >>> resolve_device("cpu")
    device(type='cpu')

    Raises:
        UsageError: no such name.
        DeviceError: CUDA or MPS was asked for, and this machine or this build of torch has none.
    """
    if isinstance(name, torch.device):
        if name.type not in (CPU, "cuda", "mps"):
            return name  # of a backend that its user brought
        name = str(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else CPU)
    if name == CPU:
        return torch.device(CPU)
    if name == "mps":
        if not _has_mps():
            raise DeviceError("--device mps: this machine has no Apple GPU that torch can use: use --device cpu")
        return torch.device("mps")
    match = _CUDA.match(name)
    if match is None:
        raise UsageError(f"--device {name!r}: use auto, cpu, cuda, cuda:N (the Nth GPU, from 0) or mps")
    _check_cuda(name, None if match["number"] is None else int(match["number"]))
    return torch.device(name)


@contextmanager
def on_threads(threads: int | None, shape: Sequence[int] | None = None) -> Iterator[None]:
    """Inside, torch computes on so many threads of the processor.

    Args:
        threads: None: one for inputs so small that more would wait for each other, else as many as before.
        shape: of an input; None: of none that is known.
    """
    small = shape is not None and (len(shape) < 3 or shape[-1] * shape[-2] < _SMALL)
    before = torch.get_num_threads()
    torch.set_num_threads(threads or (1 if small else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_cuda(name: str, number: int | None) -> None:
    if not torch.cuda.is_available():
        why = (
            f"torch {torch.__version__} was built without CUDA"
            if torch.version.cuda is None
            else "torch sees no CUDA GPU: look at nvidia-smi, the driver, and CUDA_VISIBLE_DEVICES"
        )
        raise DeviceError(f"--device {name}: {why}; --device cpu computes on the processor")
    count = torch.cuda.device_count()
    if number is not None and number >= count:
        raise DeviceError(f"--device {name}: there are {count} CUDA devices, cuda:0 to cuda:{count - 1}")


def _has_mps() -> bool:
    return torch.backends.mps.is_available()


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights lie; the CPU for a model without any."""
    tensors = chain(model.parameters(), model.buffers())
    return next((tensor.device for tensor in tensors), torch.device(CPU))


def inputs_at_once(
    shape: Sequence[int], *, device: torch.device, most: int, values: int = FORWARD_VALUES, passes: float = 1.0
) -> int:
    """How many inputs of a shape go through a model together: by their size on the CPU, by free memory on CUDA.

    Args:
        most: never more than this.
        values: the most numbers of one batch where memory is not measured.
        passes: memory of one input relative to that of a forward pass (4 where gradients are kept).
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        values = max(1, int(free * _FORWARD_SHARE / (_BYTES_PER_VALUE * passes)))
    return images_at_once(shape, most=most, values=values)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that a batch was too large for the device, or for the processor's memory."""
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def in_parts(work: Callable[[slice], T], count: int, *, size: int, who: str) -> list[T]:
    """The results of `work` for consecutive slices of `count` inputs; a slice that is too large is halved, and so on.

    Args:
        work: gets a slice of at most `size` inputs. It is called again for the same inputs after it ran out of memory.
        who: what ran out of memory, for the message.

    Raises:
        DeviceError: a single input is too large.
    """
    results: list[T] = []
    start = 0
    while start < count:
        part = slice(start, min(start + size, count))
        try:
            results.append(work(part))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise DeviceError(
                    f"{who} runs out of memory with a single input ({first_line(error)}): free memory, or use another "
                    "--device"
                ) from error
            size = max(1, min(size, part.stop - part.start) // 2)
        else:
            start = part.stop
            continue
        free_memory()  # outside of the handler, which would keep the failed pass alive
    return results


def free_memory() -> None:
    """Give back what torch keeps of freed GPU memory, so that a smaller batch finds room."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def half_precision(device: torch.device) -> torch.dtype | None:
    """What training computes in where the device is faster in half precision: bfloat16, float16 on older GPUs, or None.

    >>> half_precision(torch.device("cpu")) is None
    True
    """
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Inside, layers compute in `half_precision`; nothing changes where there is none."""
    dtype = half_precision(device)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
