"""How alike the weights of two networks are, from sketches that are small enough to keep one of every model.

Names of tensors do not count: files of one model may name them otherwise. On Fashion-MNIST (490 models), the relative
distance of models that were trained apart is 1.31 or more; of siblings .167 or more; of a model saved again, also in
float16 or bfloat16, at most .002 (`research/studies/likeness.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from modelprint.core.identity import digest_json

SAMPLE = 16_384  # numbers of a model that are kept: 64 KiB
LEAST_SHARED = 0.5  # of the numbers of the larger model, that must have a counterpart of the same shape
SAME_WEIGHTS = 0.003  # the relative distance up to which no tensor differs by more than its number format


@dataclass(frozen=True, kw_only=True)
class WeightSketch:
    """A sample of a network's weights.

    Attributes:
        values: SHA-256 over the values of all tensors, rounded to float16, whatever their names, order and format.
        names, shapes: of the tensors, in the network's order.
        samples: float32, of each tensor: its numbers at places whose order depends on its size alone, all of them or
            the first.
    """

    values: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    samples: tuple[Float[np.ndarray, " k"], ...]

    @cached_property
    def numbers(self) -> Int[np.ndarray, " tensors"]:
        """How many numbers each tensor has that counts in the distance: matrices and filters, where there are any."""
        sizes = np.array([np.prod(shape, dtype=np.int64) for shape in self.shapes])
        matrices = np.array([len(shape) >= 2 for shape in self.shapes])
        return np.where(matrices, sizes, 0) if matrices.any() else sizes

    @cached_property
    def flat(self) -> Float[np.ndarray, " k"]:
        """The samples that count, each weighed by the numbers that it stands for."""
        weighed = [
            sample * np.sqrt(number / len(sample)) for sample, number in zip(self.samples, self.numbers, strict=True)
        ]
        return np.concatenate(weighed).astype(np.float32)

    @cached_property
    def length(self) -> float:
        """The length of the vector of all numbers that count, estimated from the sample."""
        return float(np.linalg.norm(self.flat))


@dataclass(frozen=True, kw_only=True)
class WeightDistance:
    """How far two networks are apart, relative to the length of their weights: 0 equal, 1.4 unrelated.

    Attributes:
        overall: over all matrices and filters.
        worst: of the tensor that differs most.
    """

    overall: float
    worst: float

    @property
    def same(self) -> bool:
        """Whether the two are one network, up to the number format of a file."""
        return self.worst <= SAME_WEIGHTS


def sketch_of(module: nn.Module) -> WeightSketch | None:
    """A sketch of a network; None of one without weights."""
    state = {
        name: tensor.detach()
        for name, tensor in module.state_dict().items()
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.numel() > 1
    }
    if not state:
        return None
    quota = max(1, SAMPLE // len(state))
    return WeightSketch(
        values=_values_identity(state.values()),
        names=tuple(state),
        shapes=tuple(tuple(tensor.shape) for tensor in state.values()),
        samples=tuple(_sample(tensor, quota) for tensor in state.values()),
    )


def weight_distance(one: WeightSketch, other: WeightSketch) -> WeightDistance | None:
    """The distance of two networks; None where less than half of their numbers have counterparts of the same shape."""
    if one.shapes == other.shapes:
        in_order = list(range(len(one.shapes)))
        overall = _relative(one.flat, other.flat, one.length, other.length)
        if one.names == other.names or overall < 1:
            return WeightDistance(overall=overall, worst=_worst(one, other, list(zip(in_order, in_order, strict=True))))
    shared = _shared(one, other)
    if shared < LEAST_SHARED * max(int(one.numbers.sum()), int(other.numbers.sum())) or not shared:
        return None
    pairs = _matched(one, other)
    squares = [_squares(one, other, pair) for pair in pairs]
    apart, mine, theirs = (sum(column) for column in zip(*squares, strict=True))
    overall = float(np.sqrt(apart / np.sqrt(mine * theirs))) if mine and theirs else float(np.sqrt(2))
    whole = len(pairs) == len(one.shapes) == len(other.shapes)
    return WeightDistance(overall=overall, worst=_worst(one, other, pairs) if whole else max(overall, 1.0))


def _values_identity(tensors: object) -> str:
    rounded = []
    for tensor in tensors:  # type: ignore[attr-defined]
        half = tensor.cpu().to(torch.float16).contiguous().numpy() + np.float16(0)  # -0 is 0
        rounded.append([list(half.shape), hashlib.sha256(half.tobytes()).hexdigest()])
    return digest_json(sorted(rounded))


def _sample(tensor: Tensor, quota: int) -> np.ndarray:
    numbers = tensor.reshape(-1)
    places = torch.from_numpy(_places(len(numbers), quota)).to(numbers.device)
    sample: np.ndarray = numbers[places].cpu().float().numpy()
    return sample


def _places(size: int, quota: int) -> np.ndarray:
    """Places in a tensor of this size; a smaller quota gets the first of those of a larger one."""
    draw = np.random.default_rng(size)
    return draw.permutation(size)[:quota] if size <= SAMPLE else draw.integers(0, size, size=quota)


def _both(one: WeightSketch, other: WeightSketch, pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What both sketches hold of two tensors of the same shape."""
    mine, theirs = one.samples[pair[0]], other.samples[pair[1]]
    common = min(len(mine), len(theirs))
    return mine[:common], theirs[:common]


