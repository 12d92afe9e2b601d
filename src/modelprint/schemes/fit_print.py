"""FIT-Print, bit by bit (FIT-ModelDiff): distances within pairs that spell a message which was fixed before.

S. Shao, H. Zhu, Y. Li, H. Yao, T. Zhang, Z. Qin, "FIT-Print: Towards False-claim-resistant Model Ownership Verification
via Targeted Fingerprint", 2025 (arXiv 2501.15509).

Whoever fixes the message before he makes queries cannot claim a model of somebody else by inputs on which all models
happen to agree: the answers must spell his message.

The abstract and reviews of the paper could be read. From them: pairs of inputs are optimised until the distances
between the source's answers to them map to the bits of a target; augmented copies of the source take part, so that
derived models spell it, too; the share of right bits is compared with a threshold. FIT-LIME, the paper's other form, is
schemes/fit_lime.py.

Differs from the paper: what the abstract and the reviews do not say was filled in.
- A bit is 1 where the distance, 1 - cos of the probabilities, is above `threshold`.
- The second input of a pair begins as another input: of the same class where the bit is 1, of another where it is 0. So
  every bit is against what any good model answers, and an independent model spells the message worse than chance.
- A hinge with a margin; Adam, in double precision; the change is bounded. Pairs whose bit the source does not give as
  they are stored are left out.
- The copies that take part are surrogates, where there are any (`surrogates` of them).
- The message is the SHA-256 of a text, hashed again for more bits; bits by the seed where there is no text.
- The verdict is a rank among independent models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from scipy import special
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.devices import device_of
from modelprint.core.errors import FingerprintError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.nn.refs import ModelRef
from modelprint.perturb.descent import descend
from modelprint.perturb.precision import DTYPES, Precision, in_precision
from modelprint.schemes.asked import crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.message import LIMITS, RIGHT_BITS, drawn_surrogates, spells, walked_on, wanted_bits
from modelprint.schemes.pairs import asked_pairs, interleaved, pair_distances
from modelprint.training.loop import predict

BATCH = 128
CLOSE = 1e-6  # to the threshold: a distance that another processor may see on its other side


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Two inputs of the seeds for each bit.

    Attributes:
        first, second: their numbers.
        bits: what they are to spell.
    """

    first: Int[np.ndarray, " p"]
    second: Int[np.ndarray, " p"]
    bits: Int[np.ndarray, " p"]

    def __len__(self) -> int:
        return len(self.bits)

    def take(self, index: Int[np.ndarray, " k"] | slice) -> Pairs:
        """Some of them."""
        return Pairs(first=self.first[index], second=self.second[index], bits=self.bits[index])


