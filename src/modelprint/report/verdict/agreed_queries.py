"""The queries that a model answers as the source does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modelprint.core.sections import AgreedQueries
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.report.drawing.pictures import class_name
from modelprint.report.drawing.text import percent, plain_name
from modelprint.report.verdict.cases import Case


@dataclass(frozen=True, kw_only=True)
class AgreedQuery:
    """A query, the class that both models gave it, its true class, and how many independent models so answer."""

    uri: str | None
    answer: str
    truth: str
    independent: str


@dataclass(frozen=True, kw_only=True)
class DrawnAgreedQueries:
    """The queries that one model, of this name, answers as the source does."""

    title: str
    name: str
    queries: Sequence[AgreedQuery]


def agreed_queries(block: AgreedQueries, fingerprint: Fingerprint, case: Case) -> DrawnAgreedQueries:
    """Those first that fewest independent models answer as the source does."""
    own, names = fingerprint.source.labels, fingerprint.manifest.input.class_names
    agreed = np.flatnonzero(case.answers.answered & (case.answers.labels == own))
    others = [answers.labels == own for answers in fingerprint.calibration]
    shares = np.mean(others, axis=0) if others else np.zeros(len(own))
    chosen = agreed[np.argsort(shares[agreed], kind="stable")][: block.most]
    return DrawnAgreedQueries(
        title=block.title,
        name=plain_name(case.name, longest=60),
        queries=[
            AgreedQuery(
                uri=fingerprint.modality.picture(fingerprint.queries[index]),
                answer=class_name(int(own[index]), names),
                truth=class_name(int(fingerprint.true_labels[index]), names),
                independent=percent(float(shares[index])) if others else "not asked",
            )
            for index in chosen
        ],
    )
