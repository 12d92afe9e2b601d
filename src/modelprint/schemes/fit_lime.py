"""FIT-Print, list by list (FIT-LIME): parts of inputs speak for or against a class as a message says.

S. Shao, H. Zhu, Y. Li, H. Yao, T. Zhang, Z. Qin, "FIT-Print: Towards False-claim-resistant Model Ownership Verification
via Targeted Fingerprint", 2025 (arXiv 2501.15509). LIME: schemes/lime.py.

The message is fixed before queries are made (schemes/message.py). The abstract of the paper could be read: the
fingerprint is the feature attribution of inputs, which are optimised until it is a target.

Differs from the paper: what the abstract does not say was filled in.
- The attribution is LIME's, of the true class of the input: how much each cell of a grid speaks for it.
- A bit is 1 where a cell speaks for the class. Every cell of an input has a bit.
- A hinge with a margin, a sum over the cells; Adam, in double precision; the change is bounded. Inputs of which the
  source does not spell every bit as they are stored are left out.
- Surrogates, the message and the verdict: as in schemes/fit_print.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from scipy import special
from torch import Tensor, nn

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError, UnscorableError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.data.labelled import LabelledSet
from modelprint.nn.refs import ModelRef
from modelprint.perturb.descent import descend
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.schemes.lime import Hidden, grid, hidden, lime_smoother
from modelprint.schemes.message import LIMITS, RIGHT_BITS, drawn_surrogates, spells, walked_on, wanted_bits
from modelprint.training.loop import predict

BATCH = 16  # inputs, each with all its samples
LEAST = 2  # samples of an input: one has no slope
CLOSE = 1e-6  # to 0: an attribution that another processor may see on its other side


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Inputs, and what they are to spell.

    Attributes:
        base: their numbers among the seeds.
        kept: which cells each sample of each input shows.
        bits: of each cell.
    """

    base: Int[np.ndarray, " b"]
    kept: Bool[np.ndarray, "b s k"]
    bits: Int[np.ndarray, "b k"]

    def __len__(self) -> int:
        return len(self.base)

    def take(self, index: Int[np.ndarray, " k"] | slice) -> Lists:
        """Some of them."""
        return Lists(base=self.base[index], kept=self.kept[index], bits=self.bits[index])


