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

The perturbation and the points come from the source's training data, as published, not from the enrollment's DATA.
Independent models that learned from the same images are as sure of them as the source is. Where such models calibrate,
the threshold is no lower than independent models of other data need; who calibrates on models of other data only would
call independent models of the same data derived too often.

What labels lose: how sure a model is of a point, and which class comes second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.suspect import Answers
from modelprint.core.unfinished import Unfinished
from modelprint.data.labelled import LabelledSet
from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.perturb.uap import Ascent, UniversalName, fooling_rate, perturbed, universal
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
from modelprint.schemes.published import Overall, Published
from modelprint.schemes.uap_points import views_of_points
from modelprint.schemes.uap_vectors import fingerprint_vectors, whole_views
from modelprint.training.contrastive import EncoderRecipe, cosines, embed, train_encoder
from modelprint.training.loop import predict

HELD_OUT = 2000  # images that the fooling rate is measured on, at most
TWICE_AS_FAR = 1.0  # the overshoot of the per-sample control, whose ways must survive clamping and rounding
Reading = Literal["scores", "labels"]


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """What is added to the points.

    Attributes:
        shift: v, of the shape of an input; zero where every point has a way of its own.
        epsilon: the largest change of a coordinate.
        fooled: the share of held-out images whose label v changes.
    """

    shift: Tensor
    epsilon: float
    fooled: float


@dataclass(frozen=True, kw_only=True)
class PerturbedQueries(Queries):
    """Queries, with the perturbation that half of them carry.

    Attributes:
        shift: v, float32, of the shape of an input.
    """

    shift: np.ndarray