def _relative(mine: np.ndarray, theirs: np.ndarray, length: float, other_length: float) -> float:
    if not length or not other_length:
        return 0.0 if length == other_length else float(np.sqrt(2))
    return float(np.linalg.norm(mine - theirs) / np.sqrt(length * other_length))


def _worst(one: WeightSketch, other: WeightSketch, pairs: list[tuple[int, int]]) -> float:
    distances = []
    for pair in pairs:
        mine, theirs = _both(one, other, pair)
        distances.append(_relative(mine, theirs, float(np.linalg.norm(mine)), float(np.linalg.norm(theirs))))
    return max(distances)


def _apart(one: WeightSketch, other: WeightSketch, pair: tuple[int, int]) -> float:
    mine, theirs = _both(one, other, pair)
    return float(np.linalg.norm(mine - theirs))


def _squares(one: WeightSketch, other: WeightSketch, pair: tuple[int, int]) -> tuple[float, float, float]:
    mine, theirs = _both(one, other, pair)
    weight = int(one.numbers[pair[0]]) / len(mine)
    return (
        weight * float(((mine - theirs) ** 2).sum()),
        weight * float((mine**2).sum()),
        weight * float((theirs**2).sum()),
    )


def _shared(one: WeightSketch, other: WeightSketch) -> int:
    """How many numbers of a model have a counterpart of the same shape."""
    theirs, sizes = Counter(other.shapes), dict(zip(one.shapes, one.numbers.tolist(), strict=True))
    return sum(min(count, theirs[shape]) * sizes[shape] for shape, count in Counter(one.shapes).items())


def _matched(one: WeightSketch, other: WeightSketch) -> list[tuple[int, int]]:
    """Tensors of the same shape, so paired that they are the least apart."""
    from scipy.optimize import linear_sum_assignment

    pairs: list[tuple[int, int]] = []
    for shape in dict.fromkeys(one.shapes):
        mine = [place for place, same in enumerate(one.shapes) if same == shape]
        theirs = [place for place, same in enumerate(other.shapes) if same == shape]
        if theirs:
            apart = np.array([[_apart(one, other, (a, b)) for b in theirs] for a in mine])
            rows, columns = linear_sum_assignment(apart)
            pairs += [(mine[row], theirs[column]) for row, column in zip(rows, columns, strict=True)]
    return sorted(pairs)
