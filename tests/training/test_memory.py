"""Out of memory: smaller batches with the same result where there is one, a clear error where there is none."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelprint.core.errors import DeviceError
from modelprint.training.loop import TrainRecipe, fit, predict
from modelprint.training.passes import Backward

IMAGES = torch.randint(0, 256, (40, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 3
RECIPE = TrainRecipe(epochs=3, lr=0.1, batch_size=16, augment="none")


class Small(nn.Module):
    """A network on a device that has room for so many inputs."""

    def __init__(self, room: int, *, norm: bool = False) -> None:
        super().__init__()
        self.room = room
        self.asked: list[int] = []
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.layers = nn.Sequential(
                nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8) if norm else nn.ReLU(), nn.Linear(8, 3)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        self.asked.append(len(inputs))
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")
        return self.layers(inputs)


def trained(room: int, **options: object) -> Small:
    model = Small(room, **options)
    fit(model, IMAGES, LABELS, RECIPE, generator=torch.Generator().manual_seed(0))
    return model


def test_gradients_of_halves_add_up_to_those_of_the_whole():
    whole, halved = trained(room=100), trained(room=5)
    assert halved.asked[:5] == [16, 8, 4, 4, 4]
    assert max(halved.asked[5:]) == 4  # what did not fit once is not tried again
    for one, other in zip(whole.parameters(), halved.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_the_loss_of_a_batch_is_its_mean_however_it_is_split():
    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return functional.cross_entropy(logits, targets)

    inputs = IMAGES[:11].float() / 255
    losses = [Backward(Small(room), loss, device=torch.device("cpu"))(inputs, LABELS[:11]) for room in (100, 3, 1)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_a_batch_that_batchnorm_learns_from_is_not_split():
    with pytest.raises(
        DeviceError, match=r"with a batch of 16 \(CUDA out of memory.*GiB\.\), and its BatchNorm .*--set batch_size=8"
    ):
        trained(room=8, norm=True)


def test_batchnorm_that_stays_as_it_is_can_be_split():
    model = Small(8, norm=True)
    recipe = TrainRecipe(epochs=1, batch_size=16, augment="none", bn_eval=True)
    fit(model, IMAGES, LABELS, recipe, generator=torch.Generator().manual_seed(0))
    assert max(model.asked[1:]) == 8


def test_one_input_that_does_not_fit_is_a_clear_error():
    with pytest.raises(DeviceError, match=r"training runs out of memory on cpu with a batch of 1 .*it is one input"):
        trained(room=0)


def test_predictions_in_halves_are_the_same():
    whole, halved = Small(100).eval(), Small(7).eval()
    assert torch.allclose(predict(whole, IMAGES), predict(halved, IMAGES), atol=1e-6)
    assert halved.asked == [40, 20, 10, 5, 5, 5, 5, 5, 5, 5, 5]
    with pytest.raises(DeviceError, match="the model runs out of memory with a single input"):
        predict(Small(0).eval(), IMAGES)


def test_nothing_is_predicted_of_nothing():
    assert predict(Small(10).eval(), IMAGES[:0]).shape == (0, 3)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_a_network_trains_on_cuda_as_well_as_on_the_cpu():
    losses = []
    for device in ("cpu", "cuda"):
        model = Small(100).to(device)
        losses.append(fit(model, IMAGES, LABELS, RECIPE, generator=torch.Generator().manual_seed(0)).losses[-1])
        assert next(model.parameters()).device.type == device
        assert predict(model, IMAGES).device.type == "cpu"
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
