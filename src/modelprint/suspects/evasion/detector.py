"""A detector of attacks that stops answering.

M. Juuti, S. Szyller, S. Marchal, N. Asokan, "PRADA: Protecting Against DNN Model Stealing Attacks", EuroS&P 2019,
Algorithm 3: the distances of a client's queries to the nearest earlier ones of their class are about normal where the
client is honest; the Shapiro-Wilk statistic says when they are not.

Differs from the paper: the statistic is looked at after every tenth query, and the detector refuses what comes after
an alarm, where the paper leaves open what it does. Labels are those of the model that is asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelprint.core.access import Access
from modelprint.core.suspect import UNANSWERED, Answers, Suspect
from modelprint.suspects.evasion.base import EVASIONS, Evading, Evasion

LOOK_EVERY = 10


@EVASIONS.register("detector")
@dataclass(frozen=True, kw_only=True)
class Detector(Evasion):
    """Refuses every query after the distances of a client's queries stop looking normal.

    Attributes:
        delta: the Shapiro-Wilk statistic below which a client is an attacker.
        least: distances before the first look (paper: 100).
    """

    name: ClassVar[str] = "detector"

    delta: float = 0.95
    least: int = 100

    def wrap(self, suspect: Suspect, partner: Suspect | None = None) -> Suspect:
        """The suspect, watching one client from his first query on."""
        return _Watched(suspect, self)


class _Watched(Evading):
    def __init__(self, suspect: Suspect, evasion: Detector) -> None:
        super().__init__(suspect)
        self.evasion = evasion
        self.kept: dict[int, np.ndarray] = {}  # G_c, (room, pixels)
        self.sizes: Counter[int] = Counter()
        self.reaches: dict[int, list[float]] = defaultdict(list)  # D_Gc: the distances at which these were added
        self.distances: list[float] = []  # D
        self.alarm = False

    def _ask(self, images: np.ndarray, access: Access) -> Answers:
        answers = self.suspect.ask(images, access=access)
        flat = self.points(images).reshape(len(images), -1)
        refused = np.array([self._refuses(*query) for query in zip(flat, answers.labels.tolist(), strict=True)], bool)
        scores = None if answers.scores is None else np.where(refused[:, None], np.nan, answers.scores)
        return Answers(labels=np.where(refused, UNANSWERED, answers.labels), scores=scores)

    def _refuses(self, image: np.ndarray, label: int) -> bool:
        """Look at a query, then say whether it gets no answer."""
        if self.alarm:
            return True
        if not self.sizes[label]:
            self._keep(image, label)
            return False
        apart = self.kept[label][: self.sizes[label]] - image
        distance = float(np.sqrt(np.einsum("ij,ij->i", apart, apart).min()))
        self.distances.append(distance)
        reaches = self.reaches[label]
        if not reaches or distance > np.mean(reaches) - np.std(reaches):  # T_c
            self._keep(image, label)
            reaches.append(distance)
        count = len(self.distances)
        if count >= self.evasion.least and count % LOOK_EVERY == 0:
            self.alarm = statistic(np.array(self.distances)) < self.evasion.delta
        return self.alarm

    def _keep(self, image: np.ndarray, label: int) -> None:
        """Add to G_c, whose room doubles as it is needed."""
        size = self.sizes[label]
        room = self.kept.get(label, np.empty((0, len(image)), np.float32))
        if size == len(room):
            self.kept[label] = np.concatenate([room, np.empty((max(8, size), len(image)), np.float32)])
        self.kept[label][size] = image
        self.sizes[label] += 1


def statistic(distances: np.ndarray) -> float:
    """Shapiro-Wilk's W of the distances within three standard deviations of their mean; 0 where all are the same."""
    from scipy import stats  # loads for most of a second

    spread = distances.std()
    some = distances[np.abs(distances - distances.mean()) <= 3 * spread]
    return float(stats.shapiro(some).statistic) if len(some) > 2 and np.ptp(some) > 0 else 0.0
