"""AnaFP: how far beyond the boundary a point may lie, from two bounds.

G. Yang, Z. Geng, Y. Chen, C. Luo, "Fingerprinting Deep Neural Networks for Ownership Protection: An Analytical
Approach", ICLR 2026 (arXiv 2603.21411).

Differs from the paper:
- The abstract and a summary with both bounds were at hand, not the paper. Filled in: the share of seeds that may be
  anchors, the three quantiles (all the median), the grid, and how the Lipschitz constant is taken (the largest change
  of a logit from the anchor to the boundary point, over the length of the way).
- The way to the boundary is DeepFool's, not that of C&W with 3,000 steps.
- epsilon is the change of logits from the source to a surrogate at the stretched point itself, so that the lower bound
  depends on tau: each tau of the grid is tried.
- Anchors are seeds that the source was not trained on.
- Where too few anchors have room between the bounds, those that lack least are taken; the report says how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from modelprint.core.errors import FingerprintError
from modelprint.core.quantities import Quantity
from modelprint.core.suspect import Answers
from modelprint.perturb.deepfool import deepfool
from modelprint.perturb.precision import DTYPES, Precision
from modelprint.schemes.asked import answered_queries, crafting_report, wanted_queries
from modelprint.schemes.base import SCHEMES, Effort, Enrollment, Needs, Queries, Scheme, State
from modelprint.schemes.pools import Pools, margin, opened_pools
from modelprint.stats.labels import hamming_distance
from modelprint.training.labels import labels_of

BATCH = 256
WALK = 12.0  # gradients that DeepFool takes for each anchor, about


@dataclass(frozen=True, kw_only=True)
class Stretched:
    """Points beyond the boundary.

    Attributes:
        stored: (n, ...).
        tau: the stretch factors, (n,).
        slack: the smaller distance of tau from its two bounds, (n,); below 0 where there is no room.
    """

    stored: np.ndarray
    tau: Float[np.ndarray, " n"]
    slack: Float[np.ndarray, " n"]


@SCHEMES.register("anafp")
@dataclass(frozen=True, kw_only=True)
class AnaFP(Scheme):
    """Points x + tau delta, tau between the bound of robustness and that of uniqueness.

    Attributes:
        queries: how many, where no budget says otherwise.
        anchors: the share of rightly classified seeds, those of the largest margin, that points may start from.
        quantile_eps, quantile_margin, quantile_lip: over surrogates, of the change of logits; over references, of the
            margin at the anchor, and of the Lipschitz constant.
        grid: how many stretch factors are tried; `most`: the largest.
        tries: anchors tried for each query wanted.
        precision: of all computing; in single it comes out again on like processors only.
    """

    name: ClassVar[str] = "anafp"
    title: ClassVar[str] = "AnaFP: points at an analytic distance from the boundary"
    explanation: ClassVar[tuple[str, ...]] = (
        "Queries are inputs of which the source is sure, moved the shortest way across its boundary and some way "
        "beyond: far enough that copies still give the new class, not so far that independent models do. Both bounds "
        "are computed for each point, on models that were made at enrollment.",
        "The score is the share of these points to which the suspect gives the source's class.",
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Copies by extraction put their boundaries elsewhere, and are mostly missed.",
        "Both bounds are first-order estimates from few models: a point between them may still fail.",
    )
    counts_agreements: ClassVar[bool] = True
    crafting: ClassVar[tuple[Quantity, ...]] = (
        Quantity(
            key="feasible",
            title="Points with room between the bounds",
            form="share",
            printed="{value:.1%} of points lie between both bounds",
        ),
    )

    queries: int = 100
    anchors: float = 0.5
    quantile_eps: float = 0.5
    quantile_margin: float = 0.5
    quantile_lip: float = 0.5
    grid: int = 24
    most: float = 4.0
    tries: float = 2.0
    precision: Precision = "double"

    def __post_init__(self) -> None:
        if self.queries < 1 or self.grid < 2 or self.most <= 1 or self.tries < 1:
            raise ValueError("queries and tries must be at least 1, grid at least 2, most above 1")
        if not all(0 <= one <= 1 for one in (self.quantile_eps, self.quantile_margin, self.quantile_lip)):
            raise ValueError("quantiles must lie in [0, 1]")
        if not 0 < self.anchors <= 1:
            raise ValueError("anchors must lie in (0, 1]")

    @property
    def needs(self) -> Needs:
        """Gradients of the source; scores of shadow models."""
        return Needs(source="gradients", space="continuous", shadows=True)

    def effort(self, context: Enrollment) -> Effort:
        """The way to the boundary, and a grid of points through the source and all surrogates."""
        wanted = wanted_queries(context.budget, self.queries)
        tried = min(len(context.seeds), int(self.tries * wanted))
        models = self.grid * (1.0 + len(context.surrogates)) + 2.0 * len(context.references)
        return Effort(
            queries=wanted,
            answers=len(context.seeds) + tried * models,
            gradients=tried * WALK,
            together=min(BATCH, tried),
        )

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        """The points with most room between the bounds, these first."""
        wanted = wanted_queries(context.budget, self.queries)
        data = context.seeds
        right = np.flatnonzero(context.right)
        device = next(context.source.parameters()).device
        with opened_pools(context, self.precision) as pools:
            sure = right[self._order(context, pools, right)][: max(1, round(self.anchors * len(right)))]
            index = sure[torch.randperm(len(sure), generator=generator).numpy()][: int(self.tries * wanted)]
            parts: list[Stretched] = []
            for first in range(0, len(index), BATCH):
                context.progress("stretched points", first, len(index))
                chosen = index[first : first + BATCH]
                start = data.modality.to_model(data.stored[chosen], device=device, dtype=DTYPES[self.precision])
                parts.append(self._stretched(context, pools, start, torch.from_numpy(data.labels[chosen]).to(device)))
        context.progress("stretched points", len(index), len(index))
        stored = np.concatenate([part.stored for part in parts])
        slack, tau = (np.concatenate([getattr(part, name) for part in parts]) for name in ("slack", "tau"))
        crossed = labels_of(context.source, stored, modality=data.modality) != data.labels[index]
        slack = np.where(crossed, slack, -np.inf)
        best = np.argsort(-slack.round(6), kind="stable")[:wanted]
        best = best[np.isfinite(slack[best])]
        if not len(best):
            raise FingerprintError(f"none of {len(index)} points crossed the boundary: set most or anchors higher")
        return Queries(
            stored=stored[best],
            labels=data.labels[index[best]],
            group=np.zeros(len(best), dtype=np.int64),
            columns={"tau": tau[best], "slack": slack[best]},
            report=crafting_report(
                len(best),
                wanted,
                tried=len(index),
                feasible=float((slack[best] > 0).mean()),
                mean_tau=float(tau[best].mean()),
            ),
        )

    def _order(self, context: Enrollment, pools: Pools, right: np.ndarray) -> np.ndarray:
        """Of rightly classified seeds, the largest margin g_P(x) first."""
        data = context.seeds
        device = next(context.source.parameters()).device
        margins = []
        with torch.no_grad():
            for first in range(0, len(right), BATCH):
                part = right[first : first + BATCH]
                points = data.modality.to_model(data.stored[part], device=device, dtype=DTYPES[self.precision])
                margins.append(margin(pools.source(points), torch.from_numpy(data.labels[part]).to(device)).cpu())
        return np.argsort(-torch.cat(margins).numpy().round(6), kind="stable")

    def _stretched(
        self, context: Enrollment, pools: Pools, start: Float[Tensor, "n ..."], own: Int[Tensor, " n"]
    ) -> Stretched:
        """x* = x_a + tau delta*, tau of the grid with the most slack."""
        modality = context.seeds.modality
        way = deepfool(pools.source, start).shift
        length = way.flatten(1).norm(dim=1).clamp(min=1e-12)
        slope = _slope(pools.source, start + way, own)  # c_g
        with torch.no_grad():
            upper = self._upper(pools, start, start + way, own, length)
            taus = torch.linspace(1.0, self.most, self.grid + 1, dtype=torch.float64)[1:]
            slacks = []
            for tau in taus.tolist():
                point = modality.box.clip(start + tau * way)
                logits = pools.source(point)
                shifts = torch.stack([(model(point) - logits).abs().amax(1) for model in pools.surrogates])
                eps = torch.quantile(shifts.double(), self.quantile_eps, dim=0)
                lower = 1 + 2 * eps / (slope * length).clamp(min=1e-12)  # tau > tau_lower
                slacks.append(torch.minimum(tau - lower, upper - tau))
        slack = torch.stack(slacks, dim=1).cpu().numpy().round(6)
        best = slack.argmax(1)
        tau = taus.numpy()[best]
        shape = (-1, *[1] * (way.ndim - 1))
        ended = modality.box.clip(start + torch.from_numpy(tau).to(start).reshape(shape) * way)
        return Stretched(
            stored=modality.to_stored(ended).cpu().numpy(), tau=tau, slack=slack[np.arange(len(best)), best]
        )

    def _upper(
        self, pools: Pools, start: Tensor, border: Tensor, own: Int[Tensor, " n"], length: Tensor
    ) -> Float[Tensor, " n"]:
        """Tau < m_min / (2 L_uniq |delta*|), of the references."""
        before = [model(start) for model in pools.references]
        after = [model(border) for model in pools.references]
        margins = torch.stack([margin(logits, own) for logits in before]).double()
        changes = [(one - other).abs().amax(1) / length for one, other in zip(after, before, strict=True)]
        least = torch.quantile(margins, self.quantile_margin, dim=0)
        lipschitz = torch.quantile(torch.stack(changes).double(), self.quantile_lip, dim=0)
        return least / (2 * lipschitz * length).clamp(min=1e-12)

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        """The matching rate: the share of the source's labels that the suspect gives, too."""
        index = answered_queries(source, answers)
        return float(1 - hamming_distance(source.labels[index], answers.labels[index][None])[0])


def _slope(model: nn.Module, points: Float[Tensor, "n ..."], own: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """c_g = ||grad g_P(q)||_2, g_P the margin of the own class."""
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(margin(model(points), own).sum(), points)
    slopes: Tensor = gradient.flatten(1).norm(dim=1)
    return slopes
