"""Canonical JSON has one spelling; hashes see every byte, name, shape and type."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from modelprint.core.identity import (
    canonical_json,
    derived_seed,
    digest,
    digest_arrays,
    digest_file,
    digest_json,
    stored_hashes,
)

leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def shuffled(value: object) -> object:
    """The same value with the keys of every object in the opposite order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(entry) for entry in value] if isinstance(value, list) else value


@given(values)
def test_canonical_json_reads_back_and_is_its_own_spelling(value):
    spelled = canonical_json(value)
    assert json.loads(spelled) == value
    assert canonical_json(json.loads(spelled)) == spelled


@given(values)
def test_the_order_of_keys_does_not_matter(value):
    assert canonical_json(shuffled(value)) == canonical_json(value)


@given(values, values)
def test_different_values_have_different_hashes(one, other):
    assert (digest_json(one) == digest_json(other)) == (canonical_json(one) == canonical_json(other))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, {"a": float("-inf")}]])
def test_numbers_that_json_lacks_are_refused(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


@given(st.binary(max_size=3000))
def test_digests_are_sha256(data):
    assert digest(data) == "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / "file").write_bytes(data)
    assert digest_file(tmp_path / "file") == digest(data)


small_arrays = arrays_of.arrays(
    dtype=st.sampled_from([np.uint8, np.int64, np.float32]),
    shape=arrays_of.array_shapes(max_dims=3, max_side=3),
    elements=st.integers(0, 3),
)
named_arrays = st.dictionaries(st.text(max_size=3), small_arrays, max_size=3)


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        value.dtype == other[name].dtype and value.shape == other[name].shape and (value == other[name]).all()
        for name, value in one.items()
    )


@given(named_arrays, named_arrays)
def test_array_hashes_are_equal_only_for_equal_arrays(one, other):
    assert (digest_arrays(one) == digest_arrays(other)) == same(one, other)
    assert digest_arrays(dict(reversed(one.items()))) == digest_arrays(one)


@given(small_arrays)
def test_layout_in_memory_does_not_matter(array):
    assert digest_arrays({"a": np.asfortranarray(array)}) == digest_arrays({"a": array})
    assert stored_hashes(np.asfortranarray(array)) == stored_hashes(array)


def test_a_reshaped_or_retyped_array_is_another():
    zeros = np.zeros(4, np.float32)
    assert digest_arrays({"a": zeros}) != digest_arrays({"a": zeros.reshape(2, 2)})
    assert digest_arrays({"a": zeros}) != digest_arrays({"a": zeros.astype(np.int32)})
    assert digest_arrays({"a": zeros}) != digest_arrays({"b": zeros})


@given(st.lists(st.integers(0, 2), min_size=2, max_size=6))
def test_images_share_a_hash_when_their_pixels_are_the_same(kinds):
    images = np.array([np.full((1, 2, 2), kind, np.uint8) for kind in kinds])
    hashes = stored_hashes(images)
    assert [hashes[0] == value for value in hashes] == [kinds[0] == kind for kind in kinds]


@given(st.lists(st.tuples(st.text(max_size=4), st.integers(0, 99)), min_size=2, max_size=2, unique=True))
def test_seeds_differ_with_every_part_and_fit_a_generator(parts):
    one, other = (derived_seed(*part) for part in parts)
    assert one != other
    assert 0 <= one < 2**48
