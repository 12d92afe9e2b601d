"""Zest: LIME's local linear weights at reference inputs.

H. Jia, H. Chen, J. Guan, A. S. Shamsabadi, N. Papernot, "A Zest of LIME: Towards Architecture-Independent Model
Distances", ICLR 2022. LIME: M. T. Ribeiro, S. Singh, C. Guestrin, "'Why Should I Trust You?': Explaining the
Predictions of Any Classifier", KDD 2016.

Differs from the papers:
- Zest takes 128 references and 1,000 samples of each, which is 128,000 queries. Here a budget is spent on as many
  references as it holds with `samples` each.
- References are labelled inputs that the source was not trained on; Zest draws them from its training data.
- Segments are cells of a grid (of series and rows: stretches), not the superpixels of Quickshift: any input has them,
  and images of 28 x 28 pixels have no superpixels to speak of.
- A hidden segment takes its mean of each channel, as in LIME's program for images. In a row of a table, each hidden
  column takes its mean over the labelled inputs.
- The weights are those of LIME's program: ridge regression (alpha = 1) with an intercept, on samples that count by
  exp(-d^2 / .25^2)^(1/2), d the cosine distance from the whole input. Those of all classes are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.schemes.asked import crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.schemes.lime import grid, hidden, lime_smoother
from modelprint.stats.cosine import at_most, cosine

LEAST = 2  # samples of a reference: one has no slope


@SCHEMES.register("zest")
@dataclass(frozen=True, kw_only=True)
class Zest(Scheme):
    """The cosine of two signatures: the weights of linear models that stand for suspect and source near references.

    Attributes:
        queries: how many, where no budget says otherwise.
        samples: queries of one reference, itself among them (paper: 1,000).
        cells: segments of an input; of images the nearest square number.
    """

    name: ClassVar[str] = "zest"
    title: ClassVar[str] = "Zest: which parts of an input a model looks at"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs of which some parts are hidden. How much each part speaks for each class is estimated by a "
        "linear model of the answers (LIME).",
        "The score is the cosine of these weights, of all inputs and classes, between suspect and source.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Good models of one task look at the same parts of an input: the weights of independent models are alike, too.",
        "With the few queries of a usual budget the weights are rough; the paper asks 128,000.",
    )
    lost_with_labels: ClassVar[str | None] = "how sure the suspect is is lost, weights show changes of class only"
    separable: ClassVar[bool] = False  # the samples of a reference make its weights together
    reads_alike: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (
        Quantity(key="references", title="inputs compared", units=("input", "inputs")),
    )

    queries: int = 100
    samples: int = 25
    cells: int = 9

    def __post_init__(self) -> None:
        if self.queries < LEAST or self.samples < LEAST or self.cells < 2:
            raise ValueError("queries, samples and cells must be at least 2")

    @property
    def needs(self) -> Needs:
        """Scores of the source, on inputs of which parts can be hidden."""
        return Needs(source="scores", space="continuous")

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """References in random order, each whole first, then with random segments hidden."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < LEAST:
            raise FingerprintError(f"a budget of {wanted}: weights need {LEAST} queries or more; raise it")
        each, seeds = min(self.samples, wanted), context.seeds
        index = torch.randperm(len(seeds), generator=generator)[: wanted // each].numpy()
        segments = grid(seeds.shape, self.cells)
        kept = torch.rand((len(index), each, int(segments.max()) + 1), generator=generator).numpy() < 0.5
        kept[:, 0] = True
        stored = hidden(seeds.stored[index], kept, segments, data=seeds.stored, modality=seeds.modality)
        return Queries(
            stored=stored.reshape(-1, *seeds.shape),
            labels=np.repeat(seeds.labels[index], each),
            group=np.repeat(np.arange(len(index)), each),
            columns={"kept": kept.reshape(-1, kept.shape[2])},
            report=crafting_report(len(index) * each, wanted, references=len(index)),
        )

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """Which query shows which segments of which reference."""
        return {"group": queries.group, "kept": queries.columns["kept"].astype(np.uint8)}

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """cos(S_f, S_g), in [-1, 1]; 0 where either signature is 0."""
        own, theirs = self._signatures(state, source, answers, np.zeros(len(answers), dtype=bool))
        return cosine(own.ravel(), theirs.ravel())

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """Weights are linear in the answers, and a missing answer is a point of the simplex.

        Each takes the class that lowers the product with the source's signature the most, and lengthens the suspect's
        signature as much as any could.
        """
        if not missing.any():
            return self.score(state, source, answers)
        assert source.scores is not None
        own, theirs = self._signatures(state, source, answers, missing)
        product = float((own * theirs).sum())
        within: list[float] = []  # the lengths of the suspect's weights of each reference, as far as answers are known
        off: list[float] = []  # by how much the missing answers may change them
        for number, rows in enumerate(self._references(state, source, answers, missing)):
            smoother = lime_smoother(state["kept"][rows])
            silent = missing[rows]
            product += float((smoother.T[silent] @ own[number]).min(axis=1).sum())
            within.append(float(np.linalg.norm(theirs[number])))
            off.append(float(np.linalg.norm(smoother[:, silent], axis=0).sum()))
        known, free = np.array(within), np.array(off)
        far, near = np.linalg.norm(known + free), np.linalg.norm(np.maximum(known - free, 0.0))
        length = float(np.linalg.norm(own) * (far if product >= 0 else near))
        if length == 0:
            return 0.0 if product >= 0 else -1.0
        return at_most(product / length, least=-1.0)

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """How many references were compared."""
        return {"references": len(self._references(state, source, answers, np.zeros(len(answers), dtype=bool)))}

    def _references(
        self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]
    ) -> list[Int[np.ndarray, " s"]]:
        """The numbers of the queries of each reference of which enough were asked."""
        index = np.flatnonzero((answers.answered | missing) & source.answered)
        rows = [index[state["group"][index] == number] for number in np.unique(state["group"][index])]
        return [some for some in rows if len(some) >= LEAST]

    def _signatures(
        self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, "r k c"], Float[np.ndarray, "r k c"]]:
        """The weights of source and suspect; missing answers give nothing to theirs.

        Raises:
            UnscorableError: too little was asked.
        """
        assert source.scores is not None
        references = self._references(state, source, answers, missing)
        if not references:
            raise UnscorableError(f"no input was asked {LEAST} times with parts of it hidden: ask more queries")
        sides = []
        for model in (source, answers):
            shown = model if answers.scores is not None else Answers(labels=model.labels)
            shares = np.nan_to_num(shown.probabilities(source.scores.shape[1]))
            sides.append(np.stack([lime_smoother(state["kept"][rows]) @ shares[rows] for rows in references]))
        return sides[0], sides[1]
