"""Contrast on recorded labels: images whose answer a copy keeps and an independent model does not give.

Rare among independent models is not enough: what one model alone answers, it often answers narrowly, and a copy that
was pruned, or sees its images through JPEG, loses it first. How long an answer lasts can be learned, though no copy
of the source is at hand: the selection models have parents of their own. Each founder among them stands in for the
source once, and from what its own members keep, and from what the family nearest to it answers, two regressions learn

    p1 = P(a copy gives the source's answer),    p0 = P(an independent model near to the source gives it)

of an image from what the other families answer to it. The copies are the fifth that keeps least, and the family near to
the stand-in is hidden from the description: what has to be told apart are the worst copy and the nearest independent.
Images are asked in the order of

    p1 - p0 - sqrt(p0 (1 - p0)),

what a copy keeps less what the near independent gives, and a standard deviation more: members of a family err together,
so that a deviation does not grow small with many images. They are chosen as boosting chooses weak learners (Freund,
Schapire, 1997): a few at a time, and a selection model counts the more the more of the chosen answers it has given. So
a relative of the source among the selection models, a sibling or a student of the same teacher, keeps what it shares
with the source from being asked.

Each image weighs the share of the families that answer otherwise, so that further images never hide the rare ones. The
score is the weight of the images that a suspect answers as the source does, less a quarter of the weight of those that
it answers as most others do, over the weight of all: what answers neither way is rather a copy that lost the answer
than an independent model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from modelprint.bench.answers.schemes import ANSWER_SCHEMES, Evidence, Interview
from modelprint.bench.answers.table import founders

LEAST_FAMILIES = 3  # one stands in for the source, one is hidden, one describes
COMMON = 0.5  # an answer that more than half of the independents give tells nothing
FRAILEST = 1 / 5  # of a family: the copies that p1 is learned from
BANDS = ((0.0, 0.04), (0.0, 0.2), (0.2, 0.5))  # of a family, from the least to the most faithful: how each band lasts
ROWS = 3000  # images that each stand-in teaches, at most
BOOST = 0.15  # how much a selection model's weight rises with each agreement, as an exponent
TOGETHER = 10  # images chosen between two changes of the weights
LIGHTEST = 0.01  # of images that all answer alike, beside one that the source answers by itself
AGAINST = 0.25  # what an answer as of most others weighs, against one as of the source
LEAVES, PER_LEAF, ROUNDS, RATE = 8, 100, 60, 0.1  # of the regressions


@ANSWER_SCHEMES.register("contrast")
def contrast(evidence: Evidence, generator: np.random.Generator) -> Interview:
    """The weight of the answers that a copy would keep and others not give; the rarest where nothing is learned.

    Differs from `schemes.contrast`: no image is made and no shadow model trained, so that what a copy keeps is learned
    from other families' copies.
    """
    selection = Selection(evidence)
    given = selection.given(evidence.source)
    order = generator.permutation(len(evidence.truth))
    order = order[np.argsort(given.mean(axis=0)[order], kind="stable")]  # rarest first
    lessons = list(selection.lessons(generator))
    if lessons:
        rare = int(np.searchsorted(given.mean(axis=0)[order], COMMON, side="right"))
        order = order[: max(rare, 5 * evidence.budget)]
        seen = selection.described(evidence.source, given, np.arange(len(given)), order)
        order = order[selection.boosted(evidence.source, order, *_learned(lessons, seen), wanted=evidence.budget)]
    queries = order[: evidence.budget]
    own = evidence.source[queries]
    usual = selection.usual(own, queries)
    weights = (1 - given.mean(axis=0, dtype=np.float64)[queries]).clip(LIGHTEST)
    weights /= weights.sum()
    return Interview(
        queries=queries,
        score=lambda answers: (answers == own) @ weights - AGAINST * ((answers == usual) @ weights),
    )


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What one stand-in for the source teaches.

    Attributes:
        seen: how each image looks from the other families.
        kept: the share of its frailest members that keep its answer; none if it has no members.
        met: the share of the family near to it that gives its answer.
    """

    seen: Float[np.ndarray, "r d"]
    kept: Float[np.ndarray, " r"] | None
    met: Float[np.ndarray, " r"]


