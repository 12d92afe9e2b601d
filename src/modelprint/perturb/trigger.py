"""A universal trigger: tokens that, in front of any input, change the labels of most of them.

E. Wallace, S. Feng, N. Kandpal, M. Gardner, S. Singh, "Universal Adversarial Triggers for Attacking and Analyzing NLP",
EMNLP 2019: place after place, the tokens with the largest gain in first order (HotFlip, `perturb/embeddings.py`) are
tried, and the best is kept.

Differs from the paper: the labels to be left are the model's own, and no class is aimed at, as in universal
perturbations of images (`perturb/uap.py`); the loss of one input is clipped; no beam, and a token is exchanged only
where the loss grows; tokens are bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.unfinished import NOT_KEPT, LoopState
from modelprint.perturb.embeddings import byte_embedding, embedding_of, token_slopes

Inputs = UInt8[np.ndarray, "n length"]
Front = UInt8[np.ndarray, " size"]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """How a search reads and writes inputs.

    Attributes:
        fronted: inputs with tokens in front.
        taken: stored inputs as a model takes them.
        tokens: what a trigger may be written in.
    """

    fronted: Callable[[Inputs, Front], Inputs]
    taken: Callable[[Inputs], Tensor]
    tokens: UInt8[np.ndarray, " tokens"]


@dataclass(frozen=True, kw_only=True)
class TriggerSearch:
    """Greedy search, one place of the trigger after the other.

    Attributes:
        sweeps: passes over the places, at most; the search ends with one that changes nothing.
        tried: tokens of a place, those with the largest gain in first order. Of models that show no embedding of bytes
            all tokens are tried.
        batch: inputs that the loss is the mean of.
        beta: where the loss of one input is clipped, so that few inputs do not dominate.
    """

    sweeps: int = 4
    tried: int = 12
    batch: int = 128
    beta: float = 9.0

    def find(
        self,
        model: nn.Module,
        stored: Inputs,
        *,
        size: int,
        texts: Texts,
        generator: torch.Generator,
        loop: LoopState = NOT_KEPT,
    ) -> Front:
        """A trigger of so many tokens.

        Args:
            model: returns logits; in evaluation mode.
            stored: what the trigger is learned from; `batch` of them are drawn.
            loop: where its state is kept; nowhere unless given.
        """
        drawn = torch.randperm(len(stored), generator=generator)[: self.batch].numpy()
        front: np.ndarray = texts.tokens[torch.randint(len(texts.tokens), (size,), generator=generator).numpy()]
        asked = _Asked.of(model, stored[drawn], texts, beta=self.beta)
        begun, first = loop.latest(), 0
        if begun is not None:
            front, first = begun["front"].copy(), int(begun["sweeps"])
        best = asked.loss(front)
        for number in range(first, self.sweeps):
            before = front
            for place in range(size):
                for token in asked.likely(front, place, most=self.tried):
                    other = front.copy()
                    other[place] = token
                    loss = asked.loss(other)
                    if loss > best:
                        front, best = other, loss
            loop.offer(partial(_state, front, number + 1))
            if np.array_equal(before, front):
                break
        return front


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A model and the inputs that a trigger is put in front of.

    Attributes:
        embedding: of bytes; None where the model shows none.
        stored, labels: inputs, and the labels that the model gives them.
        beta: where the loss of one input is clipped.
    """

    model: nn.Module
    embedding: nn.Embedding | None
    texts: Texts
    stored: Inputs
    labels: Tensor
    beta: float

    @classmethod
    def of(cls, model: nn.Module, stored: Inputs, texts: Texts, *, beta: float) -> _Asked:
        """The model, asked once without a trigger."""
        taken = texts.taken(stored)
        with torch.no_grad():
            labels = model(taken).argmax(1)
        embedding = embedding_of(model) if byte_embedding(model, taken[:1]) else None
        return cls(model=model, embedding=embedding, texts=texts, stored=stored, labels=labels, beta=beta)

    def loss(self, front: Front) -> float:
        """The mean loss of the inputs with a trigger."""
        with torch.no_grad():
            return float(self._losses(self.model(self._taken(front))).mean())

    def likely(self, front: Front, place: int, *, most: int) -> UInt8[np.ndarray, " tried"]:
        """Other tokens for a place of the trigger: all, or those with the largest gain in first order."""
        others: np.ndarray = self.texts.tokens[self.texts.tokens != front[place]]
        if self.embedding is None:
            return others
        slopes = token_slopes(self.model, self.embedding, self._taken(front), lambda logits: self._losses(logits).sum())
        gains = slopes[:, place].sum(0).cpu().numpy()[others]
        best: np.ndarray = others[np.argsort(-gains, kind="stable")[:most]]
        return best

    def _taken(self, front: Front) -> Tensor:
        return self.texts.taken(self.texts.fronted(self.stored, front))

    def _losses(self, logits: Float[Tensor, "n classes"]) -> Float[Tensor, " n"]:
        return functional.cross_entropy(logits, self.labels, reduction="none").clamp(max=self.beta)


def _state(front: Front, sweeps: int) -> dict[str, np.ndarray]:
    return {"front": front.copy(), "sweeps": np.array(sweeps)}
