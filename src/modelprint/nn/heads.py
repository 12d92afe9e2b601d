"""The layer that answers: the last linear one, which fine-tuning of the last layer moves and other classes replace."""

from __future__ import annotations

from torch import nn

from modelprint.core.errors import ModelError
from modelprint.nn.architectures import Net, Normalized


def head_of(model: Normalized) -> nn.Linear:
    """The last linear layer: what fine-tuning of the last layer moves and re-training resets.

    Raises:
        ModelError: there is none.
    """
    if isinstance(model.body, Net):
        return model.body.head
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ModelError("the model has no linear layer: attacks on the last layer need one")
    return linear[-1]