@SCHEMES.register("fit-lime")
@dataclass(frozen=True, kw_only=True)
class FitLime(Scheme):
    """The share of the message's bits that the suspect's attributions spell.

    Attributes:
        queries: how many, where no budget says otherwise.
        samples: queries of one input, itself among them.
        cells: of an input, a bit each; of images the nearest square number.
        message: the text whose hash is spelled; bits drawn by the seed where it is empty.
        margin: by which an attribution, in shares of probability, is to lie on its side of 0.
        epsilon: the largest change of a coordinate, as a share of its range.
        rate: of Adam, as a share of a coordinate's range.
        steps: of Adam.
        surrogates: how many copies of the source take part beside it, at most.
        tries: inputs tried for each one wanted, at most.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "fit-lime"
    title: ClassVar[str] = "FIT-LIME: parts of inputs that spell a message"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs, changed a little, of which some parts are hidden. How much each part speaks for the class "
        "is estimated by a linear model of the answers (LIME). The source's parts speak for it where a message has a "
        "1, and against it where it has a 0.",
        "The score is the share of the message's bits that the suspect's answers spell.",
    )
    limits: ClassVar[tuple[str, ...]] = LIMITS
    lost_with_labels: ClassVar[str | None] = "how sure the suspect is is lost, only changes of class speak"
    separable: ClassVar[bool] = False  # the samples of an input make its bits together
    reads_alike: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (RIGHT_BITS,)

    queries: int = 100
    samples: int = 25
    cells: int = 9
    message: str = ""
    margin: float = 0.05
    epsilon: float = 0.15
    rate: float = 0.01
    steps: int = 60
    surrogates: int = 4
    tries: float = 3.0
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if min(self.queries, self.samples, self.cells) < LEAST or self.steps < 1 or self.surrogates < 0:
            raise ValueError("queries, samples and cells must be at least 2, steps at least 1, surrogates 0 or more")
        if self.tries < 1 or self.rate <= 0 or self.margin < 0 or not 0 < self.epsilon <= 1:
            raise ValueError("tries must be at least 1, rate above 0, margin 0 or more, epsilon in (0, 1]")

    @property
    def needs(self) -> Needs:
        """Gradients, of surrogates, too, where there are any."""
        return Needs(source="gradients", space="continuous", shadows_welcome=True)

    def effort(self, context: Enrollment) -> Effort:
        """All tries, every step, through all models that take part."""
        wanted = wanted_queries(context.budget, self.queries)
        each = min(self.samples, max(wanted, 1))
        tried, models = int(self.tries * (wanted // each)), 1 + min(self.surrogates, len(context.surrogates))
        return Effort(
            queries=wanted,
            answers=float(len(context.seeds)),
            gradients=float(tried * each * (self.steps + 1) * models),
            together=min(BATCH, tried) * each * models,
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Inputs whose cells spell the message, in its order."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < LEAST:
            raise FingerprintError(f"a budget of {wanted}: attributions need {LEAST} queries or more; raise it")
        each, seeds = min(self.samples, wanted), context.seeds
        lists = self._lists(context, int(self.tries * (wanted // each)), each, generator)
        models = drawn_surrogates(context, self.surrogates, generator)
        samples: list[np.ndarray] = []
        spelled: list[np.ndarray] = []
        for begin in range(0, len(lists), BATCH):
            context.progress("inputs", begin, len(lists))
            part = lists.take(slice(begin, begin + BATCH))
            moved = self._moved(context, models, part, f"inputs from {begin}")
            samples.append(hidden(moved, part.kept, self._segments(seeds), data=seeds.stored, modality=seeds.modality))
            spelled.append(self._spelled(context, part, samples[-1]))
            if sum(int(some.sum()) for some in spelled) >= wanted // each:
                break
        context.progress("inputs", len(lists), len(lists))
        whole = np.concatenate(spelled)
        index = np.flatnonzero(whole)[: wanted // each]
        if not len(index):
            raise FingerprintError(
                f"of none of {len(whole)} inputs the source spells all bits by changes of {self.epsilon:g}: set "
                "epsilon or steps higher, or cells lower"
            )
        spelling = lists.take(index)
        return Queries(
            stored=np.concatenate(samples)[index].reshape(-1, *seeds.shape),
            labels=np.repeat(seeds.labels[spelling.base], each),
            group=np.repeat(np.arange(len(index)), each),
            columns={
                "kept": spelling.kept.reshape(-1, spelling.kept.shape[2]),
                "bit": np.repeat(spelling.bits, each, axis=0),
                "number": np.repeat(index, each),
            },
            report=crafting_report(len(index) * each, wanted, tried=len(whole), spelled=float(whole.mean())),
        )

    def _segments(self, seeds: LabelledSet) -> Int[np.ndarray, ...]:
        return grid(seeds.shape, self.cells)

    def _lists(self, context: Enrollment, count: int, each: int, generator: torch.Generator) -> Lists:
        """Inputs that the source is right on, the message over all of their cells, and which cells samples show."""
        right = np.flatnonzero(context.right)
        base = right[torch.randperm(len(right), generator=generator).numpy()][:count]
        cells = int(self._segments(context.seeds).max()) + 1
        kept = torch.rand((len(base), each, cells), generator=generator).numpy() < 0.5
        kept[:, 0] = True
        bits = wanted_bits(self.message, len(base) * cells, generator)
        return Lists(base=base, kept=kept, bits=bits.reshape(len(base), cells))

    def _moved(
        self, context: Enrollment, surrogates: Sequence[ModelRef], lists: Lists, name: str
    ) -> Shaped[np.ndarray, "b ..."]:
        """The inputs, changed until source and surrogates spell the bits; or what is kept of them."""

        def compute() -> dict[str, np.ndarray]:
            seeds, device, dtype = context.seeds, device_of(context.source), DTYPES[self.precision]
            modality = seeds.modality
            start = modality.to_model(seeds.stored[lists.base], device=device, dtype=dtype)
            table = modality.to_model(seeds.stored, device=device, dtype=dtype) if start.ndim == 2 else None
            hide = Hidden(
                kept=torch.from_numpy(lists.kept).to(device),
                segments=self._segments(seeds),
                means=None if table is None else table.mean(0),
            )
            labels = torch.from_numpy(seeds.labels[lists.base]).to(device)
            sides = torch.from_numpy(2.0 * lists.bits - 1).to(start)
            smoothers = torch.from_numpy(np.stack([lime_smoother(some) for some in lists.kept])).to(start)
            with walked_on(context, surrogates, self.precision) as models:

                def loss(points: Tensor, rows: Tensor) -> Tensor:
                    samples = hide(points, rows)
                    hinges = [
                        (self.margin - sides[rows] * attributions(model, samples, labels[rows], smoothers[rows]))
                        .clamp(min=0)
                        .sum(1)
                        for model in models
                    ]
                    return torch.stack(hinges).mean(0)

                ended = descend(
                    start,
                    loss,
                    steps=self.steps,
                    rate=self.rate * modality.box.span,
                    epsilon=self.epsilon * modality.box.span,
                    until=0.0,
                    modality=modality,
                )
            return {"stored": ended.stored.cpu().contiguous().numpy()}

        return context.unfinished.piece(name, compute)["stored"]

    def _spelled(
        self, context: Enrollment, lists: Lists, samples: Shaped[np.ndarray, "b s ..."]
    ) -> Bool[np.ndarray, " b"]:
        """Of which inputs the source spells every bit as they are stored, with room for another processor."""
        seeds = context.seeds
        source = in_precision(context.source, self.precision, shape=seeds.shape)
        flat = torch.from_numpy(samples.reshape(-1, *seeds.shape))
        logits = predict(source, flat, modality=seeds.modality).double().numpy()
        shares = special.softmax(logits, axis=1).reshape(*samples.shape[:2], -1)
        speaks = [
            lime_smoother(kept) @ share[:, label]
            for kept, share, label in zip(lists.kept, shares, seeds.labels[lists.base], strict=True)
        ]
        return np.array(((2 * lists.bits - 1) * np.array(speaks) > CLOSE).all(axis=1))

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """Which query shows which cells of which input, and the bits of these."""
        return {
            "group": queries.group,
            "label": queries.labels,
            "kept": queries.columns["kept"].astype(np.uint8),
            "bit": queries.columns["bit"].astype(np.int64),
            "number": queries.columns["number"],
        }

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The share of bits that are right, over the inputs that were answered."""
        return self.least_score(state, source, answers, np.zeros(len(answers), dtype=bool))

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """A bit is wrong where missing answers could make it so: each speaks for the class fully, or not at all."""
        return float(self._right(state, source, answers, missing).mean())

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """Bits that are right, of how many of inputs that were answered; whether the bits are those of the message."""
        cells = state["bit"].shape[1]
        first = np.unique(state["group"], return_index=True)[1]
        places = state["number"][first][:, None] * cells + np.arange(cells)
        signed = spells(self.message, state["bit"][first].ravel(), places.ravel())
        try:
            right = self._right(state, source, answers, np.zeros(len(answers), dtype=bool))
        except UnscorableError:
            return {"right": 0, "bits": 0, "signed": signed}
        return {"right": int(right.sum()), "bits": len(right), "signed": signed}

    def _right(
        self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " bits"]:
        """Which bits of the message the suspect's attributions spell, whatever it would have said to the missing.

        Raises:
            UnscorableError: too little was asked.
        """
        assert source.scores is not None
        shares = np.nan_to_num(answers.probabilities(source.scores.shape[1]))
        asked = np.flatnonzero((answers.answered | missing) & source.answered)
        right = []
        for number in np.unique(state["group"][asked]):
            rows = asked[state["group"][asked] == number]
            if len(rows) < LEAST:
                continue
            smoother, silent = lime_smoother(state["kept"][rows]), missing[rows]
            spoken = np.where(silent, 0.0, shares[rows, state["label"][rows]])
            sides = 2.0 * state["bit"][rows[0]] - 1
            lost = np.minimum(sides[:, None] * smoother[:, silent], 0.0).sum(axis=1)
            right.append(sides * (smoother @ spoken) + lost > 0)
        if not right:
            raise UnscorableError(f"no input was asked {LEAST} times with parts of it hidden: ask more queries")
        return np.concatenate(right)


def attributions(
    model: nn.Module,
    samples: Float[Tensor, "r s ..."],
    labels: Int[Tensor, " r"],
    smoothers: Float[Tensor, "r k s"],
) -> Float[Tensor, "r k"]:
    """How much each cell speaks for the class of each input."""
    shares = model(samples.flatten(0, 1)).softmax(1).unflatten(0, samples.shape[:2])
    spoken = shares.gather(2, labels[:, None, None].expand(-1, samples.shape[1], 1)).squeeze(2)
    return torch.einsum("rks,rs->rk", smoothers, spoken)
