"""ModelDiff: how far apart a model's answers are to an input and to its twin.

Y. Li, Z. Zhang, B. Liu, Z. Yang, Y. Liu, "ModelDiff: Testing-Based DNN Similarity Comparison for Model Reuse
Detection", ISSTA 2021.

Differs from the paper:
- The paper compares two models that are both at hand, and makes twins that spread the answers of both. Here the suspect
  is not at hand at enrollment: twins spread the source's answers alone.
- The paper's search changes one coordinate of one input at a time, by .2, in 1,000 rounds. Here every round changes a
  share of the coordinates of every twin, and keeps each change by itself.
- Twins are 8-bit images, as an API takes them, and change no coordinate by more than `epsilon`; the paper's program
  bounds nothing.
- Answers are probabilities; the paper's program takes the outputs as they are. With labels alone, two answers are one
  class or two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import special
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.pairs import answered_pairs, asked_pairs, interleaved, pair_distances
from modelprint.stats.cosine import at_most, cosine
from modelprint.training.loop import predict

DECIMALS = 9  # of spread, or the order in which a processor adds would decide between two twins


@SCHEMES.register("modeldiff")
@dataclass(frozen=True, kw_only=True)
class ModelDiff(Scheme):
    """The cosine of two decision distance vectors, the suspect's and the source's.

    Attributes:
        queries: how many, where no budget says otherwise; two make a pair.
        rounds: of the search for twins.
        step: by how much a round changes a coordinate, as a share of its range (paper's program: .2).
        share: of the coordinates that a round changes.
        epsilon: the largest change of a coordinate in all, as a share of its range.
        precision: of the answers that twins are chosen by; in single they come out again on like processors only.
    """

    name: ClassVar[str] = "modeldiff"
    title: ClassVar[str] = "ModelDiff: distances between answers to inputs and their twins"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are pairs: an input, and a twin of it with noise that was chosen so that the source answers both "
        "differently.",
        "The distance between the answers to each pair makes a list of numbers for every model; the score says how "
        "alike the lists of suspect and source are.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Noise that confuses one good model confuses others, too: lists of independent models are alike, and a copy "
        "must be much more so to be found at a low rate of false accusations.",
        "Copies by extraction and by adversarial training react to noise in their own way.",
    )
    lost_with_labels: ClassVar[str | None] = "how far apart two answers are is lost, only whether the class changes"
    separable: ClassVar[bool] = False  # pairs are whole, or not read
    reads_alike: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(key="pairs", title="pairs compared", units=("pair", "pairs")),
        Quantity(key="distance", title="mean distance within pairs, suspect"),
        Quantity(key="own_distance", title="mean distance within pairs, source"),
    )

    queries: int = 100
    rounds: int = 40
    step: float = 0.2
    share: float = 0.05
    epsilon: float = 0.4
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if self.queries < 2 or self.rounds < 1:
            raise ValueError("queries must be at least 2, rounds at least 1")
        if not (0 < self.step <= self.epsilon <= 1 and 0 < self.share <= 1):
            raise ValueError("step, epsilon and share must lie in (0, 1], step no larger than epsilon")

    @property
    def needs(self) -> Needs:
        """Scores of the source, on inputs that can be changed by small steps."""
        return Needs(source="scores", space="continuous")

    def effort(self, context: Enrollment) -> Effort:
        """Every twin, asked of the source once a round."""
        wanted = wanted_queries(context.budget, self.queries)
        return Effort(queries=wanted, answers=float(wanted // 2 * (self.rounds + 2)))

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Seeds in random order, each followed by its twin."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < 2:
            raise FingerprintError(f"a budget of {wanted} holds no pair of queries: raise it to 2 or more")
        index = torch.randperm(len(context.seeds), generator=generator)[: wanted // 2].numpy()
        seeds = context.seeds.stored[index]
        twins, spread = self._twins(context, seeds, generator)
        return Queries(
            stored=interleaved(seeds, twins),
            labels=np.repeat(context.seeds.labels[index], 2),
            group=np.repeat(np.arange(len(index)), 2),
            report=crafting_report(2 * len(index), wanted, spread=spread),
        )

    def _twins(self, context: Enrollment, seeds: np.ndarray, generator: torch.Generator) -> tuple[np.ndarray, float]:
        """Twins that a search by mutation makes as far from their inputs, and from each other, as it can.

        Returns:
            the twins, stored, and their mean distance from their inputs, in probabilities.
        """
        modality, device = context.seeds.modality, device_of(context.source)
        source = in_precision(context.source, self.precision, shape=context.seeds.shape)
        start = modality.to_model(seeds, device=device, dtype=DTYPES[self.precision])
        low, high = modality.within(start, self.epsilon * modality.box.span)
        step = self.step * modality.box.span
        before = self._answers(source, context, torch.from_numpy(seeds))
        twins, score, after = start.clone(), np.zeros(len(seeds)), before
        for number in range(self.rounds):
            context.progress("twins", number, self.rounds)
            moved = torch.minimum(torch.maximum(twins + step * self._mutation(twins, generator), low), high)
            moved = modality.rounded(moved)
            answers = self._answers(source, context, modality.to_stored(moved).cpu())
            value = np.round(spread_of(answers, before, after), DECIMALS)
            better = value > score
            rows = torch.from_numpy(better).to(device)
            twins[rows], score[better] = moved[rows], value[better]
            after = np.where(better[:, None], answers, after)
        context.progress("twins", self.rounds, self.rounds)
        distance = float(np.linalg.norm(after - before, axis=1).mean())
        return modality.to_stored(twins).cpu().contiguous().numpy(), distance

    def _mutation(self, twins: Tensor, generator: torch.Generator) -> Tensor:
        """-1, 0 or 1 for each coordinate; other than 0 for a share of them."""
        drawn = torch.rand(twins.shape, generator=generator)
        signs = torch.where(drawn < self.share / 2, -1.0, torch.where(drawn > 1 - self.share / 2, 1.0, 0.0))
        return signs.to(twins)

    def _answers(self, source: nn.Module, context: Enrollment, stored: Tensor) -> Float[np.ndarray, "n c"]:
        logits = predict(source, stored, modality=context.seeds.modality).double().numpy()
        probabilities: np.ndarray = special.softmax(logits, axis=1)
        return probabilities

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """cos(DDV_f, DDV_g), over the pairs that were answered, in [0, 1]."""
        pairs = answered_pairs(state["group"], source, answers)
        own, theirs = self._vectors(source, answers, pairs)
        return cosine(own, theirs)

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """The distance within a pair of which an answer is missing takes the end of [0, 1] that costs the most."""
        if not missing.any():
            return self.score(state, source, answers)
        pairs = asked_pairs(state["group"], source, answers, missing)
        hidden = missing[pairs].any(axis=1)
        own, theirs = self._vectors(source, answers, pairs[~hidden])
        unknown = pair_distances(self._shares(source, source, answers), pairs[hidden])
        return least_cosine(own, theirs, unknown)

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """How many pairs were compared, and the mean distance within them."""
        try:
            pairs = answered_pairs(state["group"], source, answers)
        except UnscorableError:  # no pair is whole
            return {"pairs": 0, "distance": None, "own_distance": None}
        own, theirs = self._vectors(source, answers, pairs)
        return {"pairs": len(pairs), "distance": float(theirs.mean()), "own_distance": float(own.mean())}

    def _vectors(
        self, source: Answers, answers: Answers, pairs: np.ndarray
    ) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """DDV_f = (D(f(x_1), f(x'_1)), ..., D(f(x_p), f(x'_p))) of the source and of the suspect."""
        own, theirs = (pair_distances(self._shares(model, source, answers), pairs) for model in (source, answers))
        return own, theirs

    def _shares(self, model: Answers, source: Answers, answers: Answers) -> Float[np.ndarray, "n c"]:
        """Probabilities; one-hot where the suspect gives labels alone."""
        assert source.scores is not None
        shown = model if answers.scores is not None else Answers(labels=model.labels)
        return shown.probabilities(source.scores.shape[1])


def spread_of(
    answers: Float[np.ndarray, "n c"], before: Float[np.ndarray, "n c"], others: Float[np.ndarray, "n c"]
) -> Float[np.ndarray, " n"]:
    """How far each twin's answer is from its input's, times its mean distance from the answers to the other twins.

    >>> spread_of(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])).round(3).tolist()
    [2.0]
    """
    divergence = np.linalg.norm(answers - before, axis=1)
    squares = (answers**2).sum(1)[:, None] + (others**2).sum(1) - 2 * answers @ others.T
    diversity = np.sqrt(np.maximum(squares, 0.0)).mean(axis=1)
    product: Float[np.ndarray, " n"] = divergence * diversity
    return product


def least_cosine(
    own: Float[np.ndarray, " p"], theirs: Float[np.ndarray, " p"], own_hidden: Float[np.ndarray, " h"]
) -> float:
    """The lowest cosine of two lists of distances, of one of which h entries may be anything in [0, 1].

    Lists of a cosine of at least t >= 0 with another make a convex set, so the lowest lies at a corner of the cube. Of
    corners with k ones the numerator is least where the ones stand at the k smallest entries of the other list.

    Args:
        own_hidden: entries of the whole list where the other one is not known.

    >>> round(least_cosine(np.array([1.0]), np.array([1.0]), np.array([0.0])), 3)
    0.707
    """
    smallest = np.concatenate([[0.0], np.cumsum(np.sort(own_hidden))])
    ones = np.arange(len(smallest))
    lengths = np.linalg.norm(np.concatenate([own, own_hidden])) * np.sqrt(theirs @ theirs + ones)
    cosines = np.divide(own @ theirs + smallest, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return at_most(float(cosines.min()), least=0.0)