class Selection:
    """The selection models, by family (f of them), on all n images."""

    def __init__(self, evidence: Evidence) -> None:
        self.labels, self.truth = evidence.others, evidence.truth
        families = founders(evidence.parents)
        self.founders = np.unique(families)
        self.members = [np.flatnonzero(families == founder) for founder in self.founders]

    def given(self, answers: Int[np.ndarray, " n"]) -> Float[np.ndarray, "f n"]:
        """The share of each family's members that give these answers."""
        return np.stack([self._share(members, answers) for members in self.members])

    def _share(self, members: Int[np.ndarray, " k"], answers: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        share: np.ndarray = (self.labels[members] == answers).mean(axis=0, dtype=np.float32)
        return share

    @cached_property
    def weights(self) -> Float[np.ndarray, " m"]:
        """Of the models: the families weigh alike, and the members of each one, too."""
        weights = np.empty(len(self.labels))
        for members in self.members:
            weights[members] = 1 / (len(members) * len(self.members))
        return weights

    def boosted(
        self,
        own: Int[np.ndarray, " n"],
        images: Int[np.ndarray, " r"],
        p1: Float[np.ndarray, " r"],
        p0: Float[np.ndarray, " r"],
        *,
        wanted: int,
    ) -> Int[np.ndarray, " w"]:
        """The places of the wanted images, the most telling first, where models that agreed count ever more.

        Args:
            own: the source's answers.
            p1, p0: of each image, the chance that a copy, and an independent model, gives the source's answer.
        """
        agree = (self.labels[:, images] == own[images]).astype(np.float32)
        usual, worth = self.weights @ agree, p1 - p0 - np.sqrt(p0 * (1 - p0))
        agreed, left = np.zeros(len(agree)), np.ones(len(images), dtype=bool)
        batches: list[np.ndarray] = []
        wanted = min(wanted, len(images))
        while (missing := wanted - sum(map(len, batches))) > 0:
            blame = self.weights * np.exp(BOOST * (agreed - agreed.max()))
            telling = worth - (blame / blame.sum() @ agree - usual)
            telling = np.round(telling, 9)  # or the order in which a processor adds would break ties
            best = np.argsort(np.where(left, -telling, np.inf), kind="stable")[: min(TOGETHER, missing)]
            batches.append(best)
            left[best] = False
            agreed += agree[:, best].sum(axis=1)
        return np.concatenate(batches)

    def usual(self, own: Int[np.ndarray, " q"], images: Int[np.ndarray, " q"]) -> Int[np.ndarray, " q"]:
        """What most families answer that do not answer as the source; -1 where all do."""
        most_given = np.full(len(images), -1, dtype=np.int64)
        for place, (answers, mine) in enumerate(zip(self.labels[:, images].T, own, strict=True)):
            other = answers != mine
            if other.any():
                most_given[place] = np.bincount(answers[other], weights=self.weights[other]).argmax()
        return most_given

    @cached_property
    def right(self) -> Float[np.ndarray, "f n"]:
        """The share of each family that knows an image."""
        return self.given(self.truth)

    @cached_property
    def by_frailty(self) -> list[Int[np.ndarray, " k"]]:
        """Each family without its founder, those that keep least of his answers first."""
        families = zip(self.founders, self.members, strict=True)
        return [self._frailest_first(founder, members) for founder, members in families]

    def _frailest_first(self, founder: int, members: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        kin = members[members != founder]
        kept = (self.labels[kin] == self.labels[founder]).mean(axis=1)
        ordered: np.ndarray = kin[np.argsort(kept, kind="stable")]
        return ordered

    @cached_property
    def lasting(self) -> Float[np.ndarray, "b f n"]:
        """How much of its founder's answer each band of each family keeps; NaN for a family of one."""
        return np.stack([[self._kept(place, band) for place in range(len(self.founders))] for band in BANDS])

    def _kept(self, place: int, band: tuple[float, float]) -> Float[np.ndarray, " n"]:
        kin = self.by_frailty[place]
        if not len(kin):
            return np.full(len(self.truth), np.nan, dtype=np.float32)
        first = int(band[0] * len(kin))
        part = kin[first : max(first + 1, int(band[1] * len(kin)))]
        return self._share(part, self.labels[self.founders[place]])

    def described(
        self,
        own: Int[np.ndarray, " n"],
        given: Float[np.ndarray, "f n"],
        families: Int[np.ndarray, " g"],
        images: Int[np.ndarray, " r"],
    ) -> Float[np.ndarray, "r d"]:
        """What some families' answers tell of images, and of `own` answers to them."""
        shared = np.sort(given[families][:, images], axis=0)
        right = self.right[families][:, images]
        return np.stack(
            [
                shared.mean(axis=0),
                shared[-1],
                shared[-2] if len(shared) > 1 else shared[-1],
                right.mean(axis=0),
                right.min(axis=0),
                own[images] == self.truth[images],
                *(_mean(band[families][:, images]) for band in self.lasting),
            ],
            axis=1,
        ).astype(np.float32)

    def lessons(self, generator: np.random.Generator) -> Iterator[Lesson]:
        """Of every founder in turn; none where there are too few families, or no copy among them."""
        if len(self.founders) < LEAST_FAMILIES or not any(map(len, self.by_frailty)):
            return
        for place, founder in enumerate(self.founders):
            own = self.labels[founder]
            given = self.given(own)
            others = np.delete(np.arange(len(self.founders)), place)
            near = others[np.argmax(given[others].mean(axis=1))]
            seeing = others[others != near]
            images = np.flatnonzero(given[seeing].mean(axis=0) <= COMMON)
            if len(images) > ROWS:
                images = generator.choice(images, ROWS, replace=False)
            kin = self.by_frailty[place]
            frail = kin[: max(1, int(FRAILEST * len(kin)))]
            yield Lesson(
                seen=self.described(own, given, seeing, images),
                kept=(self.labels[np.ix_(frail, images)] == own[images]).mean(axis=0) if len(kin) else None,
                met=given[near][images],
            )


def _mean(shares: Float[np.ndarray, "f n"]) -> Float[np.ndarray, " n"]:
    """Over the families that have members; -1 where none has."""
    known = ~np.isnan(shares).all(axis=1)
    mean: np.ndarray = shares[known].mean(axis=0) if known.any() else np.full(shares.shape[1], -1.0)
    return mean


def _learned(
    lessons: list[Lesson], seen: Float[np.ndarray, "r d"]
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """p1 and p0 of the source's images, by gradient-boosted trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    copies = [(lesson.seen, lesson.kept) for lesson in lessons if lesson.kept is not None]
    independents = [(lesson.seen, lesson.met) for lesson in lessons]
    learned = []
    for side in (copies, independents):
        trees = HistGradientBoostingRegressor(
            max_iter=ROUNDS, max_leaf_nodes=LEAVES, min_samples_leaf=PER_LEAF, learning_rate=RATE, early_stopping=False
        )
        trees.fit(*(np.concatenate(part) for part in zip(*side, strict=True)))
        learned.append(trees.predict(seen).clip(0.02, 0.98))
    return learned[0], learned[1]
