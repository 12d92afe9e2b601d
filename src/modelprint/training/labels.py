"""Top-1 labels that are the same on every processor: where single precision is too close to call, double decides."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from modelprint.core.errors import FingerprintError
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.perturb.precision import in_precision
from modelprint.training.loop import predict

CLOSE = 1e-3  # of the larger logit, or of 1: far more than rounding in single precision amounts to


def labels_of(model: nn.Module, inputs: np.ndarray | Tensor, *, modality: Modality = IMAGE) -> Int[np.ndarray, " n"]:
    """The labels of stored inputs; what enrolling chooses by them comes out again elsewhere.

    The model must be in evaluation mode.
    """
    shown = torch.as_tensor(inputs)
    return settled(model, shown, predict(model, shown, modality=modality), modality=modality)


def settled(
    model: nn.Module, inputs: Tensor, logits: Float[Tensor, "n classes"], *, modality: Modality = IMAGE
) -> Int[np.ndarray, " n"]:
    """The labels by what a model said, the close ones asked again; a model that has no doubles keeps its word."""
    labels = logits.argmax(1)
    if logits.shape[1] > 1:
        first, second = logits.topk(2, dim=1).values.T
        close = torch.nonzero(first - second <= CLOSE * first.abs().clamp(min=1))[:, 0]
        if len(close):
            with suppress(FingerprintError):
                double = in_precision(model, "double", shape=tuple(inputs.shape[1:]))
                labels[close] = predict(double, inputs[close], modality=modality).argmax(1)
    return labels.numpy()
