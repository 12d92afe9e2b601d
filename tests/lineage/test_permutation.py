import numpy as np
from scipy import stats

from modelprint.lineage import StateTensors, SuspectForms, compare, reference_of
from modelprint.lineage.permutation import matched_p_value, permuted_rank
from modelprint.lineage.reading import Reader
from tests.lineage.nets import rearranged, strided_state


def test_the_p_value_is_uniform_for_models_of_independent_initialisations():
    reference = reference_of(StateTensors(strided_state(0, width=4)))
    values = [
        compare(reference, StateTensors(strided_state(seed, width=4)), align=False).named_p_value
        for seed in range(1, 61)
    ]
    assert stats.kstest(values, "uniform").pvalue > 0.01


def test_ranks_of_noise_are_uniform():
    generator = np.random.default_rng(0)
    values = [permuted_rank([generator.normal(size=(8, 8))], draws=199, seed=seed) for seed in range(200)]
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert min(values) >= 1 / 200


def test_channels_matched_on_some_weights_are_tested_on_another():
    source = strided_state(0)
    reference = reference_of(StateTensors(source))

    def value(state):
        reader = Reader(reference=reference, suspect=SuspectForms(StateTensors(state)))
        return matched_p_value(reader, reader.suspect.comparable(reference.layers).pairs)

    assert value(rearranged(source, seed=1)) == 0.001
    assert np.mean([value(strided_state(seed)) <= 0.05 for seed in range(1, 21)]) < 0.3  # untrained: no common features
