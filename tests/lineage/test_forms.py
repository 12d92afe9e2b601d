import pytest
import torch

from modelprint.lineage.forms import as_torch, balanced, form_of, torch_shape


def test_balancing_gives_rows_and_columns_a_mean_square_of_one():
    scales = torch.tensor([1e-9, 1, 2, 3, 4, 1e9]).view(6, 1, 1)
    form = scales * torch.randn(6, 5, 4, generator=torch.Generator().manual_seed(0))
    whole = balanced(form)
    torch.testing.assert_close(whole.form.square().mean((1, 2)), torch.ones(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(whole.form.square().mean((0, 2)), torch.ones(5), atol=1e-3, rtol=0)
    torch.testing.assert_close(whole.form, form * whole.rows[:, None, None] * whole.columns[None, :, None])


def test_rows_and_columns_of_zeros_stay_zero():
    form = torch.randn(4, 4, 1, generator=torch.Generator().manual_seed(0))
    form[1], form[:, 2] = 0, 0
    whole = balanced(form).form
    assert torch.isfinite(whole).all()
    assert whole[1].abs().max() == 0
    assert whole[:, 2].abs().max() == 0


@pytest.mark.parametrize("factor", [1e-15, 1.0, 1e15])
def test_far_scales_do_not_matter(factor: float):
    form = torch.randn(5, 7, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(balanced(form * factor).form, balanced(form).form, atol=1e-4, rtol=1e-4)


def test_keras_and_tflite_kernels_become_torch_weights():
    conv = torch.randn(16, 8, 3, 5)
    assert torch.equal(as_torch(conv.permute(2, 3, 1, 0), "keras"), conv)
    assert torch.equal(as_torch(conv.permute(0, 2, 3, 1), "tflite"), conv)
    depthwise = torch.randn(8, 1, 3, 3)
    assert torch.equal(as_torch(depthwise.permute(2, 3, 0, 1), "keras"), depthwise)
    assert torch.equal(as_torch(depthwise.permute(1, 2, 3, 0), "tflite"), depthwise)
    assert torch_shape((64, 10), "keras") == (10, 64)


def test_flattened_maps_are_read_channel_by_channel_in_both_orders():
    maps = torch.randn(10, 3, 4)  # classes, channels, places
    first = form_of(maps.reshape(10, 12), run=4, channels_last=False)
    last = form_of(maps.transpose(1, 2).reshape(10, 12), run=4, channels_last=True)
    assert torch.equal(first, maps)
    assert torch.equal(last, maps)
