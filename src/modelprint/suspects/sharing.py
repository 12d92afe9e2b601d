"""A suspect that several fingerprints ask: each input is put to it once."""

from __future__ import annotations

import numpy as np

from modelprint.core.access import Access
from modelprint.core.convention import Advice, Convention
from modelprint.core.identity import stored_hashes
from modelprint.core.suspect import Answers, Cost, Suspect


class AskedOnce(Suspect):
    """The same suspect; answers are kept in memory.

    Attributes:
        inner: the suspect itself. `finish` does not reach it: call `inner.finish()` after the last fingerprint.
        asked: how many inputs were put to it.
    """

    def __init__(self, inner: Suspect) -> None:
        self.inner = inner
        self.identity, self.access, self.free = inner.identity, inner.access, inner.free
        self.notes, self.budget = inner.notes, inner.budget
        self.lacking, self.modality = inner.lacking, inner.modality
        self.asked = 0
        self._known: dict[tuple[str, Access], Answers] = {}

    def cost(self, inputs: np.ndarray, *, access: Access) -> Cost:
        """The inner suspect's."""
        return self.inner.cost(inputs, access=access)

    @property
    def repeats(self) -> bool:
        """As the inner suspect."""
        return self.inner.repeats

    def again(self, inputs: np.ndarray, *, access: Access) -> Answers | None:
        """The inner suspect's answers, asked anew."""
        answers = self.inner.again(inputs, access=access)
        self.asked += 0 if answers is None else len(inputs)
        return answers

    def in_form(self, convention: Convention) -> Suspect | None:
        """The inner suspect, asked in another form."""
        return self.inner.in_form(convention)

    def advice(self, convention: Convention | None = None) -> Advice:
        """The inner suspect's."""
        return self.inner.advice(convention)

    def _ask(self, inputs: np.ndarray, access: Access) -> Answers:
        hashes = stored_hashes(inputs)
        new = np.array([(one, access) not in self._known for one in hashes])
        if new.any():
            fresh = self.inner.ask(inputs[new], access=access)
            self.asked += int(new.sum())
            for row, place in enumerate(np.flatnonzero(new)):
                self._known[hashes[place], access] = fresh.take(np.array([row]))
        rows = [self._known[one, access] for one in hashes]
        labels = np.concatenate([row.labels for row in rows])
        scores = [row.scores for row in rows if row.scores is not None]
        return Answers(labels=labels, scores=np.concatenate(scores) if len(scores) == len(rows) else None)
