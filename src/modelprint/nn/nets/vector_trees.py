"""Boosted trees over the rows of a table: tensors like any network's, without gradients, fitted by scikit-learn.

J. H. Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 29(5), 2001, as
scikit-learn's HistGradientBoostingClassifier fits it; only its trees are kept, so that no pickle is needed.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from modelprint.core.errors import ModelError
from modelprint.modalities.vector.spec import VectorSpec
from modelprint.nn.architectures import Fitted, architecture

SHARE = 0.8  # of the columns, drawn for each split: so models of two seeds differ
NEVER = -30.0  # the logit of a class that a fitting saw no row of


class Trees(Fitted):
    """So many trees for each class, whose leaves are summed up; a cell below the threshold goes left.

    Attributes:
        feature, threshold, left, right: (rounds, groups, nodes); left is 0 at leaves.
        value: of leaves, (rounds, groups, nodes). base: of each group.
    """

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    value: Tensor
    base: Tensor

    def __init__(self, *, classes: int, rounds: int, nodes: int, depth: int, leaves: int, rate: float) -> None:
        super().__init__()
        self.classes, self.depth, self.leaves, self.rate = classes, depth, leaves, rate
        shape = (rounds, 1 if classes == 2 else classes, nodes)
        for name in ("feature", "left", "right"):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.int32))
        for name in ("threshold", "value"):
            self.register_buffer(name, torch.zeros(shape))
        self.register_buffer("base", torch.zeros(shape[1]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (n, classes)."""
        rounds, groups, nodes = self.feature.shape
        start = torch.arange(rounds * groups, device=inputs.device) * nodes
        features, thresholds, values = self.feature.flatten().long(), self.threshold.flatten(), self.value.flatten()
        left, right = self.left.flatten().long(), self.right.flatten().long()
        rows = torch.arange(len(inputs), device=inputs.device)[:, None]
        at = start.expand(len(inputs), -1)
        for _ in range(self.depth):
            lower = inputs[rows, features[at]] < thresholds[at].to(inputs.dtype)
            follow = torch.where(lower, left[at], right[at])
            at = torch.where(left[at] > 0, start + follow, at)
        sums = values[at].reshape(len(inputs), rounds, groups).sum(1) + self.base
        return torch.cat([torch.zeros_like(sums), sums], dim=1) if self.classes == 2 else sums

    def fit(self, points: Float[np.ndarray, "n columns"], labels: np.ndarray, *, seed: int) -> None:
        """Grow the trees on labelled rows.

        Raises:
            ModelError: rows of one class only.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        known = np.unique(labels)
        if len(known) < 2:
            raise ModelError("boosted trees learn from two classes or more: all rows are of one")
        rounds, groups, nodes = self.feature.shape
        model = HistGradientBoostingClassifier(
            max_iter=rounds, max_leaf_nodes=self.leaves, max_depth=self.depth, learning_rate=self.rate,
            min_samples_leaf=5, early_stopping=False, max_features=SHARE, random_state=seed % 2**32,
        ).fit(points.astype(np.float64), labels)  # fmt: skip
        places = [0] if groups == 1 else [int(label) for label in model.classes_]
        sides = (1.0,) if len(known) > 2 or groups == 1 else (-0.5, 0.5)  # one tree of two classes, seen from both
        sign = 1.0 if groups > 1 or int(known[0]) == 0 else -1.0
        arrays = {
            name: np.zeros((rounds, groups, nodes)) for name in ("feature", "threshold", "left", "right", "value")
        }
        base = np.full(groups, NEVER)
        start = np.ravel(model._baseline_prediction)
        for index, place in enumerate(places):
            side = sign * (sides[index] if len(sides) > 1 else 1.0)
            base[place] = side * start[0 if len(sides) > 1 else index]
            for number, trees in enumerate(model._predictors):
                tree = trees[0 if len(sides) > 1 else index].nodes
                leaf = tree["is_leaf"].astype(bool)
                inner = slice(0, len(tree))
                arrays["feature"][number, place, inner] = np.where(leaf, 0, tree["feature_idx"])
                # scikit-learn goes left where a cell is at most the threshold, here where it is below
                arrays["threshold"][number, place, inner] = np.nextafter(
                    tree["num_threshold"].astype(np.float32), np.float32(np.inf)
                )
                arrays["left"][number, place, inner] = np.where(leaf, 0, tree["left"])
                arrays["right"][number, place, inner] = np.where(leaf, 0, tree["right"])
                arrays["value"][number, place, inner] = np.where(leaf, side * tree["value"], 0.0)
        self.put(arrays, base)

    def put(self, arrays: dict[str, np.ndarray], base: np.ndarray) -> None:
        """Take these trees."""
        with torch.no_grad():
            for name, values in arrays.items():
                buffer = getattr(self, name)
                buffer.copy_(torch.from_numpy(values).to(buffer.dtype))
            self.base.copy_(torch.from_numpy(base).to(self.base.dtype))


@architecture("vector-trees", modality="vector", normalised=False)
def vector_trees(
    *, inputs: VectorSpec, rounds: int = 40, leaves: int = 15, depth: int = 8, rate: float = 0.2
) -> nn.Module:
    """Boosted trees; categories are ordered as they are listed."""
    return Trees(classes=inputs.classes, rounds=rounds, nodes=2 * leaves - 1, depth=depth, leaves=leaves, rate=rate)
