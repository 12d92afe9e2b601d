"""AKH: the source's own mistakes.

A. Godinot, E. Le Merrer, C. Penzo, F. Taiani, G. Tredan, "Queries, Representation & Detection: The Next 100 Model
Fingerprinting Schemes", AAAI 2025: the baseline of its comparison ("AKH", the QuRD framework), which ties or beats the
published schemes there.

Differs from the paper: a source with fewer mistakes than the budget is asked the mirror images of them, then CutMix
images, all of which it gets wrong, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from modelprint.core.errors import FingerprintError
from modelprint.core.suspect import Answers
from modelprint.modalities.base import Labelled
from modelprint.perturb.topping import topped_up
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Enrollment, Queries, Scheme, State
from modelprint.stats.labels import hamming_distance
from modelprint.training.labels import labels_of


@SCHEMES.register("akh")
@dataclass(frozen=True, kw_only=True)
class Akh(Scheme):
    """Inputs that the source gets wrong; hard labels; Hamming distance.

    Attributes:
        queries: how many, where no budget says otherwise.
    """

    name: ClassVar[str] = "akh"
    title: ClassVar[str] = "AKH: the source's own mistakes"
    explanation: ClassVar[tuple[str, ...]] = (
        "The suspect is asked inputs that the source gets wrong: its mistakes and, where these are too few, "
        "{input_names} changed a little and mixes of two that it gets wrong, too.",
        "The score is the share of these queries to which the suspect gives the source's class: a model made from the "
        "source repeats most of its mistakes, an independent one makes others.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction and by adversarial training make other mistakes than the source, and are mostly missed "
        "at a low rate of false accusations.",
        "Some inputs are hard for every model of the task. What independent models get wrong in the same way tells "
        "nothing.",
    )
    counts_agreements: ClassVar[bool] = True

    queries: int = 100

    def __post_init__(self) -> None:
        if self.queries < 1:
            raise ValueError("queries must be at least 1")

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """Mistakes in random order, mistaken neighbours of them (mirror images), mistaken mixes (CutMix)."""
        wanted = wanted_queries(context.budget, self.queries)
        wrong = np.flatnonzero(~context.right)
        wrong = wrong[torch.randperm(len(wrong), generator=generator).numpy()]
        data, modality = context.seeds.pairs, context.seeds.modality

        def mistaken(some: Labelled) -> np.ndarray:
            return np.asarray(labels_of(context.source, some.stored, modality=modality) != some.labels)

        chosen = topped_up(data.take(wrong), wanted, data, modality=modality, accepts=mistaken, generator=generator)
        if not len(chosen):
            mixed = ", and mixes of them" if modality.mixes else ""
            raise FingerprintError(
                f"the source classifies all of {len(data)} {modality.plural} rightly{mixed}: give more, or harder ones"
            )
        return Queries(
            stored=chosen.stored,
            labels=chosen.labels,
            group=np.zeros(len(chosen), dtype=np.int64),
            report=crafting_report(len(chosen), wanted, mistakes=min(len(wrong), wanted)),
        )

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """1 minus the Hamming distance of the labels."""
        index = answered_queries(source, answers)
        return float(1 - hamming_distance(source.labels[index], answers.labels[index][None])[0])
