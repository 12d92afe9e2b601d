"""ADV-TRA: adversarial trajectories.

T. Xu, C. Wang, G. Liu, Y. Yang, K. Peng, W. Liu, "United We Stand, Divided We Fall: Fingerprinting Deep Neural Networks
via Adversarial Trajectories", NeurIPS 2024. Equation numbers are the paper's.

Differs from the paper:
- The default imposes s_{i+1} = a_brk s_i and finds the one scale left by doubling and bisection (perturb/probing.py),
  for all base samples in one batch; the preset "paper" has the published probing.
- Points are rounded to what is stored (images: 8 bits) before the source sees them, in probing, too, so that a stored
  PNG flips the label as the probed point did; the preset "paper" keeps floats.
- The walk is in double precision, so that it comes out again on another processor.
- A failed leg tries another target before its base is given up; the joint of two legs is stored once.
- Where there are more than `near` (30) other classes, targets are drawn among the `near` whose logits are highest at
  x_0, the search begins with the smallest step, and a target is given up as soon as longer steps end no closer to it:
  of a thousand classes few are reached in l steps (docs/design/0010-large-inputs.md). The paper draws among all.
- Bases are inputs the source was not trained on, and classifies rightly.
- Of texts, which have no small steps, each step is one swap (`schemes/adv_tra_swaps.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float

from modelprint.core.errors import FingerprintError
from modelprint.core.quantities import Quantity
from modelprint.core.sections import Exhibit, Section
from modelprint.core.suspect import Answers
from modelprint.modalities.space import Box, Tokens
from modelprint.perturb.evaluate import Evaluator, TargetLoss, frozen
from modelprint.perturb.precision import Precision, in_precision
from modelprint.perturb.probing import Bisection, LengthControl, Probe
from modelprint.perturb.surface import Border, SurfaceWalk, Trajectories
from modelprint.perturb.swaps import TRIED
from modelprint.schemes.adv_tra_report import CRAFTING, PUBLISHED, QUANTITIES, trajectory_sections
from modelprint.schemes.adv_tra_swaps import swap_queries
from modelprint.schemes.base import SCHEMES, Asker, Effort, Enrollment, Needs, Queries, Scheme, ShadowAnswers, State
from modelprint.schemes.published import Published


@SCHEMES.register("adv-tra")
@dataclass(frozen=True, kw_only=True)
class AdvTra(Scheme):
    """Surface trajectories: m fixed-length, bilateral legs, each across the boundary of another class.

    Attributes:
        trajectories: base samples that end in a trajectory (paper: 100).
        l: steps up to the boundary; a leg has 2 l (paper: 2).
        m: classes spanned; at most one less than there are (paper: 10 of 100).
        brake: a_brk, each step over the one before (paper: .9); of texts, the lead of a class beyond its border, over
            the largest that one swap gives it.
        match: a trajectory matches when its mutation rate is below this (paper: .5).
        probing: "bisection" of one scale, or "length-control" of every step as published.
        first_step: the first step size tried, as a share of the range of a coordinate.
        largest_step: bisection gives a target up beyond this; of texts, the largest share of words that may be changed.
        attempts: walks per target (released code: 300).
        retries: other targets that a failed leg may try.
        near: where there are more other classes, targets are drawn among so many, the nearest at x_0 by their logits.
        walk: the version of the walk; fingerprints that name none were made by 1, which draws targets among all classes
            and begins with `first_step`. With at most `near` other classes 2 makes the same points.
        length_control: a_lc (released code: .9).
        rate: learning rate of the brake and forward losses.
        loss: towards the target: cross-entropy, or minus its logit (released code).
        border: coordinates that would leave their range are clipped, or stay there for that step (released code).
        eight_bit: whether points are rounded to what is stored (images: 8 bits).
        precision: of the walk; in single it comes out again on like processors only.
        batch: trajectories under way at once; bounds the memory.
    """

    name: ClassVar[str] = "adv-tra"
    title: ClassVar[str] = "ADV-TRA: adversarial trajectories"
    explanation: ClassVar[tuple[str, ...]] = (
        "A fingerprint of ADV-TRA is a set of trajectories. Each starts at {one_input} that the source classifies "
        "rightly, and moves in small changes across one boundary after another between the source's classes. Where "
        "exactly these boundaries run differs from one trained model to the next.",
        "The suspect is asked for the class of every point. A model made from the source has inherited its boundaries, "
        "and mostly gives the same answers. The mutation rate is the share of a trajectory's points, after the first, "
        "whose answer differs; a trajectory matches when its mutation rate is below {match:g}. The score is the share "
        "of trajectories that match, plus at most 0.001 for a low mean mutation rate, to tell equal shares apart.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction (training a new model on the source's answers) and by strong adversarial training are "
        "expected to be missed: their boundaries run elsewhere, and they answer as independent models do.",
        "Re-training all layers and heavy pruning weaken the trace: such copies may or may not be found.",
    )
    counts_agreements: ClassVar[bool] = True
    crafting: ClassVar[tuple[Quantity, ...]] = CRAFTING
    before_named: ClassVar[Mapping[str, Any]] = {"precision": "single", "walk": 1}
    published: ClassVar[Published | None] = PUBLISHED
    quantities: ClassVar[tuple[Quantity, ...]] = QUANTITIES

    trajectories: int = 100
    l: int = 2  # noqa: E741 - the paper's symbol
    m: int = 9
    brake: float = 0.9
    match: float = 0.5
    probing: Literal["bisection", "length-control"] = "bisection"
    first_step: float = 0.02
    largest_step: float = 0.5
    attempts: int = 10
    retries: int = 8
    near: int = 30
    walk: Literal[1, 2] = 2
    length_control: float = 0.9
    rate: float = 0.1
    loss: TargetLoss = "cross-entropy"
    border: Border = "clip"
    eight_bit: bool = True
    precision: Precision = "double"
    batch: int = 256

    def __post_init__(self) -> None:
        if min(self.trajectories, self.l, self.m, self.attempts, self.near, self.batch) < 1:
            raise ValueError("trajectories, l, m, attempts, near and batch must be at least 1")
        if not (0 < self.brake < 1 and 0 < self.length_control < 1 and 0 < self.match <= 1):
            raise ValueError("brake, length_control and match must lie between 0 and 1")
        if self.walk not in (1, 2):
            raise ValueError(f"walk {self.walk} is unknown: this version walks 1 or 2")

    @classmethod
    def preset(cls, name: str) -> AdvTra:
        """The default, or as published ("paper": m = 10, for 100 classes and more; the released code's constants)."""
        if name != "paper":
            return super().preset(name)
        return cls(
            m=10,
            probing="length-control",
            first_step=0.05,
            attempts=300,
            retries=0,
            loss="logit",
            border="stay",
            eight_bit=False,
        )

    @property
    def needs(self) -> Needs:
        """Gradients."""
        return Needs(source="gradients", space="continuous", swaps=True)

    def effort(self, context: Enrollment) -> Effort:
        """Three gradients for each step: on digits 2.1 to 2.9 were counted, of 224 x 224 images 1.9."""
        points = self.points(context.seeds.classes)
        count = self.trajectories if context.budget is None else min(self.trajectories, context.budget // points)
        if isinstance(context.seeds.modality.space, Tokens):
            tried = TRIED * count * (points - 1)
            return Effort(queries=count * points, answers=len(context.seeds) + tried, gradients=0.0, together=TRIED)
        return Effort(
            queries=count * points,
            answers=len(context.seeds),
            gradients=3.0 * count * (points - 1),
            together=min(self.batch, count),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """One surface trajectory from each of the first bases that the source classifies rightly."""
        right = np.flatnonzero(context.right)
        order = right[torch.randperm(len(right), generator=generator).numpy()]
        if isinstance(context.seeds.modality.space, Tokens):
            return swap_queries(self, context, order)
        wanted = self.trajectories
        if context.budget is not None:
            wanted = min(wanted, context.budget // self.points(context.seeds.classes))
            if not wanted:
                raise FingerprintError(
                    f"a budget of {context.budget} holds no whole trajectory of {self.points(context.seeds.classes)} "
                    "queries: raise it, or lower l or m"
                )
        walked, tried, evaluator = self._walk_bases(context, order, wanted, generator)
        if not walked:
            raise FingerprintError(
                f"none of {tried} bases ended in a trajectory of l={self.l}, m={self.m}: lower m or l, raise attempts"
            )
        trajectories = Trajectories.joined(walked)
        return self._queries(trajectories, context, order, tried, evaluator)

    def points(self, classes: int) -> int:
        """Queries of one trajectory: x_0 and 2 l m points after it."""
        return 2 * self.l * self._legs(classes) + 1

    def _legs(self, classes: int) -> int:
        return min(self.m, classes - 1)

    def _nearest_only(self, classes: int) -> bool:
        """Whether there are so many classes that most of them are out of reach, and targets the nearest only."""
        return self.walk == 2 and self.probing == "bisection" and classes - 1 > self.near

    def _probe(self, count: int, classes: int, box: Box) -> Probe:
        if self.probing == "length-control":
            return LengthControl(
                count=count,
                length=self.l,
                brake=self.brake,
                first=self.first_step * box.span,
                length_control=self.length_control,
                rate=self.rate,
                attempts=self.attempts,
                precision=self.precision,
            )
        return Bisection(
            count=count,
            length=self.l,
            brake=self.brake,
            first=0.0 if self._nearest_only(classes) else self.first_step * box.span,
            smallest=box.step if self.eight_bit else 1e-6,
            largest=self.largest_step * box.span,
            attempts=self.attempts,
            hasty=self._nearest_only(classes),
            precision=self.precision,
        )

    def _walk_bases(
        self, context: Enrollment, order: np.ndarray, wanted: int, generator: torch.Generator
    ) -> tuple[list[Trajectories], int, Evaluator]:
        device, modality = next(context.source.parameters()).device, context.seeds.modality
        walked: list[Trajectories] = []
        done = tried = 0
        with frozen(in_precision(context.source, self.precision, shape=context.seeds.shape)) as model:
            classes = context.seeds.classes
            nearest_only = self._nearest_only(classes)
            evaluator = Evaluator(model, loss=self.loss, sparing=nearest_only)
            while done < wanted and tried < len(order):
                context.progress("trajectories", done, wanted)
                index = order[tried : tried + min(self.batch, wanted - done)]
                walk = SurfaceWalk(
                    evaluator=evaluator,
                    probe=self._probe(len(index), classes, modality.box),
                    bases=torch.from_numpy(context.seeds.stored[index]).to(device),
                    labels=context.seeds.labels[index],
                    classes=classes,
                    length=self.l,
                    legs=self._legs(classes),
                    retries=self.retries,
                    near=self.near if nearest_only else classes,
                    sparing=nearest_only,
                    border=self.border,
                    eight_bit=self.eight_bit,
                    precision=self.precision,
                    generator=generator,
                    modality=modality,
                )
                trajectories = self._walked(context, walk, f"bases from {tried}", done, wanted).numbered_from(tried)
                tried += len(index)
                done += len(trajectories)
                walked.append(trajectories)
        context.progress("trajectories", min(done, wanted), wanted)
        return [part for part in walked if len(part)], tried, evaluator

    def _walked(self, context: Enrollment, walk: SurfaceWalk, name: str, done: int, wanted: int) -> Trajectories:
        """The trajectories of one batch of bases, or what is kept of them; `done`: trajectories of batches before."""
        loop = context.unfinished.loop("trajectories", name)

        def after_round() -> None:
            context.progress("trajectories", min(done + walk.done, wanted), wanted)
            loop.offer(walk.state)

        def compute() -> dict[str, np.ndarray]:
            begun = loop.latest()
            if begun is not None:
                walk.restore(begun)
            ended = walk.run(after_round)
            return {
                "images": ended.images,
                "labels": ended.labels,
                "targets": ended.targets,
                "base": ended.base,
                "evaluations": np.array([walk.evaluator.forwards, walk.evaluator.backwards]),
            }

        arrays = context.unfinished.piece(name, compute)
        walk.evaluator.forwards, walk.evaluator.backwards = (int(value) for value in arrays.pop("evaluations"))
        return Trajectories(**arrays)

    def _queries(
        self, trajectories: Trajectories, context: Enrollment, order: np.ndarray, tried: int, evaluator: Evaluator
    ) -> Queries:
        count, points = trajectories.labels.shape
        images = trajectories.images.reshape(count * points, *trajectories.images.shape[2:])
        true_labels = context.seeds.labels[order[trajectories.base]]
        steps = (points - 1) * count
        return Queries(
            stored=images,
            labels=np.repeat(true_labels, points),
            group=np.repeat(np.arange(count), points),
            columns={
                "position": np.tile(np.arange(points), count),
                "target": trajectories.targets.reshape(-1),
                "probed": trajectories.labels.reshape(-1),
            },
            report={
                "trajectories": count,
                "bases_tried": tried,
                "success_rate": count / tried,
                "path_length_linf": float(trajectories.path_lengths(context.seeds.modality).mean()),
                "flips_per_trajectory": float((np.diff(trajectories.labels, axis=1) != 0).sum(1).mean()),
                "classes_per_trajectory": float(np.mean([len(np.unique(row)) for row in trajectories.labels])),
                "forward_evaluations": evaluator.forwards,
                "backward_evaluations": evaluator.backwards,
                "steps": steps,
            },
        )

    def asker(self, state: State, budget: int | None = None) -> Asker:
        """Whole trajectories only."""
        group = state["group"]
        if budget is None or budget >= len(group):
            return Asker(len(group))
        sizes = np.bincount(group)
        return Asker(int(sizes[np.cumsum(sizes) <= budget].sum()))

    def mutation_rates(self, state: State, source: Answers, answers: Answers) -> Float[np.ndarray, " t"]:
        """r_mut of each trajectory over its answered points after x_0 (Eq. 9); NaN where none was answered."""
        counted = (state["position"] > 0) & answers.answered
        mutated = counted & (answers.labels != source.labels)
        total = np.bincount(state["group"][counted], minlength=int(state["group"].max()) + 1)
        changed = np.bincount(state["group"][mutated], minlength=len(total))
        with np.errstate(invalid="ignore"):
            rates: Float[np.ndarray, " t"] = np.where(total > 0, changed / np.maximum(total, 1), np.nan)
        return rates

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The detection rate, ties broken by the mean mutation rate."""
        rates = self.mutation_rates(state, source, answers)
        rates = rates[~np.isnan(rates)]
        return float((rates < self.match).mean() + 0.001 * (1 - rates.mean()))

    def details(self, state: State, source: Answers, answers: Answers) -> dict[str, Any]:
        """Matched trajectories, of how many, and their mean mutation rate."""
        rates = self.mutation_rates(state, source, answers)
        rates = rates[~np.isnan(rates)]
        return {
            "matched": int((rates < self.match).sum()),
            "trajectories": len(rates),
            "mean_mutation_rate": float(rates.mean()),
        }

    def sections(self, exhibit: Exhibit) -> Sequence[Section]:
        """Mutation rates by trajectory and by point, and the first trajectory query by query."""
        return trajectory_sections(self, exhibit)

    def fit(self, queries: Queries, source: Answers, shadows: ShadowAnswers, generator: torch.Generator) -> State:
        """Trajectory, position and target of each query."""
        return {
            "group": queries.group.astype(np.int64),
            "position": queries.columns["position"].astype(np.int64),
            "target": queries.columns["target"].astype(np.int64),
        }
