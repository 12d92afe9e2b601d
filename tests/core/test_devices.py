"""Devices by name, never another one silently; batches that shrink when memory runs out."""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from torch import nn

from modelprint.core.devices import (
    autocast,
    device_of,
    half_precision,
    in_parts,
    inputs_at_once,
    is_out_of_memory,
    resolve_device,
)
from modelprint.core.errors import DeviceError, UsageError

GPU = torch.device("cuda:0")


def machine(monkeypatch: pytest.MonkeyPatch, *, gpus: int = 0, mps: bool = False) -> None:
    """Pretend that torch sees so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("gpus", "mps", "expected"), [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda"), (2, True, "cuda")]
)
def test_auto_takes_the_fastest_device_there_is(gpus, mps, expected, monkeypatch):
    machine(monkeypatch, gpus=gpus, mps=mps)
    assert resolve_device("auto") == torch.device(expected)


def test_a_named_device_is_that_device(monkeypatch):
    machine(monkeypatch, gpus=2, mps=True)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1", "mps"):
        assert resolve_device(name) == torch.device(name)
        assert resolve_device(torch.device(name)) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_an_absent_device_is_an_error_and_never_the_cpu(name, monkeypatch):
    machine(monkeypatch)
    with pytest.raises(DeviceError, match=f"--device {name}: .*--device cpu"):
        resolve_device(name)


def test_the_error_tells_a_build_without_cuda_from_a_machine_without_gpu(monkeypatch):
    machine(monkeypatch)
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(DeviceError, match="was built without CUDA"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    with pytest.raises(DeviceError, match=r"sees no CUDA GPU.*CUDA_VISIBLE_DEVICES"):
        resolve_device("cuda")


def test_a_number_beyond_the_last_gpu_is_refused(monkeypatch):
    machine(monkeypatch, gpus=2)
    with pytest.raises(DeviceError, match="there are 2 CUDA devices, cuda:0 to cuda:1"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "", "xpu"])
def test_a_name_of_nothing_is_refused(name):
    with pytest.raises(UsageError, match="use auto, cpu, cuda, cuda:N"):
        resolve_device(name)


def test_the_device_of_a_model_is_where_its_tensors_lie():
    assert device_of(nn.Linear(2, 2, device="meta")) == torch.device("meta")
    assert device_of(nn.BatchNorm1d(2, affine=False, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")


def test_batches_on_a_gpu_are_measured_by_its_free_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
    large = inputs_at_once((3, 224, 224), device=GPU, most=512)
    assert large == 2**30 // 4 // 256 // (3 * 224 * 224)
    assert inputs_at_once((3, 224, 224), device=GPU, most=512, passes=4) == 1 < large
    assert inputs_at_once((3, 32, 32), device=GPU, most=512) == 341
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 2**34))
    assert inputs_at_once((3, 224, 224), device=GPU, most=512) == 1
    assert inputs_at_once((3, 224, 224), device=torch.device("cpu"), most=512) == 27


class Full:
    """Work that has room for so many inputs at a time."""

    def __init__(self, room: int, error: BaseException) -> None:
        self.room, self.error, self.tried = room, error, []

    def __call__(self, part: slice) -> list[int]:
        self.tried.append(part.stop - part.start)
        if self.tried[-1] > self.room:
            raise self.error
        return list(range(part.start, part.stop))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        MemoryError(),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_a_batch_that_does_not_fit_is_halved_until_it_does(error):
    work = Full(3, error)
    parts = in_parts(work, 11, size=8, who="the model")
    assert list(chain.from_iterable(parts)) == list(range(11))
    assert work.tried == [8, 4, 2, 2, 2, 2, 2, 1]


def test_the_last_short_batch_shrinks_by_its_own_size():
    work = Full(1, MemoryError())
    assert list(chain.from_iterable(in_parts(work, 2, size=512, who="x"))) == [0, 1]
    assert work.tried == [2, 1, 1]


def test_a_single_input_that_does_not_fit_is_a_clear_error():
    with pytest.raises(DeviceError, match=r"the model runs out of memory with a single input \(CUDA out of memory"):
        in_parts(Full(0, torch.OutOfMemoryError("CUDA out of memory.\nmore")), 4, size=4, who="the model")


def test_other_errors_are_not_taken_for_memory():
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))
    with pytest.raises(RuntimeError, match="shapes"):
        in_parts(Full(0, RuntimeError("shapes cannot be multiplied")), 4, size=4, who="x")


def test_half_precision_is_for_gpus(monkeypatch):
    assert half_precision(torch.device("cpu")) is half_precision(torch.device("mps")) is None
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert half_precision(GPU) is torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert half_precision(GPU) is torch.float16


def test_nothing_is_cast_on_the_cpu():
    with autocast(torch.device("cpu")):
        assert nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.float32


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_layers_are_cast_on_cuda():
    with autocast(torch.device("cuda")):
        assert nn.Linear(2, 2, device="cuda")(torch.zeros(1, 2, device="cuda")).dtype in (torch.bfloat16, torch.float16)
