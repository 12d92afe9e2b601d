"""Which models are shown, and what they share."""

from dataclasses import replace

import numpy as np
import pytest

from modelprint.report.verdict.cases import has_population, in_focus, scores_of, shared_threshold


def test_suspects_are_shown_first_else_the_median_of_each_role(records):
    population = records.population()
    with_suspect = [*population, records.copy("x"), records.copy("y"), records.copy("z"), records.copy("w")]
    assert in_focus(with_suspect) == [14, 15, 16]
    chosen = in_focus(population)
    assert [population[i].role for i in chosen] == ["derived", "independent"]
    for i, role in zip(chosen, ("derived", "independent"), strict=True):
        scores = np.sort(scores_of(population, role))
        assert population[i].verdict.score == scores[(len(scores) - 1) // 2]


def test_a_population_needs_scored_models_of_both_roles(records):
    population = records.population()
    assert has_population(population)
    assert not has_population(population[:8])
    unscored = population[0].verdict.model_copy(update={"score": None})
    assert not has_population([replace(population[0], verdict=unscored), population[-1]])


def test_the_threshold_is_shown_only_when_all_share_it(records):
    one, other = records.copy("one"), records.copy("other", alpha=0.2)
    assert one.verdict.threshold != other.verdict.threshold
    assert shared_threshold([one, one]) == pytest.approx(one.verdict.threshold)
    assert shared_threshold([one, other]) is None
