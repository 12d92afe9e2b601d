"""Small nets with plausible weights, and what a thief may do to their channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelprint.nn.architectures import cnn, mlp, resnet20, strided

State = dict[str, Tensor]


def strided_state(seed: int, *, width: int = 8, classes: int = 10) -> State:
    """A strided net whose BatchNorms have statistics and factors of their own, some negative."""
    return _settled(lambda: strided(channels=1, size=28, classes=classes, width=width), seed)


def residual_state(seed: int) -> State:
    return _settled(lambda: resnet20(channels=1, size=8, classes=10, width=8), seed)


def mlp_state(seed: int) -> State:
    return _settled(lambda: mlp(channels=1, size=8, classes=10, width=32, depth=3), seed)


def cnn_net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return cnn(channels=1, size=8, classes=10, width=8).eval()


def _settled(build, seed: int) -> State:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = {name: value.clone() for name, value in build().state_dict().items()}
        for name, value in state.items():
            if name.endswith("running_var"):
                state[name] = torch.rand(len(value)) + 0.5
                factors = name.removesuffix("running_var") + "weight"
                state[factors] = torch.randn(len(value)) + 0.5
    return state


def rearranged(state: State, *, seed: int, rescale: bool = True) -> State:
    """A strided net with hidden channels permuted and, where asked for, rescaled: the same function."""
    generator = torch.Generator().manual_seed(seed)
    state = {name: value.clone() for name, value in state.items()}
    order = scale = None
    for name in ("features.0", "features.1", "features.2", "head"):
        key = name + ".0.weight" if name != "head" else "head.weight"
        weight = state[key]
        if order is not None:
            run = weight.shape[1] // len(order)
            columns = (order[:, None] * run + torch.arange(run)).flatten()
            factors = scale.repeat_interleave(run).reshape(1, -1, *[1] * (weight.ndim - 2))
            weight = weight[:, columns] / factors
        if name != "head":
            order = torch.randperm(len(weight), generator=generator)
            scale = torch.exp(torch.randn(len(weight), generator=generator)) if rescale else torch.ones(len(weight))
            weight = weight[order]
            for part in ("weight", "bias", "running_mean", "running_var"):
                state[f"{name}.1.{part}"] = state[f"{name}.1.{part}"][order]
            for part in ("weight", "bias"):
                state[f"{name}.1.{part}"] = state[f"{name}.1.{part}"] * scale
        state[key] = weight
    return state


def noisy(state: State, amount: float, *, seed: int = 0) -> State:
    """Weights with noise, relative to the spread of each tensor."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + amount * value.std() * torch.randn(value.shape, generator=generator) if value.ndim > 1 else value
        for name, value in state.items()
    }
