"""Networks as bytes, which can be sent to processes and written to files."""

from __future__ import annotations

import torch
from safetensors.torch import load, save

from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec, build


def state_bytes(model: Normalized) -> bytes:
    """The tensors of a network without its preprocessing, as a safetensors file."""
    state: dict[str, torch.Tensor] = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.body.state_dict().items()
    }
    return save(state)


def network(spec: ModelSpec, state: bytes) -> Normalized:
    """A network with these tensors, in evaluation mode."""
    model = build(spec)
    model.body.load_state_dict(load(state))
    return model.eval()
