"""Against scikit-learn's and scipy's figures, on random labels, many classes and few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from modelprint.stats.labels import entropy, hamming_distance, information_distance, rand_index


@st.composite
def tables(draw):
    n, m = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    classes = draw(st.sampled_from([2, 3, 10, 1000]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype = draw(st.sampled_from([np.int16, np.int32, np.int64]))
    source = generator.integers(classes, size=n)
    answers = np.where(
        generator.random((m, n)) < draw(st.floats(0, 1)), source, generator.integers(classes, size=(m, n))
    )
    return source.astype(dtype), answers.astype(dtype)


@given(tables())
def test_entropy_is_scipys(table):
    _, answers = table
    expected = [stats.entropy(np.unique(row, return_counts=True)[1], base=2) for row in answers]
    assert entropy(answers) == pytest.approx(expected, abs=1e-12)


@given(tables())
def test_information_distance_is_scikit_learns(table):
    source, answers = table
    for row, distance in zip(answers, information_distance(source, answers), strict=True):
        shared = metrics.mutual_info_score(source, row) / np.log(2)
        least = min(stats.entropy(np.unique(part, return_counts=True)[1], base=2) for part in (source, row))
        assert distance == pytest.approx(np.clip(1 - shared / least, 0, 1) if least > 0 else 1, abs=1e-9)


@given(tables())
def test_hamming_distance_is_scikit_learns(table):
    source, answers = table
    expected = [metrics.hamming_loss(source, row) for row in answers]
    assert hamming_distance(source, answers) == pytest.approx(expected)


@given(tables())
def test_rand_index_is_scikit_learns(table):
    source, answers = table
    if len(source) < 2:
        with pytest.raises(ValueError, match="no pair"):
            rand_index(source, answers)
        return
    assert rand_index(source, answers) == pytest.approx([metrics.rand_score(source, row) for row in answers])


@given(tables(), st.randoms(use_true_random=False))
def test_information_distance_does_not_depend_on_what_classes_are_called(table, random):
    source, answers = table
    names = list(range(1000))
    random.shuffle(names)
    renamed = np.array(names)[answers]
    assert information_distance(source, renamed) == pytest.approx(information_distance(source, answers), abs=1e-9)


def test_labels_of_8_bits_do_not_overflow():
    source = np.arange(-128, 128).astype(np.int8)
    assert information_distance(source, np.stack([source, source[::-1], source * 0])).tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("shapes", [((3,), (2, 4)), ((0,), (2, 0)), ((3,), (3,)), ((1, 3), (2, 3))])
def test_shapes_that_do_not_fit_are_refused(shapes):
    arrays = [np.zeros(shape, np.int64) for shape in shapes]
    for function in (hamming_distance, information_distance):
        with pytest.raises(ValueError, match="expected labels"):
            function(*arrays)
    with pytest.raises(ValueError, match="expected labels"):
        entropy(np.zeros((2, 0), np.int64))
