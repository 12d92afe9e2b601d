"""Answers that cannot be those of a model of the fingerprint's task, or of any."""

from __future__ import annotations

import numpy as np

from modelprint.core.errors import MisfitError, SuspectError
from modelprint.core.suspect import Answers


def check_classes(answers: Answers, classes: int, who: str) -> None:
    """Refuse answers of other classes than a fingerprint's.

    Raises:
        MisfitError: more scores, or a higher class.
    """
    if answers.scores is not None and answers.scores.shape[1] != classes:
        raise MisfitError(
            f"{who} tells {answers.scores.shape[1]} classes apart, the fingerprint {classes}: this scheme compares "
            "models of the same classes"
        )
    if len(answers) and answers.labels.max() >= classes:
        raise MisfitError(
            f"{who} answered class {answers.labels.max()}, the fingerprint has classes 0 to {classes - 1}: "
            "is it a model of the same task, and are its labels mapped to indices?"
        )


def check_varied(labels: np.ndarray, source: np.ndarray, who: str) -> None:
    """Refuse answers that are one class throughout, where the source gives several.

    Raises:
        SuspectError: they are.
    """
    heard = labels[labels >= 0]
    if len(heard) >= 20 and len(np.unique(heard)) == 1 and len(np.unique(source)) > 1:
        raise SuspectError(
            f"{who} answers class {heard[0]} to all of {len(heard)} queries: its outputs are constant. Is its "
            "normalisation right (--mean, --std), and does it take inputs in [0, 1] (--range)?"
        )
