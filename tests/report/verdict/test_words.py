"""What a verdict says: the numbers of the record, never a bare yes, and what is missing."""

from dataclasses import replace

import numpy as np
import pytest

from modelprint.core.input_words import ANY_INPUT
from modelprint.core.suspect import ABSTAINED, Answers
from modelprint.core.verdict import FalseAccusations
from modelprint.modalities.base import Modality
from modelprint.modalities.image import IMAGE
from modelprint.modalities.series import SERIES
from modelprint.modalities.text import TEXT
from modelprint.modalities.vector import VECTOR
from modelprint.report.verdict.prose import explanation, limitations
from modelprint.report.verdict.words import several_note, statement, tallies
from modelprint.schemes.adv_tra import AdvTra
from modelprint.schemes.base import Scheme


def said(case, models=20, source="sha256:other"):
    return statement(case, AdvTra.quantities, source=source, calibration_models=models)


def test_a_derived_verdict_gives_its_numbers_and_its_limits(records):
    text = said(records.copy("thief.onnx"))
    assert "more like the source than all 20 independent models do" in text.lead
    reasons = " ".join(text.reasons)
    assert "12 of 12 trajectories" in reasons
    assert "None of 20 independent models scored as high or higher" in reasons
    assert "at most 4.8\u202f% (rank p-value 0.0476)" in reasons
    assert "at most 13.9\u202f% of innocent models" in reasons
    assert any("not the probability that the suspect is innocent" in line for line in text.limits)
    assert not text.missing


def test_a_derived_verdict_does_not_claim_more_than_its_rank(records):
    case = records.copy()
    verdict = case.verdict.model_copy(
        update={"p_value": 5 / 101, "false_accusations": FalseAccusations(count=4, n=100, upper_95=0.089)}
    )
    text = said(replace(case, verdict=verdict), models=100)
    assert "all but 4 of 100 independent models" in text.lead
    assert "The threshold would have accused 4 of the 100 independent models" in " ".join(text.reasons)


def test_not_shown_is_not_innocence(records):
    text = said(records.stranger("honest.onnx"))
    assert text.lead == "It was not shown that “honest.onnx” was made from the source."
    assert any("not a finding of innocence" in line for line in text.limits)
    assert "The p-value is above it" in " ".join(text.reasons)


@pytest.mark.parametrize(
    ("fixture", "models", "missing"),
    [("few_models", 7, "There are 7: 12 more"), ("no_models", 0, "There are none: 19 more")],
)
def test_inconclusive_says_how_many_models_are_missing(fixture, models, missing, request):
    text = said(request.getfixturevalue(fixture).copy(), models=models)
    assert "does not allow a verdict" in text.lead
    assert missing in text.missing[0]
    assert not any("threshold" in reason for reason in text.reasons)


def test_inconclusive_says_how_many_answers_are_missing_and_repeats_the_record(records):
    case = records.copy()
    labels = np.where(np.arange(len(case.answers)) < 30, case.answers.labels, -1)
    verdict = case.verdict.model_copy(update={"verdict": "inconclusive", "score": None, "message": "server stopped\n"})
    text = said(replace(case, verdict=verdict, answers=Answers(labels=labels)))
    assert "Answers: 30 of 204 queries were answered. The others count against derivation." in text.missing
    assert "Recorded with the verdict: server stopped\\n" in text.missing
    labels[-7:] = ABSTAINED
    missing = said(replace(case, verdict=verdict, answers=Answers(labels=labels))).missing
    assert any("were answered. To 7 the model answered that it names no class. The others" in part for part in missing)


def test_the_source_itself_is_recognised(records):
    case = records.copy()
    assert "it is the same file" in said(case, source=case.verdict.suspect).reasons[0]


def test_tallies_count_what_was_judged_with_exact_intervals(records):
    population = records.population()
    undecided = population[0].verdict.model_copy(update={"verdict": "inconclusive"})
    found, accused = tallies([replace(population[0], verdict=undecided), *population[1:]])
    assert found.value == "7 of 7"
    assert found.detail == "95\u202f% interval 59\u202f% to 100\u202f%; 1 more inconclusive"
    assert accused.value == "0 of 6"
    assert accused.detail == "95\u202f% interval 0\u202f% to 45.9\u202f%"


def test_many_verdicts_come_with_a_warning(records):
    population = records.population()
    assert "of 14 innocent models, up to 0.7 may be expected" in several_note(population)
    assert several_note(population[:1]) == ""


def test_the_scheme_s_words_hold_its_hyper_parameters():
    how = " ".join(explanation(AdvTra(match=0.25), TEXT.words))
    assert "a trajectory matches when its mutation rate is below 0.25." in how
    assert "the source\u2019s classes" in how  # as it is printed


@pytest.mark.parametrize(
    ("modality", "start", "parts"),
    [
        (IMAGE, "an image", "pixels"),
        (SERIES, "a series", "samples"),
        (VECTOR, "a vector", "cells"),
        (TEXT, "a text", "characters"),
    ],
)
def test_words_are_those_of_the_modality(modality: Modality, start: str, parts: str) -> None:
    assert f"Each starts at {start} that the source" in explanation(AdvTra(), modality.words)[0]
    assert modality.words.parts == parts


def test_a_scheme_that_is_not_known_has_words_too():
    assert explanation(None, ANY_INPUT) == ["".join(Scheme.explanation)]
    assert limitations(None)[0] == Scheme.limits[0]
    assert limitations(None)[1:] == limitations(AdvTra())[len(AdvTra.limits) :]
