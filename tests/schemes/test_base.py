"""What every scheme is refused: contexts that lack something, and queries that cannot be stored or asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from modelprint.core.access import Access
from modelprint.core.errors import DataError, FingerprintError, UsageError
from modelprint.core.suspect import Answers
from modelprint.schemes.base import Enrollment, Queries, Scheme, State
from modelprint.schemes.needs import Needs
from tests.conftest import Digits


@dataclass(frozen=True, kw_only=True)
class Careless(Scheme):
    """Gives back whatever it is told to."""

    name: ClassVar[str] = "careless"
    queries: Queries | None = None
    wanted: Needs = Needs()  # noqa: RUF009 - frozen

    @property
    def needs(self) -> Needs:
        return self.wanted

    def _craft(self, context: Enrollment, generator: torch.Generator) -> Queries:
        assert self.queries is not None
        return self.queries

    def score(self, state: State, source: Answers, answers: Answers) -> float:
        return 0.0


class Steps(nn.Module):
    """A model whose outputs no gradient leads to."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(images)
        return logits


@pytest.fixture
def context(digits: Digits) -> Enrollment:
    return Enrollment(source=digits.source, seeds=digits.queries, budget=5)


@pytest.fixture
def three(digits: Digits) -> Queries:
    return Queries(stored=digits.queries.stored[:3], labels=digits.queries.labels[:3], group=np.zeros(3, np.int64))


def craft(queries: Queries | None, context: Enrollment, needs: Needs = Needs()) -> Queries:  # noqa: B008 - frozen
    return Careless(queries=queries, wanted=needs).craft(context, torch.Generator())


def test_queries_that_fit_pass_through(three: Queries, context: Enrollment) -> None:
    assert craft(three, context) is three


def test_no_scheme_writes_its_own_craft() -> None:
    assert Scheme.craft.__final__


def test_more_queries_than_the_budget_are_refused(three: Queries, context: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="scheme careless made 3 queries for a budget of 2"):
        craft(three, replace(context, budget=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stored": np.zeros((3, 1, 8, 8), np.float64)}, r"made queries float64 \(3, 1, 8, 8\)"),
        ({"stored": np.zeros((3, 3, 8, 8), np.uint8)}, r"made queries uint8 \(3, 3, 8, 8\)"),
        ({"stored": np.zeros((2, 1, 8, 8), np.uint8)}, "with 3 labels"),
        ({"labels": np.zeros(3, np.int32)}, "labels of type int32"),
        ({"group": np.zeros(2, np.int64)}, "3 queries, but 2 values of group"),
        ({"columns": {"way": np.zeros(4)}}, "3 queries, but 4 values of way"),
        ({"labels": np.zeros(0, np.int64)}, "made 0 queries"),
        ({"labels": np.array([0, 1, 10])}, "labels that are not those of 10 classes"),
        ({"report": {"rate": float("nan")}}, "what JSON does not hold: Out of range float"),
        ({"report": {"model": object()}}, "what JSON does not hold: Object of type object"),
    ],
)
def test_queries_that_cannot_be_stored_are_refused(
    three: Queries, context: Enrollment, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(FingerprintError, match=message):
        craft(replace(three, **changes), context)


def test_inputs_that_no_model_can_be_asked_are_refused(three: Queries, context: Enrollment) -> None:
    with pytest.raises(DataError, match="NaN"):
        craft(replace(three, stored=np.full((3, 1, 8, 8), np.nan, np.float32)), context)


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (Needs(shadows=True), "learns from shadow models, 2 surrogates and 2 reference models or more; got 0 and 0"),
        (Needs(train_images=True), "name --train-data"),
    ],
)
def test_what_is_needed_and_missing_is_named(context: Enrollment, needs: Needs, message: str) -> None:
    with pytest.raises(FingerprintError, match=message):
        craft(None, context, needs)


def test_a_source_without_gradients_serves_schemes_that_read_answers_only(three: Queries, context: Enrollment) -> None:
    stepped = replace(context, source=Steps(context.source))
    assert craft(three, stepped, Needs(source="scores")) is three
    with pytest.raises(FingerprintError, match="follows the gradients of the source, which gives none"):
        craft(three, stepped, Needs(source="gradients"))


def test_a_budget_of_no_query_is_refused(context: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="a budget of 0 holds no query"):
        craft(None, replace(context, budget=0))


def test_no_seeds_are_named(context: Enrollment) -> None:
    with pytest.raises(FingerprintError, match="holds no inputs to make queries of"):
        craft(None, replace(context, seeds=context.seeds.take(slice(0))))


def test_less_access_than_needed_is_refused() -> None:
    needs = Needs(suspect=Access.SCORES)
    needs.check_access("careless", Access.SCORES)
    with pytest.raises(UsageError, match="scheme careless needs scores of the suspect, not labels: set --access"):
        needs.check_access("careless", Access.LABELS)