@SCHEMES.register("uap")
@dataclass(frozen=True, kw_only=True)
class Uap(Scheme):
    """Views of n points, each asked without and with v; the cosine of the encoded answers, mean over views.

    Attributes:
        points: n of a view (released code: 200); at most half the budget.
        views: m (paper: 20); with a budget, as many as it holds.
        perturbation: v by gradient ascent or DeepFool; "per-sample" (each point's own way across the boundary, by
            DeepFool) and the patterns are controls.
        epsilon: of v, as a share of the range of a coordinate; none takes the smallest of the modality's that fools
            enough held-out images.
        least_fooling: the share of held-out images that a learned v must fool (released code: .7).
        images: training images that v is learned from.
        encoder: "contrastive", or "none": the cosine of the vectors themselves, a control.
        hidden, width, temperature, rate, batch, steps: of the encoder and its training.
        precision: of all computing; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "uap"
    title: ClassVar[str] = "UAP: universal adversarial perturbations"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are pairs: an input, and the same input with one pattern added that changes the source's class of "
        "most inputs.",
        "An encoder, trained on models made from the source and models made without it, turns the answers to a set of "
        "pairs into a vector; the score is the mean cosine between the suspect's and the source's vectors.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction and by adversarial training are mostly missed at a low rate of false accusations.",
        "Independent models that learned from the same images are as sure of them as the source is: without such "
        "models among those that calibrate, they may be accused too often.",
    )
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single"}
    published: ClassVar[Published | None] = Published(
        name="UAP",
        overall={
            "CIFAR-10": Overall(tpr_at_1=0.76, tpr_at_10=0.78, auc=0.91),
            "CIFAR-100": Overall(tpr_at_1=0.77, tpr_at_10=0.83, auc=0.92),
            "ImageNet": Overall(tpr_at_1=0.46, tpr_at_10=0.56, auc=0.85),
        },
        detection={
            "FTLL": 0.958,
            "FTAL": 0.954,
            "RTLL": 0.944,
            "RTAL": 0.719,
            "prune 20 %": 0.946,
            "prune 40 %": 0.934,
            "prune 80 %": 0.634,
            "adversarial .001": 0.513,
            "adversarial .01": 0.348,
            "adversarial .1": 0.402,
            "independent SAST": 0.412,
            "independent SADT": 0.382,
            "independent DAST": 0.323,
            "independent DADT": 0.313,
        },
        f1={
            "PRADA": {"CIFAR-100": 0.85, "ImageNet": 0.72},
            "Knockoff": {"CIFAR-100": 0.87, "ImageNet": 0.75},
            "HL": {"CIFAR-100": 0.51, "ImageNet": 0.44},
        },
    )
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
        return Needs(source="gradients", space="continuous", shadows=True, train_images=True)

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
        perturbation = self._perturbation(context, generator)
        context.progress("points", 0, 1)
        modality = data.modality
        logits = predict(context.source, torch.from_numpy(data.stored), modality=modality).numpy()
        index = views_of_points(logits, points=points, views=views, seed=_drawn(generator))
        context.progress("points", 1, 1)
        clean = self._unit(data, index.reshape(-1), context.source)
        if self.perturbation == "per-sample":
            ways = torch.cat([deepfool(context.source, part, overshoot=TWICE_AS_FAR).shift for part in _batches(clean)])
            shifted = perturbed(clean, ways, modality.box)
            fooled = fooling_rate(context.source, clean, ways, modality=modality)
        else:
            shifted, fooled = perturbed(clean, perturbation.shift, modality.box), perturbation.fooled
        pair = torch.stack([part.reshape(views, points, *data.shape) for part in (clean, shifted)], dim=1)
        return PerturbedQueries(
            shift=perturbation.shift.float().cpu().numpy(),
            stored=modality.to_stored(pair.reshape(-1, *data.shape)).cpu().numpy(),
            labels=np.repeat(data.labels[index][:, None], 2, axis=1).reshape(-1),
            group=np.repeat(np.arange(views), 2 * points),
            columns={"shifted": np.tile(np.repeat(np.arange(2), points), views)},
            report={"points": points, "views": views, "epsilon": perturbation.epsilon, "fooling_rate": fooled},
        )

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

    def _perturbation(self, context: Enrollment, generator: torch.Generator) -> Perturbation:
        """The first epsilon that fools enough, and v; controls take that epsilon, too, and are comparable."""
        assert context.train_images is not None
        data = context.train_images
        held_out = self._unit(context.seeds, np.arange(min(HELD_OUT, len(context.seeds))), context.source)
        drawn = torch.randperm(len(data), generator=generator)[: self.images].numpy()
        images = self._unit(data, drawn, context.source)
        learned: UniversalName = "deepfool" if self.perturbation == "deepfool" else "ascent"
        modality = data.modality
        tried = modality.changes if self.epsilon is None else (self.epsilon * modality.box.span,)
        best: Perturbation | None = None
        for number, epsilon in enumerate(tried):
            context.progress("perturbation", number, len(tried))
            shift = _universal(
                learned, context, images, epsilon=epsilon, generator=generator, unfinished=context.unfinished
            )
            best = Perturbation(
                shift=shift, epsilon=epsilon, fooled=fooling_rate(context.source, held_out, shift, modality=modality)
            )
            if best.fooled >= self.least_fooling:
                break
        context.progress("perturbation", len(tried), len(tried))
        assert best is not None
        if best.fooled < self.least_fooling:
            raise FingerprintError(
                f"v of up to {best.epsilon:.3f} changes the label of {best.fooled:.1%} of held-out images, fewer than "
                f"{self.least_fooling:.0%}: set epsilon higher, or least_fooling lower"
            )
        if self.perturbation in ("ascent", "deepfool"):
            return best
        kind: UniversalName = "zero" if self.perturbation == "per-sample" else self.perturbation
        shift = _universal(kind, context, images, epsilon=best.epsilon, generator=generator, unfinished=Unfinished())
        fooled = fooling_rate(context.source, held_out, shift, modality=modality)
        return Perturbation(shift=shift, epsilon=best.epsilon, fooled=fooled)

    def _unit(self, data: LabelledSet, index: np.ndarray, source: nn.Module) -> Tensor:
        """Some inputs as points, where the source lies."""
        return data.modality.to_model(data.stored[index], device=device_of(source), dtype=DTYPES[self.precision])

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
            state |= self._encoder(queries.group, source, shadows, generator, reading)
        return state

    def _encoder(
        self,
        view: np.ndarray,
        source: Answers,
        shadows: ShadowAnswers,
        generator: torch.Generator,
        reading: Reading,
    ) -> dict[str, np.ndarray]:
        assert source.scores is not None
        classes = source.scores.shape[1]

        def stacked(models: Sequence[Answers]) -> np.ndarray:
            return np.concatenate([fingerprint_vectors(_read(model, reading), view, classes) for model in models])

        positive, negative = stacked([source, *shadows.surrogates]), stacked(shadows.references)
        vectors = np.concatenate([positive, negative])
        centre = vectors.mean(0)
        recipe = EncoderRecipe(
            hidden=self.hidden,
            width=self.width,
            temperature=self.temperature,
            rate=self.rate,
            batch=self.batch,
            steps=self.steps,
            precision=self.precision,
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

    def similarities(self, state: State, source: Answers, answers: Answers) -> Float[np.ndarray, " m"]:
        """The cosine of the source's and the suspect's embedding of each view; NaN where a point was not answered."""
        assert source.scores is not None
        reading: Reading = "labels" if answers.scores is None else "scores"
        view, classes = state["group"], source.scores.shape[1]
        whole = whole_views(answers.answered, view)
        pair = [fingerprint_vectors(_read(model, reading), view, classes)[whole] for model in (source, answers)]
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


def _read(answers: Answers, reading: Reading) -> Answers:
    return answers if reading == "scores" else Answers(labels=answers.labels)


def _universal(
    kind: UniversalName,
    context: Enrollment,
    points: Tensor,
    *,
    epsilon: float,
    generator: torch.Generator,
    unfinished: Unfinished,
) -> Tensor:
    name = f"{kind} of epsilon {epsilon!r}"
    loop = unfinished.loop("perturbation", name, generator=generator)

    def compute() -> dict[str, np.ndarray]:
        shift = universal(kind).find(
            context.source,
            points,
            epsilon=epsilon,
            generator=generator,
            space=context.seeds.modality.box,
            loop=loop,
        )
        return {"shift": shift.cpu().numpy()}

    shift = unfinished.piece(name, compute, generator=generator)["shift"]
    return torch.from_numpy(shift.copy()).to(points)


def _batches(images: Tensor) -> tuple[Tensor, ...]:
    return torch.split(images, 256)


def _drawn(generator: torch.Generator) -> int:
    return int(torch.randint(2**31 - 1, (1,), generator=generator))
