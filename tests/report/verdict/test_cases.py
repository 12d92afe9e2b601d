"""Mutation rates against the scheme's own, and against counting by hand; which models are shown."""

from dataclasses import replace

import numpy as np
import pytest

from modelprint.core.suspect import Answers
from modelprint.report.verdict.cases import Trajectories, has_population, in_focus, scores_of, shared_threshold


def test_rates_are_those_of_the_scheme(records):
    from modelprint.schemes.adv_tra import AdvTra

    state, source = records.fingerprint.state, records.fingerprint.source
    answers = replace(records.stranger().answers, labels=records.stranger().answers.labels.copy())
    answers.labels[5:40] = -1
    np.testing.assert_allclose(
        records.trajectories.rates(source, answers), AdvTra().mutation_rates(state, source, answers)
    )


def test_rates_count_neither_the_base_image_nor_what_was_not_answered():
    trajectories = Trajectories(
        group=np.array([0, 0, 0, 1, 1, 1]), position=np.array([0, 1, 2] * 2), target=np.array([-1, 3, 3] * 2)
    )
    source = Answers(labels=np.zeros(6, dtype=np.int64))
    answers = Answers(labels=np.array([9, 9, 0, 0, 9, -1]))
    assert trajectories.rates(source, answers).tolist() == [0.5, 1.0]
    assert trajectories.rates_by_position(source, answers).tolist() == [1.0, 0.0]
    silent = Answers(labels=np.full(6, -1))
    assert np.isnan(trajectories.rates(source, silent)).all()


def test_legs_come_from_the_parameters_or_else_from_the_targets(records):
    trajectories = records.trajectories
    assert trajectories.leg({"l": 3}) == 6
    assert trajectories.leg({}) == trajectories.leg({"l": "?"}) == 4


def test_other_states_have_no_trajectories():
    assert Trajectories.of({"group": np.arange(3)}) is None


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
