"""Every registered scheme keeps the face of `Scheme`: one row each, on a tiny digits source."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from modelprint.attacks import run_attack
from modelprint.core.access import Access
from modelprint.core.errors import UnscorableError
from modelprint.core.input_words import ANY_INPUT
from modelprint.core.sections import Exhibit
from modelprint.modalities.image import IMAGE
from modelprint.ownership.craft import Crafted, craft
from modelprint.ownership.decide import decide
from modelprint.schemes import SCHEMES
from modelprint.schemes.base import Enrollment, Scheme
from tests.conftest import Digits
from tests.schemes.world import enrolled, missing, score, strangers, told

BUDGET = 50
ACCESSES = (Access.LABELS, Access.SCORES)


@dataclass(frozen=True)
class Row:
    """A scheme as it is tested.

    Attributes:
        settings: what makes it quick, or possible on a tiny source.
        most: queries that it can make within the budget.
    """

    scheme: str
    settings: Mapping[str, str]
    most: int = BUDGET


ROWS = {
    "accuracy": Row("accuracy", {}),
    "agreement": Row("agreement", {}),
    "adv-tra": Row("adv-tra", {"m": "3", "l": "2"}, most=39),  # trajectories of 13
    "uap": Row("uap", {"epsilon": "0.25", "images": "300", "least_fooling": "0.5", "steps": "40"}),
    "akh": Row("akh", {}),
    "ipguard": Row("ipguard", {"k": "2.0", "rate": "0.01", "steps": "300"}),
    "ipguard, mistakes": Row("ipguard", {"k": "0.3", "k_unit": "spread", "rate": "0.01", "start": "mistakes"}),
    "sac": Row("sac", {}),
    "sac-w": Row("sac", {"inputs": "mistakes"}),
    "fbi": Row("fbi", {}),
    "cort": Row("cort", {"epsilon": "0.2"}),
    "contrast": Row("contrast", {"candidates": "2000"}),
    "residual": Row("residual", {"candidates": "100"}),
    "modeldiff": Row("modeldiff", {"rounds": "15"}),
    "zest": Row("zest", {}),
    "deepcore": Row("deepcore", {"steps": "10"}),
    "fit-print": Row("fit-print", {"epsilon": "0.25", "steps": "15", "surrogates": "1"}),
    "fit-lime": Row("fit-lime", {"epsilon": "0.4", "steps": "30", "surrogates": "1", "cells": "4", "samples": "10"}),
    "cae": Row("cae", {"epsilon": "0.25", "rate": "0.01", "steps": "30"}),
    "irisfp": Row("irisfp", {"steps": "20"}),
    "anafp": Row("anafp", {"grid": "6", "tries": "1"}),
    "metafinger": Row("metafinger", {"steps": "15", "rate": "0.05"}),
    "ganfinger": Row("ganfinger", {"epsilon": "0.5", "steps": "25", "hidden": "32", "samples": "1"}),
}
ROW = pytest.mark.parametrize("name", ROWS)


def configured(name: str) -> Scheme:
    return SCHEMES[ROWS[name].scheme]().with_settings(ROWS[name].settings)


@pytest.fixture(scope="module")
def context(digits: Digits) -> Enrollment:
    return replace(enrolled(digits), budget=BUDGET)


@pytest.fixture(scope="module")
def fingerprints(context: Enrollment) -> dict[str, Crafted]:
    return {name: craft(configured(name), context, seed=3) for name in ROWS}


@pytest.fixture(scope="module")
def permuted(digits: Digits) -> nn.Module:
    return run_attack("permute", {}, digits.source, digits.spec, digits.attacker, seed=5).model


@pytest.fixture(scope="module")
def innocent(digits: Digits) -> tuple[nn.Module, ...]:
    return strangers(digits, 3, seed=21)


def test_every_registered_scheme_has_a_row() -> None:
    assert {row.scheme for row in ROWS.values()} == {
        name for name in SCHEMES if SCHEMES[name]().needs.asks and not SCHEMES[name]().parts
    }


@ROW
def test_the_budget_is_respected(fingerprints: dict[str, Crafted], context: Enrollment, name: str) -> None:
    made = fingerprints[name].queries
    assert 1 <= len(made) <= ROWS[name].most
    assert len(made) == ROWS[name].most or made.report["made"] == len(made) < made.report["wanted"]
    assert configured(name).asker(fingerprints[name].state, len(made)).total == len(made)
    assert configured(name).asker(fingerprints[name].state, 30).total <= 30


@ROW
def test_queries_are_8_bit_images_of_the_source_s_shape(fingerprints: dict[str, Crafted], name: str) -> None:
    made = fingerprints[name].queries
    assert IMAGE.codec(made.stored) == "uint8-image"
    assert made.stored.shape == (len(made), 1, 8, 8)
    assert made.labels.dtype == made.group.dtype == np.int64
    assert all(len(column) == len(made) for column in made.columns.values())
    json.dumps(dict(made.report), allow_nan=False)


@ROW
def test_the_seed_alone_decides(fingerprints: dict[str, Crafted], context: Enrollment, name: str) -> None:
    again = craft(configured(name), context, seed=3)
    assert (again.queries.stored == fingerprints[name].queries.stored).all()
    assert all((again.state[key] == value).all() for key, value in fingerprints[name].state.items())
    other = craft(configured(name), context, seed=4)
    same = other.queries.stored.shape == again.queries.stored.shape
    assert not same or (other.queries.stored != again.queries.stored).any()


@ROW
@pytest.mark.parametrize("access", ACCESSES)
def test_the_source_scores_highest_and_a_permuted_copy_as_high(
    fingerprints: dict[str, Crafted],
    permuted: nn.Module,
    innocent: tuple[nn.Module, ...],
    name: str,
    access: Access,
) -> None:
    scheme, made = configured(name), fingerprints[name]
    if access < scheme.needs.suspect:
        with pytest.raises(UnscorableError, match="labels alone"):
            score(scheme, made, made.source.restricted(access))
        return
    own = score(scheme, made, made.source.restricted(access))
    others = [score(scheme, made, told(model, made).restricted(access)) for model in innocent]
    assert np.isfinite([own, *others]).all()
    assert own >= max(others)
    assert own > np.mean(others)
    assert score(scheme, made, told(permuted, made).restricted(access)) == pytest.approx(own, abs=1e-3)


@ROW
def test_half_the_answers_make_a_score(
    fingerprints: dict[str, Crafted], innocent: tuple[nn.Module, ...], name: str
) -> None:
    made, half = fingerprints[name], np.arange(len(fingerprints[name].queries)) % 2 == 0
    heard = missing(told(innocent[0], made), np.flatnonzero(~half))
    found = decide(configured(name), made.state, made.source, heard, [made.source], alpha=0.5, asked=half | ~half)
    if name in ("uap", "residual"):
        assert found.score is None  # whole views only; every answer
    else:
        assert found.score is not None
        assert np.isfinite(found.score)


@ROW
def test_parameters_pass_through_text(name: str) -> None:
    scheme = configured(name)
    text = {
        key: json.dumps(value) if isinstance(value, dict | bool) else str(value)
        for key, value in scheme.parameters().items()
    }
    assert type(scheme)().with_settings(text) == scheme
    assert type(scheme)(**json.loads(json.dumps(scheme.parameters()))) == scheme
    assert eval(repr(scheme), {type(scheme).__name__: type(scheme)}) == scheme


@ROW
def test_every_parameter_is_explained(name: str) -> None:
    scheme = type(configured(name))
    explained = "".join(inspect.getdoc(base) or "" for base in scheme.__mro__ if issubclass(base, Scheme))
    assert all(re.search(rf"\b{entry.name}\b", explained) for entry in fields(scheme))


@ROW
def test_it_says_what_it_is_how_it_works_and_what_it_misses(name: str) -> None:
    scheme = configured(name)
    texts = [text.format_map({**scheme.parameters(), **ANY_INPUT.fields}) for text in scheme.explanation]
    assert scheme.title
    assert len(texts) >= 1 < len(" ".join(texts).split(". "))
    assert texts != list(Scheme.explanation)
    assert scheme.limits
    assert all(text.endswith(".") for text in (*texts, *scheme.limits))


OF_TEXTS = {"share_changed", "share_added", "share_cut", "bits_before", "bits_after"}  # only changed texts have these


@ROW
def test_the_figures_of_its_verdict_and_of_its_crafting_are_the_ones_it_declares(
    fingerprints: dict[str, Crafted], innocent: tuple[nn.Module, ...], name: str
) -> None:
    scheme, made = configured(name), fingerprints[name]
    details = scheme.details(made.state, made.source, told(innocent[0], made))
    json.dumps(details, allow_nan=False)
    assert {quantity.key for quantity in scheme.quantities} <= set(details)
    assert {quantity.key for quantity in scheme.crafting} - OF_TEXTS <= set(made.queries.report)
    assert all(quantity.total in {"", *details} for quantity in scheme.quantities)


@ROW
def test_a_report_shows_its_sections(
    fingerprints: dict[str, Crafted], innocent: tuple[nn.Module, ...], name: str
) -> None:
    scheme, made = configured(name), fingerprints[name]
    models = [told(model, made).restricted(Access.LABELS) for model in innocent]
    shown = scheme.sections(
        Exhibit(
            state=made.state, source=made.source, models=models[:1], calibration=models[1:], asked=len(made.queries)
        )
    )
    assert all(section.title and section.blocks for section in shown)


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if not SCHEMES[name].control])
def test_the_module_cites_its_source_and_says_where_it_differs(scheme: str) -> None:
    text: Any = inspect.getmodule(SCHEMES[scheme]).__doc__
    assert re.search(r"\b(19|20)\d\d\b", text)
    assert '"' in text.split("\n\n")[1]  # a title
    assert re.search(r"Differs from the paper[s]?:", text)


def test_the_docs_table_says_what_each_scheme_reads_and_learns_from() -> None:
    lines = (Path(__file__).parents[2] / "docs" / "schemes.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    table = {name.strip("`"): (reads, learns) for name, _, reads, learns, *_ in cells}
    assert set(table) == {name for name in SCHEMES if SCHEMES[name].control is None}
    for name, (reads, learns) in table.items():
        needs = [configured(row).needs for row in ROWS if ROWS[row].scheme == name] or [SCHEMES[name]().needs]
        assert ("scores" in reads) == (SCHEMES[name].lost_with_labels is not None), name
        assert ("shadow" in learns) == any(one.learns for one in needs), name
        assert ("training images" in learns) == any(one.train_images for one in needs), name
