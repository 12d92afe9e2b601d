"""The encoder of UAP: what tells models that are made from the source from independent ones, by their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.schemes.base import ShadowAnswers
from modelprint.schemes.uap_vectors import fingerprint_vectors
from modelprint.training.contrastive import EncoderRecipe, embed, train_encoder

if TYPE_CHECKING:
    from modelprint.schemes.uap import Uap

Reading = Literal["scores", "labels"]


def trained_encoder(
    scheme: Uap,
    source: Answers,
    shadows: ShadowAnswers,
    *,
    view: np.ndarray,
    reading: Reading,
    generator: torch.Generator,
) -> dict[str, np.ndarray]:
    """The weights of an encoder, and the centre of the vectors that it reads, named by the reading.

    Args:
        view: of each query.
        reading: what of the answers the vectors are made of.

    Raises:
        FingerprintError: the encoder is dead: it gives the source nothing but zeros.
    """
    assert source.scores is not None
    classes = source.scores.shape[1]

    def stacked(models: Sequence[Answers]) -> np.ndarray:
        return np.concatenate([fingerprint_vectors(read(model, reading), view, classes) for model in models])

    positive, negative = stacked([source, *shadows.surrogates]), stacked(shadows.references)
    vectors = np.concatenate([positive, negative])
    centre = vectors.mean(0)
    recipe = EncoderRecipe(
        hidden=scheme.hidden,
        width=scheme.width,
        temperature=scheme.temperature,
        rate=scheme.rate,
        batch=scheme.batch,
        steps=scheme.steps,
        precision=scheme.precision,
    )
    from_source = np.repeat([1, 0], [len(positive), len(negative)])
    encoder = train_encoder(vectors - centre, from_source, recipe, generator=generator)
    own = embed(encoder, positive[: int(view.max()) + 1] - centre)
    if not np.all(own.any(axis=1)):
        raise FingerprintError(
            f"the encoder is dead: it gives {np.sum(~own.any(axis=1))} of {len(own)} views of the source nothing "
            "but zeros, which have no direction: use another --seed, or set width or hidden higher"
        )
    return {f"{reading}.{name}": array for name, array in {**encoder, "centre": centre.astype(np.float32)}.items()}


def read(answers: Answers, reading: Reading) -> Answers:
    """Answers with their scores, or with labels alone."""
    return answers if reading == "scores" else Answers(labels=answers.labels)
