"""A source that gives no gradients: a file that is asked in a confined child, as a network that schemes can ask.

Schemes that choose among inputs (akh, fbi, sac, and others where reference models are named) need no more than
answers. Those that walk along gradients refuse such a source, as any that lets none through.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from modelprint.core.access import Access
from modelprint.core.errors import LabelsOnlyError, ModelError
from modelprint.core.suspect import Suspect
from modelprint.data.labelled import LabelledSet
from modelprint.modalities.base import Modality
from modelprint.nn.kinds import kind_of
from modelprint.nn.loading import LoadedModel
from modelprint.nn.options import ModelOptions
from modelprint.suspects.options import SuspectOptions
from modelprint.training.classes import Opened, matched, open_for

OF_TYPES = ", with types of scikit-learn, NumPy and SciPy alone"
SMALLEST = 1e-12  # a probability of 0 has no logarithm
SOURCES = frozenset({"skops", "onnx"})  # kinds of file that are asked, and may be sources


class AskedSource(nn.Module):
    """Answers of a suspect as logits: the logarithms of its probabilities.

    Args:
        suspect: gives scores.
        modality: of its inputs.
    """

    def __init__(self, suspect: Suspect, modality: Modality) -> None:
        super().__init__()
        self.suspect = suspect
        self.modality = modality
        self.register_buffer("identity", torch.tensor(list(bytes.fromhex(suspect.identity.rpartition(":")[2]))))
        self.place = nn.Parameter(torch.zeros(0), requires_grad=False)
        self.eval()

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """The same child is asked."""
        return copy.copy(self)

    def forward(self, points: Tensor) -> Float[Tensor, "n classes"]:
        """Logits, float32, of inputs as models take them; they are rounded to what is stored first."""
        stored = self.modality.to_stored(points.detach()).cpu().numpy()
        answers = self.suspect.ask(stored, access=Access.SCORES)
        assert answers.scores is not None
        shares = answers.probabilities(answers.scores.shape[1])
        logarithms = np.log(np.maximum(shares, SMALLEST))
        return torch.from_numpy(logarithms.astype(np.float32)).to(points.device)


def open_source(
    data: LabelledSet, reference: str | Path, options: ModelOptions, *, device: str | torch.device = "cpu"
) -> Opened:
    """A model that is to be enrolled, for these data; a file of skops or ONNX is asked in a child.

    Raises:
        ModelError: as `open_model`; or a file of skops that holds other types than scikit-learn's, NumPy's and
            SciPy's, or gives labels alone.
        DataError: as `open_for`.
    """
    path = Path(reference)
    kind = kind_of(path)
    if kind not in SOURCES:
        return open_for(data, reference, options, device=device)
    from modelprint.suspects.open import open_suspect

    asked = SuspectOptions(class_names=data.class_names, input_shape=data.shape, modality=data.modality, model=options)
    suspect = open_suspect(str(path), asked)
    try:
        suspect.ask(data.stored[:1], access=Access.SCORES)
    except LabelsOnlyError as error:
        raise ModelError(
            f"{path} gives labels alone: a source must give probabilities; save a model that has predict_proba"
        ) from error
    model = LoadedModel(
        module=AskedSource(suspect, data.modality),
        identity=suspect.identity,
        spec=None,
        card=None,
        path=path,
        notes=(
            f"{path}: loaded and asked in a confined process{OF_TYPES if kind == 'skops' else ''}; it gives no "
            "gradients: choose akh, fbi or sac",
        ),
    )
    return matched(data, model, classes=data.classes)
