"""Whether a training did anything: a model that is no better than chance on its own data is an error, not a result."""

from __future__ import annotations

import math

import numpy as np
from scipy import special
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.batches import images_at_once
from modelprint.core.errors import ModelError
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.training.loop import predict

MOST = 2_000  # inputs that are asked
FEWEST = 200  # with fewer, a short training cannot be told from none
_VALUES = 2**28  # numbers of the inputs that are asked
_SURE = 0.05  # a model without skill gets more right than chance with this probability at most


def check_trained(
    model: nn.Module, images: Tensor, targets: Tensor, *, classes: int, modality: Modality | None = IMAGE
) -> None:
    """Refuse a model that answers its own training data no better than the most frequent class would.

    Args:
        model: in evaluation mode.
        targets: labels (n,), or probabilities (n, classes), of which the largest counts.
        modality: of the inputs; None where they are what the model takes already.

    Raises:
        ModelError: its outputs are not (n, classes) or not finite, or its accuracy is chance's; the message has both.
    """
    most = images_at_once(images.shape[1:], most=MOST, values=_VALUES)
    index = np.unique(np.linspace(0, len(images) - 1, min(len(images), max(FEWEST, most))).astype(int))
    logits = predict(model, images[index], modality=modality).float()
    labels = targets[index].argmax(1) if targets.ndim == 2 else targets[index]
    if logits.ndim != 2 or logits.shape[1] != classes:
        raise ModelError(
            f"the recipe left a model whose outputs have shape {tuple(logits.shape)} for {len(index)} inputs: expected "
            f"({len(index)}, {classes})"
        )
    loss = float(functional.cross_entropy(logits, labels))
    right = int((logits.argmax(1) == labels).sum())
    chance = max(1 / classes, float(labels.bincount(minlength=classes).max()) / len(labels))
    if not math.isfinite(loss) or _is_chance(right, len(labels), chance):
        raise ModelError(
            f"the recipe did not train: loss {loss:.4g}, accuracy {right / len(labels):.1%} on its own data, chance "
            f"{chance:.1%}: look at its learning rate and its epochs"
        )


def _is_chance(right: int, count: int, chance: float) -> bool:
    """Whether so many right answers are what chance gives; of few inputs nobody can tell.

    >>> _is_chance(62, 600, 0.1), _is_chance(120, 600, 0.1), _is_chance(300, 300, 1.0), _is_chance(2, 20, 0.1)
    (True, False, False, False)
    """
    if count < FEWEST or chance >= 1.0:
        return False
    return bool(special.bdtrc(right - 1, count, chance) > _SURE)
