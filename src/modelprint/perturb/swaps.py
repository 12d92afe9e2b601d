"""A walk over the borders between classes where inputs are tokens: single swaps in place of gradient steps.

The steps are those of ADV-TRA (Xu et al., NeurIPS 2024). Which swaps bring another class nearer is estimated in first
order by the gradient at the embedding (HotFlip, `perturb/embeddings.py`); the best of them are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from modelprint.perturb.embeddings import embedding_of, token_slopes

Inputs = UInt8[np.ndarray, "n length"]
Swapped = Callable[[np.ndarray], np.ndarray]
ShareChanged = Callable[[np.ndarray, np.ndarray], np.ndarray]
TRIED = 48  # swaps that are tried of those with the largest gain in first order


@dataclass(kw_only=True)
class Judge:
    """The source, asked for logits of stored inputs; it counts.

    Attributes:
        ask: logits (n, classes) of stored inputs.
        slope: of one stored input, and two classes: what the first class's logit gains over the second's if a place
            of the input held another token, in first order, (length, tokens); None where the source shows no embedding.
        forwards, backwards: inputs that were evaluated.
    """

    ask: Callable[[Inputs], Float[np.ndarray, "n classes"]]
    slope: Callable[[Inputs, int, int], Float[np.ndarray, "length tokens"]] | None = None
    forwards: int = 0
    backwards: int = 0

    def logits(self, stored: Inputs) -> Float[np.ndarray, "n classes"]:
        """Logits, counted."""
        self.forwards += len(stored)
        return self.ask(stored)

    def likely(self, one: Inputs, swaps: Inputs, target: int, other: int, most: int) -> Inputs:
        """The swaps that bring a class nearest in first order; evenly chosen where no gradient says so."""
        if len(swaps) <= most:
            return swaps
        if self.slope is None:
            step = len(swaps) / most
            some: np.ndarray = swaps[(np.arange(most) * step).astype(int)]
            return some
        self.backwards += 1
        slope = self.slope(one, target, other)
        places = np.arange(swaps.shape[1])
        gains = slope[places, swaps].sum(1) - slope[places, one].sum()
        best: np.ndarray = swaps[np.argsort(-gains, kind="stable")[:most]]
        return best


@dataclass(frozen=True, kw_only=True)
class Walked:
    """The points of one trajectory.

    Attributes:
        stored: x_0, then 2 l points a leg.
        labels: the source's.
        targets: the class of each point's leg; of x_0 its own.
    """

    stored: Inputs
    labels: Int[np.ndarray, " p"]
    targets: Int[np.ndarray, " p"]


@dataclass(frozen=True, kw_only=True)
class SwapWalk:
    """Trajectories by single swaps.

    Attributes:
        swapped: all inputs that differ from one by a swap.
        share_changed: of an input, and some made from it: the share of it that they say otherwise.
        length: l, swaps up to a border, and after it.
        legs: m, the most borders.
        largest_share: of an input that may be changed.
        targets: classes that a leg may try, nearest first.
        brake: the swap over a border and those after it are the ones whose lead is nearest to so much of the largest.
    """

    judge: Judge
    swapped: Swapped
    share_changed: ShareChanged
    length: int
    legs: int
    largest_share: float
    targets: int
    brake: float = 0.9
    tried: int = TRIED

    def walk(self, base: Inputs) -> Walked | None:
        """The trajectory of a base, with as many legs as it gets, at most m; None where it gets none."""
        logits = self.judge.logits(base[None])[0]
        start = int(logits.argmax())
        points, labels, targets, seen = [base], [start], [start], {start}
        met = {base.tobytes()}
        while len(seen) <= self.legs:
            order = [int(one) for one in np.argsort(-logits, kind="stable") if int(one) not in seen]
            for target in order[: self.targets]:
                leg = self._leg(base, points[-1], labels[-1], target, met)
                if leg is not None:
                    break
            else:
                break
            points += [point for point, _ in leg]
            met |= {point.tobytes() for point, _ in leg}
            labels += [labels[-1]] * self.length + [target] * self.length
            targets += [target] * len(leg)
            logits = leg[-1][1]
            seen.add(target)
        if len(points) == 1:
            return None
        return Walked(stored=np.stack(points), labels=np.array(labels), targets=np.array(targets))

    def _leg(
        self, base: Inputs, start: Inputs, own: int, target: int, met: set[bytes]
    ) -> list[tuple[Inputs, np.ndarray]] | None:
        """2 l points with their logits, l of the class they start in, l of the target; None where there are none."""
        points: list[tuple[Inputs, np.ndarray]] = []
        here = start
        met = set(met)
        for step in range(2 * self.length):
            swaps = self.judge.likely(here, self._allowed(base, here, met), target, own, self.tried)
            if not len(swaps):
                return None
            logits = self.judge.logits(swaps)
            lead = logits[:, target] - np.delete(logits, target, axis=1).max(1)
            before = step < self.length
            fits = (logits.argmax(1) == own) if before else lead > 0
            if not fits.any():
                return None
            chosen = self._chosen(np.where(fits, lead, np.nan), before=before)
            here = swaps[chosen]
            met.add(here.tobytes())
            points.append((here, logits[chosen]))
        return points

    def _chosen(self, lead: Float[np.ndarray, " n"], *, before: bool) -> int:
        """Before the border the swap that comes nearest to it, after it the one whose lead the brake asks for."""
        if before:
            return int(np.nanargmax(lead))
        return int(np.nanargmin(np.abs(lead - self.brake * np.nanmax(lead))))

    def _allowed(self, base: Inputs, here: Inputs, met: set[bytes]) -> Inputs:
        swaps = self.swapped(here)
        swaps = swaps[[one.tobytes() not in met for one in swaps]]
        return swaps[self.share_changed(base, swaps) <= self.largest_share] if len(swaps) else swaps


def slopes(model: nn.Module, taken: Callable[[Inputs], Tensor]) -> Callable[[Inputs, int, int], np.ndarray] | None:
    """First-order gains at a model's embedding, which must hold a row for each token; None where it has none such.

    Args:
        taken: stored inputs as the model takes them.
    """
    table = embedding_of(model)
    if table is None:
        return None
    embedding: nn.Embedding = table

    def slope(one: Inputs, target: int, other: int) -> Float[np.ndarray, "length tokens"]:
        gains = token_slopes(model, embedding, taken(one[None]), lambda logits: logits[0, target] - logits[0, other])
        array: np.ndarray = gains[0].cpu().numpy()
        return array

    return slope
