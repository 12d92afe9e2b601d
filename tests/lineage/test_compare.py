import pytest
import torch

from modelprint.lineage import LineageReference, StateTensors, compare, reference_of
from modelprint.nn.quantised import dequantised
from tests.lineage.nets import mlp_state, noisy, rearranged, residual_state, strided_state


@pytest.fixture(scope="module")
def source():
    return strided_state(0)


@pytest.fixture(scope="module")
def reference(source):
    return reference_of(StateTensors(source))


def score(reference, state, **settings):
    return compare(reference, StateTensors(state), **settings).score


def test_a_model_is_wholly_its_own_copy(reference, source):
    result = compare(reference, StateTensors(source))
    assert result.score == pytest.approx(1, abs=1e-3)
    assert [figure.how for figure in result.weights] == ["named order"] * 4
    assert result.compared == 1
    assert result.named_p_value == 0.001
    assert all(figure.difference_rank == 0 for figure in result.weights)


@pytest.mark.parametrize("seed", [1, 2])
def test_an_independent_model_shares_little(reference, seed):
    result = compare(reference, StateTensors(strided_state(seed)))
    assert result.score < 0.4
    assert result.named_p_value > 0.01


def test_permuted_and_rescaled_channels_are_matched(reference, source):
    result = compare(reference, StateTensors(rearranged(noisy(source, 0.1), seed=3)))
    named = compare(reference, StateTensors(rearranged(noisy(source, 0.1), seed=3)), align=False)
    assert result.score == pytest.approx(score(reference, noisy(source, 0.1)), abs=5e-3)
    assert named.score < 0.3
    assert {figure.how for figure in result.weights} == {"aligned"}
    assert result.named_p_value > 0.02


def test_rescaling_alone_changes_nothing(reference, source):
    state = {name: value.clone() for name, value in source.items()}
    state["features.0.0.weight"] *= torch.exp(torch.randn(8, 1, 1, 1))
    state["features.1.0.weight"] /= torch.exp(torch.randn(1, 8, 1, 1))
    assert score(reference, state, align=False) == pytest.approx(1, abs=2e-3)


def test_a_sign_moved_between_weight_and_batchnorm_changes_nothing(reference, source):
    state = {name: value.clone() for name, value in source.items()}
    state["features.1.0.weight"][::2] *= -1
    state["features.1.1.weight"][::2] *= -1
    assert score(reference, state, align=False) == pytest.approx(1, abs=1e-3)


def test_folded_batchnorm_is_the_same_model(reference, source):
    folded = {name: value for name, value in source.items() if value.ndim > 1}
    for place in range(3):
        factors = source[f"features.{place}.1.weight"] / (source[f"features.{place}.1.running_var"] + 1e-5).sqrt()
        folded[f"features.{place}.0.weight"] = folded[f"features.{place}.0.weight"] * factors.view(-1, 1, 1, 1)
    assert score(reference, folded, align=False) == pytest.approx(1, abs=1e-3)


def test_residual_and_dense_nets_are_matched_too():
    dense = mlp_state(0)
    reference = reference_of(StateTensors(dense))
    order = torch.randperm(32)
    state = {**dense, "features.1.weight": dense["features.1.weight"][order]}
    state["features.3.weight"] = dense["features.3.weight"][:, order]
    assert score(reference, state) == pytest.approx(1, abs=1e-3)
    residual = reference_of(StateTensors(residual_state(0)))
    assert score(residual, residual_state(0)) == pytest.approx(1, abs=1e-3)
    assert score(residual, residual_state(1)) < 0.4


