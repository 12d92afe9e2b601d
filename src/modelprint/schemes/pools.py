"""Both pools of shadow models, open at once: for schemes that follow the gradients or the scores of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import Precision, in_precision
from modelprint.schemes.base import Enrollment


@dataclass(frozen=True, kw_only=True)
class Pools:
    """Models in evaluation mode, in the precision of the walk, without gradients of their parameters.

    Attributes:
        source: the owner's model.
        surrogates, references: models made from it, and models independent of it.
    """

    source: nn.Module
    surrogates: tuple[nn.Module, ...]
    references: tuple[nn.Module, ...]


@contextmanager
def opened_pools(context: Enrollment, precision: Precision) -> Iterator[Pools]:
    """The source and all its shadow models, for the length of a `with` block."""
    shape = context.seeds.shape
    with ExitStack() as stack:

        def ready(model: nn.Module) -> nn.Module:
            return stack.enter_context(frozen(in_precision(model, precision, shape=shape)))

        surrogates, references = (
            tuple(ready(stack.enter_context(context.opened(model))) for model in side)
            for side in (context.surrogates, context.references)
        )
        yield Pools(source=ready(context.source), surrogates=surrogates, references=references)


def agreements(
    context: Enrollment, stored: np.ndarray | Tensor, labels: Int[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, "s n"], Bool[np.ndarray, "r n"]]:
    """Whether each surrogate, and each reference model, gives these labels; each model is opened on its own."""
    surrogates, references = (
        np.stack([context.labels_by(model, stored) == labels for model in side])
        for side in (context.surrogates, context.references)
    )
    return surrogates, references


def drawn(models: Sequence[nn.Module], count: int, generator: torch.Generator) -> list[nn.Module]:
    """Some of the models, each at most once."""
    return [models[number] for number in torch.randperm(len(models), generator=generator)[:count].tolist()]


def margin(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """The logit of a class less the highest other one.

    >>> margin(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0]))
    tensor([1.])
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    return own - logits.scatter(1, labels[:, None], -torch.inf).amax(1)
