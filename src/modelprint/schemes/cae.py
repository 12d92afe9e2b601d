"""CAE: conferrable adversarial examples.

N. Lukas, Y. Zhang, F. Kerschbaum, "Deep Neural Network Fingerprinting by Conferrable Adversarial Examples", ICLR 2021,
section 4.

Differs from the paper:
- Surrogates are of every kind, fine-tuned and pruned ones, too; as many surrogates and reference models as there are
  (paper: 14 to 18 of each).
- The first term looks at classes other than the start's only, and the other two weigh less: with all three alike, no
  point of 64 left its class on the fashion zoo, since -H(M(x0), M(x')) has no slope at x0 and the third term holds it
  there. Fewer and longer steps of Adam, to the same end.
- The loss is that of the point as an 8-bit image. Dropout is drawn anew for each step, for a whole batch.
- The descent is in double precision, so that it comes out again on another processor.
- Where too few points reach the least conferrability, the most conferrable of the others that most surrogates follow
  and most references do not are taken; the report says how many of each there are.
- The verdict is a rank among independent models, not a threshold of .75.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from modelprint.core.errors import FingerprintError
from modelprint.core.identity import digest_arrays
from modelprint.core.suspect import Answers
from modelprint.core.unfinished import LoopState
from modelprint.perturb.descent import descend
from modelprint.perturb.evaluate import frozen
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.published import Overall, Published
from modelprint.stats.labels import hamming_distance
from modelprint.training.labels import labels_of

BATCH = 128
FLOOR = 0.25  # half of the surrogates follow, half of the references do not


@SCHEMES.register("cae")
@dataclass(frozen=True, kw_only=True)
class Cae(Scheme):
    """Points that carry their label over to surrogates of the source, but not to reference models.

    Attributes:
        queries: how many, where no budget says otherwise.
        epsilon: the largest change of a pixel (paper: .15 mainly; .01 to .16).
        rate: of Adam (paper: 5e-4).
        steps: of Adam (paper: 300).
        weight: of the second and the third term of the loss (paper: 1).
        dropout: the chance that a model is left out of its ensemble in a step (paper: .3).
        conferrability: the least that is aimed at (paper: .95).
        tries: points made for each one wanted, at most, as long as too few are conferrable.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "cae"
    title: ClassVar[str] = "CAE: conferrable adversarial examples"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs, changed a little, to which the source and models made from it at enrollment (surrogates) "
        "give the same wrong class, while models made without it (reference models) do not.",
        "The score is the share of the queries to which the suspect gives the source's class.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction are mostly missed at a low rate of false accusations, and copies by adversarial training "
        "often.",
        "What carries over to the surrogates need not carry over to a copy that was made in a way which no surrogate "
        "shows.",
    )
    counts_agreements: ClassVar[bool] = True
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single"}
    published: ClassVar[Published | None] = Published(
        name="CAE",
        overall={
            "CIFAR-10": Overall(tpr_at_1=0.48, tpr_at_10=0.64, auc=0.8),
            "CIFAR-100": Overall(tpr_at_1=0.51, tpr_at_10=0.7, auc=0.83),
            "ImageNet": Overall(tpr_at_1=0.39, tpr_at_10=0.48, auc=0.76),
        },
        detection={
            "FTLL": 0.956,
            "FTAL": 0.934,
            "RTLL": 0.921,
            "RTAL": 0.663,
            "prune 20 %": 0.924,
            "prune 40 %": 0.894,
            "prune 80 %": 0.628,
            "adversarial .001": 0.421,
            "adversarial .01": 0.158,
            "adversarial .1": 0.256,
            "independent SAST": 0.561,
            "independent SADT": 0.422,
            "independent DAST": 0.389,
            "independent DADT": 0.219,
        },
        f1={
            "PRADA": {"CIFAR-100": 0.76, "ImageNet": 0.63},
            "Knockoff": {"CIFAR-100": 0.84, "ImageNet": 0.68},
            "HL": {"CIFAR-100": 0.38, "ImageNet": 0.27},
        },
    )

    queries: int = 100
    epsilon: float = 0.15
    rate: float = 2e-3
    steps: int = 100
    weight: float = 0.01
    dropout: float = 0.3
    conferrability: float = 0.95
    tries: float = 1.5
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.steps) < 1 or self.tries < 1 or self.rate <= 0 or self.weight < 0:
            raise ValueError("queries, steps and tries must be at least 1, rate above 0, weight at least 0")
        if not (0 < self.epsilon <= 1 and 0 <= self.dropout < 1 and 0 <= self.conferrability <= 1):
            raise ValueError("epsilon must lie in (0, 1], dropout in [0, 1), conferrability in [0, 1]")

    @property
    def needs(self) -> Needs:
        """Gradients, of surrogates and references, too."""
        return Needs(source="gradients", space="continuous", shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """All tries, through the source and the models that dropout leaves."""
        wanted = wanted_queries(context.budget, self.queries)
        tried, shadows = min(len(context.seeds), int(self.tries * wanted)), self._shadows(context)
        open_ = 1 + (1 - self.dropout) * shadows
        return Effort(
            queries=wanted,
            answers=len(context.seeds) + tried * (1.0 + shadows),
            gradients=tried * (self.steps + 1) * open_,
            together=round(min(BATCH, tried) * open_),
        )

    @staticmethod
    def _shadows(context: Enrollment) -> int:
        return len(context.surrogates) + len(context.references)

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Conferrable points, the most conferrable first."""
        wanted = wanted_queries(context.budget, self.queries)
        right = np.flatnonzero(context.right)
        order = right[torch.randperm(len(right), generator=generator).numpy()][: int(self.tries * wanted)]
        walked = self._in_precision(context.source, context)
        images: list[Tensor] = []
        confers: list[np.ndarray] = []
        enough = 0
        for part in torch.split(torch.from_numpy(order), BATCH):
            context.progress("conferrable examples", min(enough, wanted), wanted)
            moved = self._batch(context, walked, part.numpy(), generator)
            images.append(torch.from_numpy(moved["stored"].copy()))
            confers.append(moved["confers"])
            enough += int((confers[-1] >= self.conferrability).sum())
            if enough >= wanted:
                break
        context.progress("conferrable examples", min(enough, wanted), wanted)
        confer = np.concatenate(confers)
        best = np.argsort(-confer, kind="stable")[:wanted]
        best = best[confer[best] >= min(FLOOR, self.conferrability)]
        if not len(best):
            raise FingerprintError(
                f"none of {len(confer)} points is conferrable (best {confer.max():.2f}): set epsilon or steps higher, "
                "or give surrogates that are closer to the source"
            )
        return Queries(
            stored=torch.cat(images).numpy()[best],
            labels=context.seeds.labels[order[best]],
            group=np.zeros(len(best), dtype=np.int64),
            columns={"conferrability": confer[best]},
            report=crafting_report(
                len(best),
                wanted,
                tried=len(confer),
                fooled=float((confer >= 0).mean()),
                conferrable=int((confer[best] >= self.conferrability).sum()),
                mean_conferrability=float(confer[best].mean()),
            ),
        )

    def _in_precision(self, model: nn.Module, context: Enrollment) -> nn.Module:
        return in_precision(model, self.precision, shape=context.seeds.shape)

    def _batch(
        self, context: Enrollment, walked: nn.Module, index: np.ndarray, generator: torch.Generator
    ) -> dict[str, np.ndarray]:
        """Points and how conferrable they are, or what is kept of them."""
        name = f"images {digest_arrays({'index': index})}"
        loop = context.unfinished.loop("conferrable examples", name, generator=generator)

        def compute() -> dict[str, np.ndarray]:
            stored = self._moved(context, walked, index, generator, loop)
            return {"stored": stored.numpy(), "confers": self._confers(context, stored, context.seeds.labels[index])}

        return context.unfinished.piece(name, compute, generator=generator)

    def _moved(
        self,
        context: Enrollment,
        walked: nn.Module,
        index: np.ndarray,
        generator: torch.Generator,
        loop: LoopState,
    ) -> Tensor:
        """8-bit points of low loss (Eq. 8); its gradient is that of all models together, which are open meanwhile.

        Args:
            walked: the source, in the precision of the descent.
            loop: where the state of the descent is kept.
        """
        device, modality = next(walked.parameters()).device, context.seeds.modality
        start = modality.to_model(context.seeds.stored[index], device=device, dtype=DTYPES[self.precision])
        with ExitStack() as stack:
            sides = [
                [self._in_precision(stack.enter_context(context.opened(model)), context) for model in side]
                for side in (context.surrogates, context.references)
            ]
            source = stack.enter_context(frozen(walked))
            for model in chain(*sides):
                stack.enter_context(frozen(model))
            with torch.no_grad():
                before = source(start).softmax(1)

            def loss(points: Tensor, rows: Tensor) -> Tensor:
                surrogates, references = (self._ensemble(models, points, generator) for models in sides)
                return conferrable_loss(source(points), before[rows], surrogates, references, weight=self.weight)

            span = modality.box.span
            ended = descend(
                start,
                loss,
                steps=self.steps,
                rate=self.rate * span,
                epsilon=self.epsilon * span,
                modality=modality,
                loop=loop,
            )
        return ended.stored.cpu().contiguous()

    def _ensemble(self, models: Sequence[nn.Module], points: Tensor, generator: torch.Generator) -> Tensor:
        """The mean probabilities of the models that dropout leaves; of one, where it would leave none."""
        drawn = torch.rand(len(models), generator=generator)
        left = [models[number] for number in torch.nonzero(drawn >= self.dropout)[:, 0].tolist()]
        left = left or [models[int(drawn.argmax())]]
        return torch.stack([model(points).softmax(1) for model in left]).mean(0)

    def _confers(self, context: Enrollment, stored: Tensor, truth: np.ndarray) -> np.ndarray:
        """Of points that the source gets wrong; -1 of the others."""
        target = labels_of(context.source, stored, modality=context.seeds.modality)
        surrogates, references = (
            np.stack([context.labels_by(model, stored) for model in side])
            for side in (context.surrogates, context.references)
        )
        values = conferrability(surrogates, references, target)
        return np.where(target != truth, values, -1.0)

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """CAEAcc: the share of the source's labels that the suspect gives, too."""
        index = answered_queries(source, answers)
        return float(1 - hamming_distance(source.labels[index], answers.labels[index][None])[0])


def conferrability(
    surrogates: Int[np.ndarray, "s n"], references: Int[np.ndarray, "r n"], target: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Confer(x; t) = Transfer(S, x; t) (1 - Transfer(R, x; t)), by the labels of both kinds of models (Eq. 2).

    >>> conferrability(np.array([[1, 1], [1, 0]]), np.array([[0, 1]]), np.array([1, 1])).tolist()
    [1.0, 0.0]
    """
    confer: np.ndarray = (surrogates == target).mean(axis=0) * (1 - (references == target).mean(axis=0))
    return confer


def conferrable_loss(
    logits: Float[Tensor, "n c"],
    before: Float[Tensor, "n c"],
    surrogates: Float[Tensor, "n c"],
    references: Float[Tensor, "n c"],
    *,
    weight: float,
) -> Float[Tensor, " n"]:
    """H(1, max_t M_E(x')_t) + weight (H(M(x'), Surr(x')) - H(M(x0), M(x'))), M_E = softmax(Surr (1 - Ref)), t not i.

    Args:
        logits: of the source at the point.
        before: its probabilities at the start, the largest of which is that of class i.
        surrogates, references: mean probabilities of both ensembles at the point.
    """
    ensemble = (surrogates * (1 - references)).softmax(1)
    log_p = logits.log_softmax(1)
    surely = -ensemble.scatter(1, before.argmax(1, keepdim=True), 0.0).amax(1).log()
    away = (before * log_p).sum(1)
    together = -(log_p.exp() * surrogates.clamp(min=1e-12).log()).sum(1)
    return surely + weight * (together + away)
