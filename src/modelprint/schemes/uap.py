"""UAP: fingerprints by universal adversarial perturbations, read by a contrastive encoder.

Z. Peng, S. Li, G. Chen, C. Zhang, H. Zhu, M. Xue, "Fingerprinting Deep Neural Networks Globally via Universal
Adversarial Perturbations", CVPR 2022.

Differs from the paper:
- Both images of a point are stored in 8 bits, x + v clamped to [0, 1] first: an API takes PNGs.
- The source is of the same class as its surrogates; an encoder that gives it a class of its own pushes it away.
- Vectors are centred on the mean of the shadow models' before they are encoded. What all models of a task have in
  common is most of a vector, and hides the rest from an encoder of few shadow models.
- With labels only, vectors are one-hot, and a second encoder, trained on the shadow models' labels, reads them.
- v is found, points are chosen and the encoder is trained in double precision, so that all comes out again on another
  processor.
- The verdict is a rank among independent models; the paper's test over views is `stats.claims`.
- Of texts, which have no small steps, v is a trigger in front of them (`schemes/uap_trigger.py`).

The perturbation and the points come from the source's training data, as published, not from the enrollment's DATA.
Independent models that learned from the same images are as sure of them as the source is. Where such models calibrate,
the threshold is no lower than independent models of other data need; who calibrates on models of other data only would
call independent models of the same data derived too often.

What labels lose: how sure a model is of a point, and which class comes second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float

from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.modalities.space import Tokens
from modelprint.perturb.precision import Precision, in_precision
from modelprint.perturb.trigger import TriggerSearch
from modelprint.perturb.uap import Ascent, UniversalName
from modelprint.schemes.base import (
    SCHEMES,
    Asker,
    Effort,
    Enrollment,
    Needs,
    Queries,
    Scheme,
    ShadowAnswers,
    State,
)
from modelprint.schemes.published import Published
from modelprint.schemes.uap_encoder import Reading, read, trained_encoder
from modelprint.schemes.uap_perturbation import HELD_OUT, Pairs, learned_shift, shifted_pairs
from modelprint.schemes.uap_points import views_of_points
from modelprint.schemes.uap_report import CRAFTING, PUBLISHED
from modelprint.schemes.uap_trigger import learned_trigger, triggered_pairs
from modelprint.schemes.uap_vectors import fingerprint_vectors, whole_views
from modelprint.training.contrastive import cosines, embed
from modelprint.training.loop import predict


@dataclass(frozen=True, kw_only=True)
class PerturbedQueries(Queries):
    """Queries, with the perturbation that half of them carry.

    Attributes:
        shift: v, of the shape of an input: float32, or of tokens what stands in front.
    """

    shift: np.ndarray


@SCHEMES.register("uap")
@dataclass(frozen=True, kw_only=True)
class Uap(Scheme):
    """Views of n points, each asked without and with v; the cosine of the encoded answers, mean over views.

    Attributes:
        points: n of a view (released code: 200); at most half the budget.
        views: m (paper: 20); with a budget, as many as it holds.
        perturbation: v by gradient ascent (of texts: by greedy search) or DeepFool; "per-sample" (each point's own way
            across the boundary, by DeepFool) and the patterns are controls.
        epsilon: of v, as a share of the range of a coordinate (of texts: of the longest text); none takes the smallest
            of the modality's that fools enough held-out inputs.
        least_fooling: the share of held-out inputs that a learned v must fool (released code: .7).
        images: inputs of the training data that v is learned from.
        encoder: "contrastive", or "none": the cosine of the vectors themselves, a control.
        hidden, width, temperature, rate, batch, steps: of the encoder and its training.
        precision: of all computing; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "uap"
    title: ClassVar[str] = "UAP: universal adversarial perturbations"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are pairs: an input, and the same input with one pattern added (in front of a text: one short string) "
        "that changes the source's class of most inputs.",
        "An encoder, trained on models made from the source and models made without it, turns the answers to a set of "
        "pairs into a vector; the score is the mean cosine between the suspect's and the source's vectors.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction and by adversarial training are mostly missed at a low rate of false accusations.",
        "Independent models that learned from the same data are as sure of them as the source is: without such "
        "models among those that calibrate, they may be accused too often.",
    )
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single"}
    crafting: ClassVar[tuple[Quantity, ...]] = CRAFTING
    published: ClassVar[Published | None] = PUBLISHED
    lost_with_labels: ClassVar[str | None] = (
        "how sure the suspect is of a point, and which class comes second, is lost, and fewer copies are found"
    )
    separable: ClassVar[bool] = False  # views are whole, or not read

    points: int = 200
    views: int = 20
    perturbation: UniversalName | Literal["per-sample"] = "ascent"
    epsilon: float | None = None
    least_fooling: float = 0.7
    images: int = 2000
    encoder: Literal["contrastive", "none"] = "contrastive"
    hidden: int = 50
    width: int = 20
    temperature: float = 0.2
    rate: float = 5e-4
    batch: int = 512
    steps: int = 60
    precision: Precision = "double"

    @property
    def needs(self) -> Needs:
        """Gradients, shadow models, and the source's training data."""
        return Needs(source="gradients", space="continuous", swaps=True, shadows=True, train_images=True)

    def __post_init__(self) -> None:
        if min(self.points, self.views, self.images, self.hidden, self.width, self.batch, self.steps) < 1:
            raise ValueError("points, views, images, hidden, width, batch and steps must be at least 1")
        if self.epsilon is not None and not 0 < self.epsilon <= 1:
            raise ValueError(f"epsilon must lie between 0 and 1, got {self.epsilon}")
        if not (0 <= self.least_fooling <= 1 and self.temperature > 0):
            raise ValueError("least_fooling must lie in [0, 1], temperature above 0")

    def effort(self, context: Enrollment) -> Effort:
        """All strengths of the perturbation that may be tried, each learned by ascent, and the training data."""
        assert context.train_images is not None
        data = context.train_images
        tried = len(data.modality.changes) if self.epsilon is None else 1
        points, views = self.layout(context.budget)
        learned = min(self.images, len(data))
        if isinstance(data.modality.space, Tokens):
            search, longest = TriggerSearch(), data.shape[0]
            places = longest * (sum(data.modality.changes) if self.epsilon is None else self.epsilon)
            asked = search.batch * search.sweeps * places * (search.tried + 1)
            return Effort(
                queries=2 * points * views,
                answers=len(data) + 2.0 * HELD_OUT * tried + asked,
                gradients=search.batch * search.sweeps * places,
                together=search.batch,
            )
        return Effort(
            queries=2 * points * views,
            answers=len(data) + 2.0 * HELD_OUT * tried,
            gradients=float(learned * Ascent().epochs * tried),
            together=min(learned, Ascent().batch),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Views of points of the training data, without and with the perturbation."""
        assert context.train_images is not None
        data = context.train_images
        points, views = self.layout(context.budget)
        context = replace(context, source=in_precision(context.source, self.precision, shape=data.shape))
        pairs_of = self._perturbation(context, generator)
        context.progress("points", 0, 1)
        logits = predict(context.source, torch.from_numpy(data.stored), modality=data.modality).numpy()
        index = views_of_points(logits, points=points, views=views, seed=_drawn(generator))
        context.progress("points", 1, 1)
        pairs = pairs_of(index.reshape(-1))
        pair = pairs.stored.reshape(views, points, 2, *data.shape).swapaxes(1, 2)
        return PerturbedQueries(
            shift=pairs.shift,
            stored=np.ascontiguousarray(pair).reshape(-1, *data.shape),
            labels=np.repeat(data.labels[index][:, None], 2, axis=1).reshape(-1),
            group=np.repeat(np.arange(views), 2 * points),
            columns={"shifted": np.tile(np.repeat(np.arange(2), points), views)},
            report={
                "points": points,
                "views": views,
                "epsilon": pairs.epsilon,
                "fooling_rate": pairs.fooled,
                **pairs.report,
            },
        )

    def _perturbation(self, context: Enrollment, generator: torch.Generator) -> Callable[[np.ndarray], Pairs]:
        """What makes pairs of some of the training data, by their numbers."""
        if isinstance(context.seeds.modality.space, Tokens):
            return partial(triggered_pairs, context, trigger=learned_trigger(self, context, generator))
        return partial(shifted_pairs, self, context, perturbation=learned_shift(self, context, generator))

    def layout(self, budget: int | None) -> tuple[int, int]:
        """Points of a view, and views.

        Raises:
            FingerprintError: the budget holds not one point.
        """
        if budget is None:
            return self.points, self.views
        points = min(self.points, budget // 2)
        if not points:
            raise FingerprintError(f"a budget of {budget} holds no point and its perturbed twin: raise it to 2 or more")
        return points, budget // (2 * points)

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """v, the view of each query, and an encoder for scores and one for labels.

        Raises:
            FingerprintError: an encoder is dead: it gives the source nothing but zeros.
        """
        assert isinstance(queries, PerturbedQueries)
        state = {"group": queries.group, **queries.columns, "shift": queries.shift}
        if self.encoder == "none":
            return state
        readings: tuple[Reading, ...] = get_args(Reading)
        for reading in readings:
            state |= trained_encoder(self, source, shadows, view=queries.group, reading=reading, generator=generator)
        return state

    def similarities(self, state: State, source: Answers, answers: Answers) -> Float[np.ndarray, " m"]:
        """The cosine of the source's and the suspect's embedding of each view; NaN where a point was not answered."""
        assert source.scores is not None
        reading: Reading = "labels" if answers.scores is None else "scores"
        view, classes = state["group"], source.scores.shape[1]
        whole = whole_views(answers.answered, view)
        pair = [fingerprint_vectors(read(model, reading), view, classes)[whole] for model in (source, answers)]
        if self.encoder == "contrastive":
            encoder = {name: state[f"{reading}.{name}"] for name in ("weight-1", "bias-1", "weight-2", "bias-2")}
            pair = [embed(encoder, vectors - state[f"{reading}.centre"]) for vectors in pair]
        similarities = np.full(len(whole), np.nan)
        similarities[whole] = cosines(*pair)
        return similarities

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The mean similarity over the views that were answered whole.

        Raises:
            UnscorableError: there is none.
        """
        similarities = self.similarities(state, source, answers)
        if np.isnan(similarities).all():
            raise UnscorableError(
                f"none of {len(similarities)} views was answered whole: ask the queries that are missing again"
            )
        return float(np.nanmean(similarities))

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """The mean similarity, 0 for each view that was asked and not answered whole: no cosine here is below 0.

        Raises:
            UnscorableError: no view was answered whole.
        """
        if not missing.any():
            return self.score(state, source, answers)
        similarities = self.similarities(state, source, answers)
        silent = whole_views(answers.answered | missing, state["group"]) & np.isnan(similarities)
        if np.isnan(similarities).all():
            raise UnscorableError(f"none of {silent.sum()} views was answered whole: ask the missing queries again")
        return float(np.nanmean(np.where(silent, 0.0, similarities)))

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """Whole views only."""
        group = state["group"]
        if budget is None:
            return Asker(len(group))
        size = int(np.sum(group == 0))
        return Asker(min(len(group), budget // size * size))


def _drawn(generator: torch.Generator) -> int:
    return int(torch.randint(2**31 - 1, (1,), generator=generator))