def test_integers_with_scales_are_read(reference, source):
    state = {}
    for name, value in source.items():
        if value.ndim > 1:
            scale = value.flatten(1).abs().amax(1) / 127
            state[name] = (value / scale.view(-1, *[1] * (value.ndim - 1))).round().to(torch.int8)
            state[name + "_scale"] = scale
        else:
            state[name] = value
    assert score(reference, state) > 0.99
    torch.testing.assert_close(dequantised(state, who="x")["head.weight"], source["head.weight"], atol=0.01, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_read(reference, source, dtype):
    assert score(reference, {name: value.to(dtype) for name, value in source.items()}) > 0.999


def test_removed_channels_leave_the_rest_to_match(reference, source):
    keep = {0: torch.tensor([0, 2, 3, 5, 7]), 1: torch.arange(0, 16, 2), 2: torch.arange(5, 32)}
    state = {name: value.clone() for name, value in source.items()}
    for place, rows in keep.items():
        state[f"features.{place}.0.weight"] = state[f"features.{place}.0.weight"][rows]
        for part in ("weight", "bias", "running_mean", "running_var"):
            state[f"features.{place}.1.{part}"] = state[f"features.{place}.1.{part}"][rows]
        if place < 2:
            state[f"features.{place + 1}.0.weight"] = state[f"features.{place + 1}.0.weight"][:, rows]
    state["head.weight"] = state["head.weight"].reshape(10, 32, 16)[:, keep[2]].reshape(10, -1)
    result = compare(reference, StateTensors(state))
    assert result.score > 0.85
    assert result.weights[0].matched == pytest.approx(5 / 8)
    assert result.weights[1].matched == pytest.approx(5 / 16)


def test_channels_set_to_zero_count_as_removed(reference, source):
    state = {name: value.clone() for name, value in source.items()}
    state["head.weight"].view(10, 32, 16)[:, ::2] = 0
    figure = compare(reference, StateTensors(state)).weights[-1]
    assert figure.matched == 0.5
    assert figure.likeness > 0.95


def test_another_head_is_left_out_and_said(reference, source):
    state = {**source, "head.weight": torch.randn(5, 512), "head.bias": torch.zeros(5)}
    result = compare(reference, StateTensors(state))
    assert result.score == pytest.approx(1, abs=1e-3)
    assert [entry.name for entry in result.left_out] == ["head.weight"]
    assert "(5, 512)" in result.left_out[0].why


def test_what_siblings_share_is_no_evidence():
    base = strided_state(5)
    tuned = [noisy(base, 0.2, seed=seed) for seed in range(8)]
    source = tuned[0]
    copy = noisy(source, 0.2, seed=100)
    plain = reference_of(StateTensors(source))
    less = reference_of(StateTensors(source), shared=[StateTensors(state) for state in tuned[1:6]])
    parent = reference_of(StateTensors(source), shared=[StateTensors(base)])
    assert score(plain, tuned[7]) > 0.9
    assert abs(score(less, tuned[7])) < 0.3
    assert abs(score(parent, tuned[7])) < 0.15
    assert score(less, copy) > 0.8
    assert score(parent, copy) > 0.8
    shares = compare(parent, StateTensors(copy)).shares
    assert shares.shared == pytest.approx(1, abs=0.1)


def test_a_source_that_is_the_public_model_has_nothing_of_its_own(source):
    reference = reference_of(StateTensors(source), shared=[StateTensors(source)])
    result = compare(reference, StateTensors(source))
    assert result.score is None
    assert "no part of its own" in result.why


def test_a_soup_with_an_independent_model_shares_what_was_put_in(reference, source):
    other = strided_state(9)
    scores = [
        score(reference, {name: part * source[name] + (1 - part) * other[name] for name in source})
        for part in (0.1, 0.5, 0.9)
    ]
    assert scores == sorted(scores)
    assert 0.4 < scores[1] < 0.9


def test_a_merged_adapter_is_seen_as_a_low_rank_difference(reference, source):
    draw = torch.Generator().manual_seed(0)
    adapter = torch.randn(10, 2, generator=draw) @ torch.randn(2, 512, generator=draw)
    head = source["head.weight"]
    state = {**source, "head.weight": head + 0.3 * head.norm() / adapter.norm() * adapter}
    figure = compare(reference, StateTensors(state)).weights[-1]
    assert figure.difference_rank <= 2
    assert figure.difference == pytest.approx(0.3, abs=0.1)


def test_a_reference_survives_its_file(reference, source, tmp_path):
    path = tmp_path / "reference.safetensors"
    reference.save(path)
    loaded = LineageReference.load(path)
    state = noisy(source, 0.3)
    assert compare(loaded, StateTensors(state)) == compare(reference, StateTensors(state))
    assert path.stat().st_size < 2.3 * reference.numel + 10_000


def test_the_same_input_gives_the_same_result(reference):
    suspect = StateTensors(strided_state(4))
    assert compare(reference, suspect) == compare(reference, suspect)
