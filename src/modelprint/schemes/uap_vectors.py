"""Fingerprint vectors: what a model says to the points of a view, without and with the perturbation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from modelprint.core.suspect import Answers


def whole_views(answered: Bool[np.ndarray, " q"], view: np.ndarray) -> Bool[np.ndarray, " m"]:
    """Which views were answered completely.

    >>> whole_views(np.array([True, True, True, False]), np.array([0, 0, 1, 1])).tolist()
    [True, False]
    """
    holes = np.bincount(view[~answered], minlength=int(view.max()) + 1)
    whole: Bool[np.ndarray, " m"] = holes == 0
    return whole


def fingerprint_vectors(answers: Answers, view: np.ndarray, classes: int) -> Float[np.ndarray, "m d"]:
    """One row for each view, d = 2 n classes: the probabilities of its points, clean ones first; NaN where unanswered.

    Queries lie view by view, all views of one size.

    >>> answers = Answers(labels=np.array([0, 1, 1, 1]))
    >>> fingerprint_vectors(answers, np.array([0, 0, 1, 1]), 2).tolist()
    [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0]]
    """
    return answers.probabilities(classes).reshape(int(view.max()) + 1, -1)
