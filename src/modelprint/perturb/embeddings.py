"""The embedding of a model that looks tokens up, and what other tokens would change in first order.

J. Ebrahimi, A. Rao, D. Lowd, D. Dou, "HotFlip: White-Box Adversarial Examples for Text Classification", ACL 2018, Eq.
2: the gain of a token in place of another is the gradient at the place times the difference of their embeddings.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def embedding_of(model: nn.Module) -> nn.Embedding | None:
    """The first embedding of a model; None where it has none."""
    return next((module for module in model.modules() if isinstance(module, nn.Embedding)), None)


def byte_embedding(model: nn.Module, taken: Int[Tensor, "n length"]) -> bool:
    """Whether a model looks each token of an input up in an embedding, place by place.

    Args:
        taken: inputs as the model takes them.
    """
    embedding = embedding_of(model)
    if embedding is None:
        return False
    asked: list[Tensor] = []
    handle = embedding.register_forward_hook(lambda _, given, __: asked.append(given[0]))
    try:
        with torch.inference_mode():
            model(taken)
    finally:
        handle.remove()
    return len(asked) == 1 and asked[0].shape == taken.shape and bool((asked[0] == taken).all())


def token_slopes(
    model: nn.Module,
    embedding: nn.Embedding,
    taken: Int[Tensor, "n length"],
    aim: Callable[[Float[Tensor, "n classes"]], Float[Tensor, ""]],
) -> Float[Tensor, "n length tokens"]:
    """The gradient of an aim at each place, times the embedding of each token.

    The difference of two tokens at a place is what the aim gains, in first order, if the one stands there in place of
    the other.

    Args:
        embedding: of the model, which must hold a row for each token.
        taken: inputs as the model takes them.
        aim: of the logits.
    """
    shown: list[Tensor] = []

    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        shown.append(output.detach().requires_grad_())
        return shown[-1]

    handle = embedding.register_forward_hook(keep)
    try:
        with torch.inference_mode(mode=False), torch.enable_grad():
            gradient = torch.cat(torch.autograd.grad(aim(model(taken)), shown))  # a model may take some at a time
    finally:
        handle.remove()
    slopes: Tensor = gradient @ embedding.weight.detach().T
    return slopes
