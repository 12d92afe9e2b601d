"""Training by the owner's own code: `FILE.py:fit`, called as `fit(model, data, *, seed, device, progress)`.

It trains the model in place. What it prints goes to stderr; what it raises, and what it does to the model that it
should not, becomes one clear error.
"""

from __future__ import annotations

import contextlib
import importlib.util
import random
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import ModelError
from modelprint.core.identity import digest_file
from modelprint.core.own_code import running
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.nn.foreign import callable_named
from modelprint.training.loop import Epoch, OnEpoch, TrainReport, as_taken
from modelprint.training.recipes import Recipe


@dataclass(frozen=True, kw_only=True)
class OwnRecipe(Recipe):
    """The owner's own code; it is named on the command line, never by a file.

    Attributes:
        code: `file.py:callable` or `package.module:callable`, as the user wrote it.
        sha256: "sha256:..." of the file; other code under the same name is refused.
    """

    code: str
    sha256: str

    @classmethod
    def named(cls, code: str) -> OwnRecipe:
        """The recipe in a file that is there now.

        Raises:
            ModelError: no such file or module.
        """
        return cls(code=code, sha256=digest_file(_file(code)))

    @property
    def name(self) -> str:
        """The file's name and the callable's."""
        source, _, function = self.code.rpartition(":")
        return f"{Path(source).name if source.endswith('.py') else source}:{function}"

    def card(self) -> dict[str, Any]:
        """The name, and the hash of the file."""
        return {"recipe": self.name, "recipe_sha256": self.sha256}

    def check_unchanged(self) -> None:
        """Refuse code that was edited after it was named.

        Raises:
            ModelError: it has another hash.
        """
        if digest_file(_file(self.code)) != self.sha256:
            raise ModelError(f"recipe {self.code} was changed while it was in use: start again")


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a recipe learns from.

    Attributes:
        stored: the inputs as they are stored (images: uint8 (n, c, h, w)); large sets are read as they are indexed.
        labels: int64 (n,), or float32 (n, classes) where probabilities are taught.
        classes: how many there are.
        device: where batches are put.
        modality: of the inputs; None where they are what the model takes already.
    """

    stored: np.ndarray
    labels: np.ndarray
    classes: int
    device: torch.device
    modality: Modality | None = IMAGE

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pairs of inputs as the model takes them (float32, in [0, 1]) and targets, once each, in an order of the seed.

        A last batch of a single input is left out, of which BatchNorm has no variance.
        """
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).numpy()
        for start in range(0, len(self), size):
            index = order[start : start + size]
            if len(index) == 1 < len(self):
                continue
            inputs = torch.from_numpy(np.ascontiguousarray(self.stored[index]))
            yield (
                as_taken(inputs, self.modality, device=self.device).float(),
                torch.from_numpy(self.labels[index]).to(self.device),
            )


def fit_by_code(
    model: nn.Module,
    data: TrainingData,
    recipe: OwnRecipe,
    *,
    seed: int,
    parameters: Iterable[nn.Parameter] | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainReport:
    """Train a model in place by the owner's code, then put it into evaluation mode.

    Args:
        seed: handed over; the global generators of torch, NumPy and Python are seeded with it and restored.
        parameters: what may move; all else, buffers included, is put back.

    Raises:
        ModelError: the code cannot be imported, raises, or changes the model's layers.
    """
    recipe.check_unchanged()
    device, before = device_of(model), {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}
    kept = None if parameters is None else _Kept(model, list(parameters))
    epochs = 0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal epochs
        epochs = done
        if on_epoch is not None:
            on_epoch(Epoch(number=done, total=total))

    started = time.perf_counter()
    with (
        callable_named(recipe.code) as function,
        _seeded(seed, device),
        torch.enable_grad(),
        contextlib.redirect_stdout(sys.stderr),
    ):
        model.train()
        with running(f"recipe {recipe.code} failed", function=function):
            returned = function(model, data, seed=seed, device=device, progress=progress)
    if isinstance(returned, nn.Module) and returned is not model:
        raise ModelError(
            f"recipe {recipe.code} returned another model: it must train the one that it is given, in place"
        )
    _check_same_layers(model, before, recipe)
    model.to(device).eval()
    if kept is not None:
        kept.put_back()
    seconds = time.perf_counter() - started
    return TrainReport(losses=(), images_per_second=epochs * len(data) / max(seconds, 1e-9), seconds=seconds)


class _Kept:
    """All of a model but some parameters, which alone may move."""

    def __init__(self, model: nn.Module, moving: list[nn.Parameter]) -> None:
        free = {id(parameter) for parameter in moving}
        tensors = [*model.named_parameters(), *model.named_buffers()]
        self.model = model
        self.state = {name: value.detach().clone() for name, value in tensors if id(value) not in free}
        self.frozen = [value for value in model.parameters() if id(value) not in free and value.requires_grad]
        for parameter in self.frozen:
            parameter.requires_grad_(False)

    def put_back(self) -> None:
        for parameter in self.frozen:
            parameter.requires_grad_(True)
        with torch.no_grad():
            for name, value in [*self.model.named_parameters(), *self.model.named_buffers()]:
                if name in self.state:
                    value.copy_(self.state[name])


def _check_same_layers(model: nn.Module, before: dict[str, tuple[torch.Size, torch.dtype]], recipe: OwnRecipe) -> None:
    after = {name: (value.shape, value.dtype) for name, value in model.state_dict().items()}
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        shown = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
        raise ModelError(
            f"recipe {recipe.code} changed the model's layers ({shown}): train the parameters in place, keep names, "
            "shapes and types"
        )


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, the global generators start from the seed; afterwards they go on as if nothing had happened."""
    numbers, python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numbers)
            random.setstate(python)


def _file(code: str) -> Path:
    """The file that holds the code of `file.py:callable` or `package.module:callable`."""
    source, _, function = code.rpartition(":")
    if not source or not function:
        raise ModelError(f"recipe {code!r} names no callable: write path/to/file.py:fit, or use sgd or adamw")
    if source.endswith(".py"):
        path = Path(source)
        if not path.is_file():
            raise ModelError(f"recipe {code}: {path} does not exist: check the spelling and the folder")
        return path
    try:
        spec = importlib.util.find_spec(source)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ModelError(f"recipe {code}: no module {source}: check the spelling, or write path/to/file.py:fit")
    return Path(spec.origin)
