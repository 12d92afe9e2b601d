"""A digits source with shadow models, copies and strangers, trained once per test process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from modelprint.attacks import run_attack
from modelprint.core.suspect import UNANSWERED, Answers, answers_from_scores
from modelprint.core.verdict import Verdict
from modelprint.nn.loading import LoadedModel
from modelprint.nn.refs import ModelRef, held
from modelprint.ownership.craft import Crafted
from modelprint.schemes.base import Enrollment, Scheme
from modelprint.training.loop import predict
from modelprint.training.train import default_recipe, train_model
from tests.conftest import Digits

THEFTS = (("ftal", {"epochs": "2"}), ("prune", {"rate": "0.4", "finetune_epochs": "1"}), ("rtal", {"epochs": "2"}))


def copies(digits: Digits, count: int = 3, *, seed: int = 0) -> tuple[nn.Module, ...]:
    """Models made from the source."""
    return tuple(_copy(_Key(digits), number, seed) for number in range(count))


def strangers(digits: Digits, count: int, *, seed: int, epochs: int = 10) -> tuple[nn.Module, ...]:
    """Independent models of the same data and architecture."""
    return tuple(_stranger(_Key(digits), seed + number, epochs) for number in range(count))


def enrolled(digits: Digits) -> Enrollment:
    """What a scheme makes its queries from, shadow models and training images included."""
    return Enrollment(
        source=digits.source,
        seeds=digits.queries,
        train_images=digits.owner,
        surrogates=held(copies(digits)),
        references=held(digits.strangers),
    )


def least_alike(models: Iterable[nn.Module], judge: Callable[[nn.Module], Verdict]) -> nn.Module:
    """Of independent models, the one with the lowest score.

    A single one is by chance, with one processor's rounding or another's, nearer than every calibration model.
    """
    return min(models, key=lambda model: judge(model).score or 0.0)


def modules(models: Iterable[ModelRef]) -> tuple[nn.Module, ...]:
    """What an enrollment's surrogates or references are; in tests they lie in memory."""
    return tuple(model.module for model in models if isinstance(model, LoadedModel))


def told(model: nn.Module | ModelRef, made: Crafted) -> Answers:
    """What a model says to a fingerprint's queries, with scores."""
    module = model.module if isinstance(model, LoadedModel) else model
    assert isinstance(module, nn.Module)
    return answers_from_scores(predict(module, torch.from_numpy(made.queries.stored)).numpy(), who="a model")


def score(scheme: Scheme, made: Crafted, answers: Answers) -> float:
    """Of a suspect that answered so."""
    return scheme.score(made.state, made.source, answers)


def missing(answers: Answers, index: np.ndarray) -> Answers:
    """The answers, some of which did not come."""
    labels = answers.labels.copy()
    labels[index] = UNANSWERED
    scores = None if answers.scores is None else answers.scores.copy()
    if scores is not None:
        scores[index] = np.nan
    return Answers(labels=labels, scores=scores)


class _Key:
    """The same for the same source, so that models are made once."""

    def __init__(self, digits: Digits) -> None:
        self.digits = digits

    def __hash__(self) -> int:
        return id(self.digits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.digits is self.digits


@lru_cache(maxsize=32)
def _copy(key: _Key, number: int, seed: int) -> nn.Module:
    digits = key.digits
    kind, settings = THEFTS[number % len(THEFTS)]
    return run_attack(kind, settings, digits.source, digits.spec, digits.owner, seed=seed + number).model


@lru_cache(maxsize=32)
def _stranger(key: _Key, seed: int, epochs: int) -> nn.Module:
    digits = key.digits
    return train_model(digits.owner, digits.spec, default_recipe(digits.owner, epochs=epochs), seed=seed).model
