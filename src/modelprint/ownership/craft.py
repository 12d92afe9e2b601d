"""Queries, the source's answers and the scheme's state: what enrolling makes before any calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from modelprint.core.suspect import Answers, answers_from_scores
from modelprint.nn.refs import ModelRef
from modelprint.ownership.expect import expecting, with_views
from modelprint.schemes.base import Enrollment, Queries, Scheme, ShadowAnswers, State
from modelprint.training.loop import predict


@dataclass(frozen=True, kw_only=True)
class Crafted:
    """A fingerprint's heart.

    Attributes:
        source: its answers to every query, with scores.
        state: named arrays that scoring needs.
    """

    queries: Queries
    source: Answers
    state: State


def craft(scheme: Scheme, context: Enrollment, *, seed: int) -> Crafted:
    """Craft queries, ask the source and the shadow models, fit the scheme's state.

    Raises:
        FingerprintError: the scheme needs shadow models or training images that the context lacks, or can make no
            fingerprint of this model.
    """
    modality = context.seeds.modality
    if scheme.expect:
        context = replace(
            context,
            surrogates=with_views(scheme, context.surrogates, modality),
            references=with_views(scheme, context.references, modality),
            reference_copies=with_views(scheme, context.reference_copies, modality),
        )
    generator = torch.Generator().manual_seed(seed)
    queries = expecting(scheme, context, generator) if scheme.expect else scheme.craft(context, generator)
    stored = torch.from_numpy(queries.stored)

    def ask(model: nn.Module, who: str) -> Answers:
        return answers_from_scores(predict(model, stored, modality=modality).numpy(), who=who)

    def scores_of(model: ModelRef, who: str) -> dict[str, np.ndarray]:
        with context.opened(model) as module:
            scores = ask(module, who).scores
        assert scores is not None
        return {"scores": scores}

    def ask_all(models: Sequence[ModelRef], who: str) -> tuple[Answers, ...]:
        kept = [
            context.unfinished.piece(f"what {who} {number} says", partial(scores_of, model, who))
            for number, model in enumerate(models)
        ]
        return tuple(answers_from_scores(one["scores"], who=who) for one in kept)

    source = ask(context.source, "the source")
    shadows = (
        ShadowAnswers(
            surrogates=ask_all(context.surrogates, "a surrogate"),
            references=ask_all(context.references, "a reference model"),
            reference_copies=ask_all(context.reference_copies, "a copy of a reference model"),
        )
        if scheme.needs.learns
        else ShadowAnswers()
    )
    return Crafted(queries=queries, source=source, state=scheme.fit(queries, source, shadows, generator))
