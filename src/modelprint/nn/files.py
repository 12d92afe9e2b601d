"""`.safetensors` files that carry their architecture and how they came to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from safetensors.torch import save

from modelprint.core.files import write_bytes
from modelprint.core.identity import canonical_json
from modelprint.core.records import Record
from modelprint.nn.architectures import Normalized
from modelprint.nn.spec import ModelSpec
from modelprint.nn.vocabularies import as_it_reads

METADATA_KEY = "modelprint"


class ModelCard(Record):
    """What a file written by modelprint says about itself.

    Attributes:
        recipe: how it was made: data, seed, training recipe, attack ...
        accuracy: on the holdout of its data, where measured.
    """

    schema_version: Literal[1] = 1
    spec: ModelSpec
    recipe: dict[str, Any] = Field(default_factory=dict)
    accuracy: float | None = None


def save_model(path: Path, model: Normalized, card: ModelCard, *, dtype: torch.dtype = torch.float32) -> None:
    """Write weights and card, atomically."""
    write_bytes(path, model_bytes(model, card, dtype=dtype))


def model_bytes(model: Normalized, card: ModelCard, *, dtype: torch.dtype = torch.float32) -> bytes:
    """The contents of a `.safetensors` file: weights and card."""
    state = {
        name: (tensor.detach().cpu().to(dtype) if tensor.is_floating_point() else tensor.detach().cpu()).contiguous()
        for name, tensor in model.body.state_dict().items()
    }
    card = card.model_copy(update={"spec": as_it_reads(card.spec, model)})
    metadata = {METADATA_KEY: canonical_json(card.model_dump(mode="json")).decode()}
    data: bytes = save(state, metadata=metadata)
    return data


def parse_card(metadata: dict[str, str]) -> ModelCard | None:
    """The card in a safetensors header; None when modelprint did not write it."""
    text = metadata.get(METADATA_KEY)
    return None if text is None else ModelCard.model_validate(json.loads(text))