@SCHEMES.register("fit-print")
@dataclass(frozen=True, kw_only=True)
class FitPrint(Scheme):
    """The share of the message's bits that the distances between the suspect's answers spell.

    Attributes:
        queries: how many, where no budget says otherwise; two make a pair, a pair a bit.
        message: the text whose hash is spelled; bits drawn by the seed where it is empty.
        threshold: of the distance, above which a bit is 1.
        margin: by which a distance is to lie on its side of the threshold.
        epsilon: the largest change of a coordinate, as a share of its range.
        rate: of Adam, as a share of a coordinate's range.
        steps: of Adam.
        surrogates: how many copies of the source take part beside it, at most.
        tries: pairs tried for each one wanted, at most.
        precision: of the descent; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "fit-print"
    title: ClassVar[str] = "FIT-Print: distances that spell a message"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are pairs of inputs, changed a little, so that the source answers alike where a message has a 0 and "
        "differently where it has a 1, against what the inputs show.",
        "The score is the share of the message's bits that the suspect's answers spell.",
    )
    limits: ClassVar[tuple[str, ...]] = LIMITS
    lost_with_labels: ClassVar[str | None] = "how far apart two answers are is lost, only whether the class changes"
    separable: ClassVar[bool] = False  # a pair makes a bit
    reads_alike: ClassVar[bool] = True
    quantities: ClassVar[tuple[Quantity, ...]] = (RIGHT_BITS,)

    queries: int = 100
    message: str = ""
    threshold: float = 0.5
    margin: float = 0.4
    epsilon: float = 0.1
    rate: float = 0.01
    steps: int = 40
    surrogates: int = 4
    tries: float = 1.5
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if self.queries < 2 or self.steps < 1 or self.tries < 1 or self.rate <= 0 or self.surrogates < 0:
            raise ValueError(
                "queries must be at least 2, steps and tries at least 1, rate above 0, surrogates 0 or more"
            )
        if not (0 < self.threshold < 1 and 0 <= self.margin < 1 and 0 < self.epsilon <= 1):
            raise ValueError("threshold must lie in (0, 1), margin in [0, 1), epsilon in (0, 1]")

    @property
    def needs(self) -> Needs:
        """Gradients, of surrogates, too, where there are any."""
        return Needs(source="gradients", space="continuous", shadows_welcome=True)

    def effort(self, context: Enrollment) -> Effort:
        """All tries, every step, through all models that take part."""
        wanted = wanted_queries(context.budget, self.queries)
        tried, models = int(self.tries * (wanted // 2)), 1 + min(self.surrogates, len(context.surrogates))
        return Effort(
            queries=wanted,
            answers=float(len(context.seeds)),
            gradients=float(tried * (self.steps + 1) * models),
            together=min(BATCH, tried) * models,
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Pairs that spell the message, in its order."""
        wanted = wanted_queries(context.budget, self.queries)
        if wanted < 2:
            raise FingerprintError(f"a budget of {wanted} holds no pair of queries: raise it to 2 or more")
        tried = int(self.tries * (wanted // 2))
        bits = wanted_bits(self.message, tried, generator)
        pairs = self._pairs(context, bits, generator)
        models = drawn_surrogates(context, self.surrogates, generator)
        twins: list[np.ndarray] = []
        spelled: list[np.ndarray] = []
        for begin in range(0, len(pairs), BATCH):
            context.progress("pairs", begin, len(pairs))
            part = pairs.take(slice(begin, begin + BATCH))
            twins.append(self._moved(context, models, part, f"pairs from {begin}"))
            spelled.append(self._spelled(context, part, twins[-1]))
            if sum(int(some.sum()) for some in spelled) >= wanted // 2:
                break
        context.progress("pairs", len(pairs), len(pairs))
        right = np.concatenate(spelled)
        index = np.flatnonzero(right)[: wanted // 2]
        if not len(index):
            raise FingerprintError(
                f"the source spells none of {len(right)} bits by changes of {self.epsilon:g}: set epsilon or steps "
                "higher"
            )
        kept, seeds = pairs.take(index), context.seeds
        return Queries(
            stored=interleaved(seeds.stored[kept.first], np.concatenate(twins)[index]),
            labels=interleaved(seeds.labels[kept.first], seeds.labels[kept.second]),
            group=np.repeat(np.arange(len(kept)), 2),
            columns={"bit": np.repeat(kept.bits, 2), "number": np.repeat(index, 2)},
            report=crafting_report(2 * len(kept), wanted, tried=len(right), spelled=float(right.mean())),
        )

    def _pairs(self, context: Enrollment, bits: Int[np.ndarray, " p"], generator: torch.Generator) -> Pairs:
        """Two inputs that the source is right on for each bit: of one class where it is 1, of two where it is 0."""
        right = np.flatnonzero(context.right)
        right = right[torch.randperm(len(right), generator=generator).numpy()]
        labels = context.seeds.labels[right]
        second = []
        for number, bit in enumerate(bits[: len(right)]):
            fitting = (labels == labels[number]) == bool(bit)
            fitting[number] = False
            others = np.flatnonzero(fitting)
            if not len(others):
                raise FingerprintError(
                    f"the source is right on one input of class {labels[number]} alone: give more inputs of each class"
                )
            second.append(right[others[int(torch.randint(len(others), (1,), generator=generator))]])
        return Pairs(first=right[: len(second)], second=np.array(second), bits=bits[: len(second)])

    def _moved(
        self, context: Enrollment, surrogates: Sequence[ModelRef], pairs: Pairs, name: str
    ) -> Shaped[np.ndarray, "p ..."]:
        """The second inputs, changed until source and surrogates spell the bits; or what is kept of them."""

        def compute() -> dict[str, np.ndarray]:
            modality, device = context.seeds.modality, device_of(context.source)
            anchors, start = (
                modality.to_model(context.seeds.stored[index], device=device, dtype=DTYPES[self.precision])
                for index in (pairs.first, pairs.second)
            )
            sides = torch.from_numpy(2.0 * pairs.bits - 1).to(start)
            with walked_on(context, surrogates, self.precision) as models:
                with torch.no_grad():
                    wholes = [model(anchors).softmax(1) for model in models]

                def loss(points: Tensor, rows: Tensor) -> Tensor:
                    return torch.stack(
                        [
                            self._hinge(model, points, whole[rows], sides[rows])
                            for model, whole in zip(models, wholes, strict=True)
                        ]
                    ).mean(0)

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

    def _hinge(self, model: nn.Module, points: Tensor, anchors: Tensor, sides: Tensor) -> Tensor:
        """max(0, margin - b (D - threshold)), b = 1 or -1, D = 1 - cos of the probabilities of a pair."""
        distance = 1 - functional.cosine_similarity(model(points).softmax(1), anchors, dim=1)
        return (self.margin - sides * (distance - self.threshold)).clamp(min=0)

    def _spelled(self, context: Enrollment, pairs: Pairs, twins: Shaped[np.ndarray, "p ..."]) -> Bool[np.ndarray, " p"]:
        """Which bits the source spells, with room for another processor."""
        source = in_precision(context.source, self.precision, shape=context.seeds.shape)
        stored = torch.from_numpy(interleaved(context.seeds.stored[pairs.first], twins))
        logits = predict(source, stored, modality=context.seeds.modality).double().numpy()
        two_by_two = np.arange(len(logits)).reshape(-1, 2)
        over = pair_distances(special.softmax(logits, axis=1), two_by_two) - self.threshold
        spelled: Bool[np.ndarray, " p"] = np.where(pairs.bits == 1, over > CLOSE, over < -CLOSE)
        return spelled

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The share of bits that are right, over the pairs that were answered."""
        return self.least_score(state, source, answers, np.zeros(len(answers), dtype=bool))

    def least_score(self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]) -> float:
        """A bit is wrong where an answer of its pair is missing."""
        return float(self._right(state, source, answers, missing).mean())

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """Bits that are right, of how many that were asked and answered; whether the bits are those of the message."""
        signed = spells(self.message, state["bit"], state["number"])
        group, heard = state["group"], answers.answered & source.answered
        if not (heard[1:] & heard[:-1] & (group[1:] == group[:-1])).any():
            return {"right": 0, "bits": 0, "signed": signed}
        right = self._right(state, source, answers, np.zeros(len(answers), dtype=bool))
        return {"right": int(right.sum()), "bits": len(right), "signed": signed}

    def _right(
        self, state: State, source: Answers, answers: Answers, missing: Bool[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " p"]:
        """Which bits of the message the suspect's distances spell."""
        assert source.scores is not None
        pairs = asked_pairs(state["group"], source, answers, missing)
        over = np.nan_to_num(pair_distances(answers.probabilities(source.scores.shape[1]), pairs)) > self.threshold
        right: Bool[np.ndarray, " p"] = (over == state["bit"][pairs[:, 0]].astype(bool)) & ~missing[pairs].any(axis=1)
        return right
